"""The records of functions, versions and aliases, found by AWS's rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from deploy.local.awslambda import ministack_api
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import alias_not_found, function_not_found
from deploy.local.awslambda.ministack_api import Record, Response

LATEST: Final = "$LATEST"

_STATES: Final = (
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
)


def build_arn(name: str, qualifier: str | None = None) -> str:
    """Build the ARN of a function, version or alias."""
    return f"arn:aws:lambda:{ministack_api.region()}:{ministack_api.account()}:function:{name}" + (
        f":{qualifier}" if qualifier else ""
    )


def get_function(name: str, qualifier: str | None = None) -> Record:
    """Return the function's record, whose ``config`` is that of $LATEST.

    Raises :class:`LambdaError`, whose message names the qualifier, where there is none.
    """
    record: Record | None = ministack_api.functions.get(name)
    if record is None:
        raise function_not_found(build_arn(name, qualifier))
    return record


def get_version(name: str, record: Record, number: str) -> Record:
    """Return the record of one version; that of the function for ``$LATEST``."""
    if number == LATEST:
        return record
    found: Record | None = record["versions"].get(number)
    if found is None:
        raise function_not_found(build_arn(name, number))
    return found


def resolve_qualifier(name: str, record: Record, qualifier: str | None) -> Record:
    """Return the record of a version, or of the primary version of an alias."""
    if qualifier is None or is_version(qualifier):
        return get_version(name, record, qualifier or LATEST)
    alias = record["aliases"].get(qualifier)
    if alias is None:
        raise function_not_found(build_arn(name, qualifier))
    return get_version(name, record, alias["FunctionVersion"])


def check_qualifier(name: str, record: Record, qualifier: str | None) -> None:
    """Raise :class:`LambdaError` for a qualifier that does not exist."""
    if qualifier and not is_version(qualifier) and qualifier not in record["aliases"]:
        raise alias_not_found(build_arn(name, qualifier))
    resolve_qualifier(name, record, qualifier)


def is_version(qualifier: str) -> bool:
    """Whether a qualifier is a version, not the name of an alias."""
    return qualifier == LATEST or qualifier.isdigit()


def get_weights(alias: Record) -> dict[str, float]:
    """Return an alias's additional versions and their weights; often empty."""
    return dict((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def remove_states(config: Record) -> Record:
    """Return a configuration without its states, as AWS's lists have it."""
    return {member: value for member, value in config.items() if member not in _STATES}


def paginate(call: Call, member: str, items: Iterable[Record], key: str) -> Response:
    """Build one page of a list, with the marker of the next."""
    all_items = list(items)
    size = int(call.query_parameter("MaxItems") or "50")
    marker = call.query_parameter("Marker")
    start = (
        next((at + 1 for at, item in enumerate(all_items) if item[key] == marker), 0)
        if marker
        else 0
    )
    shown = all_items[start : start + size]
    response: dict[str, Any] = {member: shown}
    if start + size < len(all_items):
        response["NextMarker"] = shown[-1][key]
    return ministack_api.json_response(response)
