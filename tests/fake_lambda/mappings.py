"""Event source mappings: one for each source and function, with states that take a while."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import (
    LATEST,
    Account,
    Answer,
    Parameters,
    operation,
    parse_name,
)
from tests.fake_lambda.refusals import Refusal, conflict, invalid, not_found

_AT_REST = {"Enabled", "Disabled"}
_NOT_REPORTED = {"UUID", "FunctionName", "Enabled", "Tags"}


@operation("lambda")
def create_event_source_mapping(account: Account, parameters: Parameters) -> Answer:
    arn = _resolve(account, parameters["FunctionName"])
    source = parameters.get("EventSourceArn")
    for mapping in account.mappings.values():
        if (mapping["FunctionArn"], mapping.get("EventSourceArn")) == (arn, source):
            raise conflict(
                f'The event source arn (" {source} ") and function (" {arn} ") provided mapping '
                "already exists. Please update or delete the existing mapping with UUID "
                f"{mapping['UUID']}"
            )
    uuid = f"00000000-0000-0000-0000-{len(account.mappings) + 1:012}"
    account.mappings[uuid] = {"UUID": uuid, "FunctionArn": arn, "BatchSize": 10} | _report(
        parameters
    )
    return _begin(account, uuid, "Creating", is_enabled=parameters.get("Enabled", True))


@operation("lambda")
def get_event_source_mapping(account: Account, parameters: Parameters) -> Answer:
    return _settle(account, _find(account, parameters))


@operation("lambda")
def list_event_source_mappings(account: Account, parameters: Parameters) -> Answer:
    source = parameters.get("EventSourceArn")
    listed = [
        _settle(account, mapping)
        for mapping in list(account.mappings.values())
        if source in {None, mapping.get("EventSourceArn")}
        and _is_of(account, mapping, parameters.get("FunctionName"))
    ]
    return account.page(parameters, "EventSourceMappings", listed)


@operation("lambda")
def update_event_source_mapping(account: Account, parameters: Parameters) -> Answer:
    mapping = _find(account, parameters)
    _check_at_rest(mapping, "update")
    was_enabled = mapping["State"] == "Enabled"
    is_enabled = parameters.get("Enabled", was_enabled)
    if "FunctionName" in parameters:
        mapping["FunctionArn"] = _resolve(account, parameters["FunctionName"])
    mapping.update(_report(parameters))
    through = "Updating" if is_enabled == was_enabled else "Enabling" if is_enabled else "Disabling"
    return _begin(account, mapping["UUID"], through, is_enabled=is_enabled)


@operation("lambda")
def delete_event_source_mapping(account: Account, parameters: Parameters) -> Answer:
    mapping = _find(account, parameters)
    _check_at_rest(mapping, "delete")
    mapping["State"] = "Deleting"
    return mapping


def _find(account: Account, parameters: Parameters) -> dict[str, Any]:
    if parameters["UUID"] not in account.mappings:
        raise not_found("The resource you requested does not exist.")
    return account.mappings[parameters["UUID"]]


def _resolve(account: Account, text: str) -> str:
    """The ARN of the function, version or alias that a FunctionName names."""
    name, owner, qualifier = parse_name(text)
    account.check_owner(text, owner)
    function = account.functions.get(name)
    if function is None:
        raise invalid("Function does not exist")
    if qualifier in {None, LATEST}:
        return function.arn
    account.configuration(function, qualifier)
    return f"{function.arn}:{qualifier}"


def _is_of(account: Account, mapping: dict[str, Any], text: str | None) -> bool:
    """Whether a mapping is of the function, version or alias that a list asks for."""
    if text is None:
        return True
    name, owner, qualifier = parse_name(text)
    arn, own = account.arn(name, account=owner), str(mapping["FunctionArn"])
    if qualifier in {None, LATEST}:
        return own == arn or own.startswith(f"{arn}:")
    return own == f"{arn}:{qualifier}"


def _report(parameters: Parameters) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in _NOT_REPORTED}


def _check_at_rest(mapping: dict[str, Any], verb: str) -> None:
    if mapping["State"] not in _AT_REST:
        raise Refusal(
            "ResourceInUseException",
            f"Cannot {verb} the event source mapping because it is in use.",
        )


def _begin(account: Account, uuid: str, through: str, *, is_enabled: bool) -> Answer:
    account.mappings[uuid]["State"] = through
    account.mapping_states[uuid] = "Enabled" if is_enabled else "Disabled"
    return account.mappings[uuid]


def _settle(account: Account, mapping: dict[str, Any]) -> dict[str, Any]:
    """Let a change arrive. One that is being deleted is reported once more, and is gone then."""
    arrived = account.mapping_states.pop(mapping["UUID"], None)
    if mapping["State"] == "Deleting":
        del account.mappings[mapping["UUID"]]
    elif arrived and mapping["State"] not in _AT_REST:
        mapping["State"] = arrived
    return mapping
