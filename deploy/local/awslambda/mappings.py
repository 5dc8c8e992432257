"""Event source mappings: created, changed and deleted by and by, and one only for each source and function."""

from __future__ import annotations

import json
from typing import Final

from deploy.local.awslambda import pace, records, upstream
from deploy.local.awslambda.calls import Call, parse
from deploy.local.awslambda.records import arn
from deploy.local.awslambda.refusals import conflict, in_use, invalid, not_found
from deploy.local.awslambda.upstream import Answer, Record

_AT_REST: Final = ("Enabled", "Disabled")


def create(call: Call) -> Answer:
    """Connect a source to a function, version or alias. Creating at first; nothing is polled until it is Enabled."""
    request = call.document()
    name, qualifier = parse(request.get("FunctionName", ""))
    if name not in upstream.functions:
        raise invalid("Function does not exist")
    records.require(name, upstream.functions[name], qualifier)
    source = request.get("EventSourceArn", "")
    _check_unique(source, name, qualifier)
    _check_queue(source)
    answer: Answer = upstream.create_mapping(
        {**request, "FunctionName": name if qualifier is None else f"{name}:{qualifier}"}
    )
    if not upstream.carried_out(answer):
        return answer
    mapping = upstream.mappings[json.loads(answer[2])["UUID"]]
    _move(mapping, "Creating", mapping["State"])
    return upstream.answer_json(upstream.shown_mapping(mapping), 202)


def get(call: Call) -> Answer:
    """A mapping and the state it is in."""
    return upstream.answer_json(upstream.shown_mapping(_mapping(call)))


def update(call: Call) -> Answer:
    """Change a mapping; refused while it is on its way."""
    request = call.document()
    mapping = _mapping(call)
    if mapping["State"] not in _AT_REST:
        raise in_use("update")
    before = mapping["State"]
    if request.get("FunctionName"):
        name, qualifier = parse(request["FunctionName"])
        if name not in upstream.functions:
            raise invalid("Function does not exist")
        records.require(name, upstream.functions[name], qualifier)
        request["FunctionName"] = name if qualifier is None else f"{name}:{qualifier}"
    answer: Answer = upstream.update_mapping(call.member, request)
    if not upstream.carried_out(answer):
        return answer
    after = mapping["State"]
    _move(
        mapping,
        "Updating" if after == before else {"Enabled": "Enabling", "Disabled": "Disabling"}[after],
        after,
    )
    return upstream.answer_json(upstream.shown_mapping(mapping), 202)


def delete(call: Call) -> Answer:
    """Delete a mapping: Deleting for a moment, then gone."""
    mapping = _mapping(call)
    if mapping["State"] not in _AT_REST:
        raise in_use("delete")
    mapping.update(State="Deleting", Enabled=False)
    pace.later(pace.SETTLE, lambda: upstream.delete_mapping(call.member))
    return upstream.answer_json(upstream.shown_mapping(mapping), 202)


def list_all(call: Call) -> Answer:
    """The mappings, of one source or one function or all. A function that does not exist has none."""
    source, reference = call.asked("EventSourceArn"), call.asked("FunctionName")
    name, qualifier = parse(reference) if reference else (None, None)

    def wanted(mapping: Record) -> bool:
        return (source in (None, mapping["EventSourceArn"])) and (
            name is None
            or (mapping["FunctionName"] == name and qualifier in (None, mapping["Qualifier"]))
        )

    shown = [
        upstream.shown_mapping(mapping) for mapping in upstream.mappings.values() if wanted(mapping)
    ]
    return records.page(call, "EventSourceMappings", shown, "UUID")


def _mapping(call: Call) -> Record:
    mapping: Record | None = upstream.mappings.get(call.member)
    if mapping is None:
        raise not_found("The resource you requested does not exist.")
    return mapping


def _move(mapping: Record, through: str, to: str) -> None:
    mapping.update(State=through, Enabled=False)

    def arrived() -> None:
        if mapping["State"] == through:
            mapping.update(State=to, Enabled=to == "Enabled")

    pace.later(pace.SETTLE, arrived)


def _check_unique(source: str, name: str, qualifier: str | None) -> None:
    target = arn(name, qualifier)
    for mapping in upstream.mappings.values():
        if (mapping["EventSourceArn"], mapping["FunctionArn"]) == (source, target):
            what = (
                f'An event source mapping with SQS arn (" {source} ")'
                if ":sqs:" in source
                else f'The event source arn (" {source} ")'
            )
            verb = "already exists" if ":sqs:" in source else "provided mapping already exists"
            raise conflict(
                f'{what} and function (" {name} ") {verb}. Please update or delete the existing mapping with UUID {mapping["UUID"]}'
            )


def _check_queue(source: str) -> None:
    if (
        ":sqs:" in source
        and upstream.queues.get(upstream.queue_url(source.rpartition(":")[2])) is None
    ):
        raise invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist."
        )
