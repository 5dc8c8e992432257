"""Functions, versions and aliases, looked up the way AWS looks them up – and missed in AWS's words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from deploy.local.awslambda import upstream
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.refusals import no_alias, no_function
from deploy.local.awslambda.upstream import Answer, Record

LATEST: Final = "$LATEST"

_STATES: Final = (
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
)


def arn(name: str, qualifier: str | None = None) -> str:
    """The ARN of a function, or of what a qualifier names."""
    return f"arn:aws:lambda:{upstream.region()}:{upstream.account()}:function:{name}" + (
        f":{qualifier}" if qualifier else ""
    )


def function(name: str, qualifier: str | None = None) -> Record:
    """The function's own record, whose ``config`` is that of $LATEST. A miss names the qualifier that was asked for."""
    record: Record | None = upstream.functions.get(name)
    if record is None:
        raise no_function(arn(name, qualifier))
    return record


def version(name: str, record: Record, number: str) -> Record:
    """The record of one version; that of the function for ``$LATEST``."""
    if number == LATEST:
        return record
    found: Record | None = record["versions"].get(number)
    if found is None:
        raise no_function(arn(name, number))
    return found


def resolve(name: str, record: Record, qualifier: str | None) -> Record:
    """The record of what a qualifier names: a version, or the primary version of an alias."""
    if qualifier is None or is_version(qualifier):
        return version(name, record, qualifier or LATEST)
    alias = record["aliases"].get(qualifier)
    if alias is None:
        raise no_function(arn(name, qualifier))
    return version(name, record, alias["FunctionVersion"])


def require(name: str, record: Record, qualifier: str | None) -> None:
    """Refuse a qualifier that names nothing."""
    if qualifier and not is_version(qualifier) and qualifier not in record["aliases"]:
        raise no_alias(arn(name, qualifier))
    resolve(name, record, qualifier)


def is_version(qualifier: str) -> bool:
    """Whether a qualifier is a version, not the name of an alias."""
    return qualifier == LATEST or qualifier.isdigit()


def weights(alias: Record) -> dict[str, float]:
    """The extra versions of an alias and their share of its traffic; empty for most aliases."""
    return dict((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def stateless(config: Record) -> Record:
    """A configuration as lists show it: without its states."""
    return {member: value for member, value in config.items() if member not in _STATES}


def page(call: Call, member: str, items: Iterable[Record], key: str) -> Answer:
    """One page of a list, and the marker of the next."""
    everything = list(items)
    size = int(call.asked("MaxItems") or "50")
    marker = call.asked("Marker")
    start = (
        next((at + 1 for at, item in enumerate(everything) if item[key] == marker), 0)
        if marker
        else 0
    )
    shown = everything[start : start + size]
    answer: dict[str, Any] = {member: shown}
    if start + size < len(everything):
        answer["NextMarker"] = shown[-1][key]
    return upstream.answer_json(answer)
