"""Event source mappings, whose changes take time.

A source and a function, version or alias have at most one.
"""

from __future__ import annotations

import json
from typing import Final

from deploy.local.awslambda import delays, ministack_api, records
from deploy.local.awslambda.calls import Call, parse_function_name
from deploy.local.awslambda.errors import (
    invalid_parameter,
    resource_conflict,
    resource_in_use,
    resource_not_found,
)
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import build_arn

_SETTLED_STATES: Final = ("Enabled", "Disabled")


def create_mapping(call: Call) -> Response:
    """Connect a source to a function, version or alias.

    The mapping is Creating at first; the source is polled once it is Enabled.
    """
    request = call.json_body()
    name, qualifier = parse_function_name(request.get("FunctionName", ""))
    if name not in ministack_api.functions:
        raise invalid_parameter("Function does not exist")
    records.check_qualifier(name, ministack_api.functions[name], qualifier)
    source = request.get("EventSourceArn", "")
    _check_unique(source, name, qualifier)
    _check_queue(source)
    response: Response = ministack_api.create_mapping(
        {**request, "FunctionName": name if qualifier is None else f"{name}:{qualifier}"}
    )
    if not ministack_api.is_success(response):
        return response
    mapping = ministack_api.mappings[json.loads(response[2])["UUID"]]
    _change_state(mapping, "Creating", mapping["State"])
    return ministack_api.json_response(ministack_api.render_mapping(mapping), 202)


def get_mapping(call: Call) -> Response:
    """Return a mapping with its state."""
    return ministack_api.json_response(ministack_api.render_mapping(_find_mapping(call)))


def update_mapping(call: Call) -> Response:
    """Change a mapping; refused while it is changing."""
    request = call.json_body()
    mapping = _find_mapping(call)
    if mapping["State"] not in _SETTLED_STATES:
        raise resource_in_use("update")
    before = mapping["State"]
    if request.get("FunctionName"):
        name, qualifier = parse_function_name(request["FunctionName"])
        if name not in ministack_api.functions:
            raise invalid_parameter("Function does not exist")
        records.check_qualifier(name, ministack_api.functions[name], qualifier)
        request["FunctionName"] = name if qualifier is None else f"{name}:{qualifier}"
    response: Response = ministack_api.update_mapping(call.member, request)
    if not ministack_api.is_success(response):
        return response
    after = mapping["State"]
    _change_state(
        mapping,
        "Updating" if after == before else {"Enabled": "Enabling", "Disabled": "Disabling"}[after],
        after,
    )
    return ministack_api.json_response(ministack_api.render_mapping(mapping), 202)


def delete_mapping(call: Call) -> Response:
    """Delete a mapping, which is Deleting at first."""
    mapping = _find_mapping(call)
    if mapping["State"] not in _SETTLED_STATES:
        raise resource_in_use("delete")
    mapping.update(State="Deleting", Enabled=False)
    delays.call_later(delays.SETTLE_SECONDS, lambda: ministack_api.delete_mapping(call.member))
    return ministack_api.json_response(ministack_api.render_mapping(mapping), 202)


def list_mappings(call: Call) -> Response:
    """List the mappings of one source, of one function, or all.

    A function that does not exist has none.
    """
    source, reference = call.query_parameter("EventSourceArn"), call.query_parameter("FunctionName")
    name, qualifier = parse_function_name(reference) if reference else (None, None)

    def matches(mapping: Record) -> bool:
        return (source in (None, mapping["EventSourceArn"])) and (
            name is None
            or (mapping["FunctionName"] == name and qualifier in (None, mapping["Qualifier"]))
        )

    shown = [
        ministack_api.render_mapping(mapping)
        for mapping in ministack_api.mappings.values()
        if matches(mapping)
    ]
    return records.paginate(call, "EventSourceMappings", shown, "UUID")


def _find_mapping(call: Call) -> Record:
    mapping: Record | None = ministack_api.mappings.get(call.member)
    if mapping is None:
        raise resource_not_found("The resource you requested does not exist.")
    return mapping


def _change_state(mapping: Record, transition: str, target: str) -> None:
    mapping.update(State=transition, Enabled=False)

    def finish() -> None:
        if mapping["State"] == transition:
            mapping.update(State=target, Enabled=target == "Enabled")

    delays.call_later(delays.SETTLE_SECONDS, finish)


def _check_unique(source: str, name: str, qualifier: str | None) -> None:
    target = build_arn(name, qualifier)
    for mapping in ministack_api.mappings.values():
        if (mapping["EventSourceArn"], mapping["FunctionArn"]) == (source, target):
            what = (
                f'An event source mapping with SQS arn (" {source} ")'
                if ":sqs:" in source
                else f'The event source arn (" {source} ")'
            )
            verb = "already exists" if ":sqs:" in source else "provided mapping already exists"
            raise resource_conflict(
                f'{what} and function (" {name} ") {verb}. '
                f"Please update or delete the existing mapping with UUID {mapping['UUID']}"
            )


def _check_queue(source: str) -> None:
    if (
        ":sqs:" in source
        and ministack_api.queues.get(ministack_api.queue_url(source.rpartition(":")[2])) is None
    ):
        raise invalid_parameter(
            "Error occurred while ReceiveMessage. "
            "SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist."
        )
