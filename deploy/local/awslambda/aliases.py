"""Name a version, and split an alias's traffic between two versions: with AWS's rules on which two, and how."""

from __future__ import annotations

import re
from typing import Any, Final

from deploy.local.awslambda import provisioned, records, upstream
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.records import LATEST, arn
from deploy.local.awslambda.refusals import conflict, invalid, malformed, no_alias, stale
from deploy.local.awslambda.upstream import Answer, Record

_NAME: Final = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}")
_VERSION: Final = re.compile(r"\$LATEST|[0-9]+")
_WEIGHTS: Final = "routingConfig.additionalVersionWeights"


def create(call: Call) -> Answer:
    """Name a version, or two with a weight."""
    request = call.document()
    name = request.get("Name", "")
    if not _NAME.fullmatch(name):
        raise malformed(
            "name",
            name,
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        )
    record = records.function(call.function)
    _check(call.function, record, request.get("FunctionVersion", ""), _requested_weights(request))
    if name in record["aliases"]:
        raise conflict(f"Alias already exists: {arn(call.function, name)}")
    return upstream.create_alias(call.function, request)


def update(call: Call) -> Answer:
    """Point an alias elsewhere. What the request leaves out is kept: weights, too."""
    request = call.document()
    record = records.function(call.function)
    alias = _alias(call, record)
    if request.get("RevisionId") and request["RevisionId"] != alias["RevisionId"]:
        raise stale("GetFunction", "GetAlias")
    weights = _requested_weights(request) if "RoutingConfig" in request else records.weights(alias)
    moved = str(request.get("FunctionVersion") or alias["FunctionVersion"])
    _check(call.function, record, moved, weights)
    before = alias["FunctionVersion"]
    answer = upstream.update_alias(call.function, call.member, request)
    if moved != before:
        provisioned.follow(call.function, record, call.member)
    return answer


def get(call: Call) -> Answer:
    """The alias, with its RevisionId."""
    return upstream.answer_json(_alias(call, records.function(call.function)))


def delete(call: Call) -> Answer:
    """Delete an alias with its policy and its provisioned concurrency. One that is gone already is no error."""
    record = records.function(call.function)
    if record["aliases"].pop(call.member, None) is not None:
        record["provisioned_concurrency"].pop(call.member, None)
        policy = record["policy"]
        policy["Statement"] = [
            one for one in policy["Statement"] if one["Resource"] != arn(call.function, call.member)
        ]
    return 204, {}, b""


def list_all(call: Call) -> Answer:
    """The aliases of a function; with ``FunctionVersion`` those whose primary version it is."""
    wanted = call.asked("FunctionVersion")
    aliases = records.function(call.function)["aliases"].values()
    return records.page(
        call,
        "Aliases",
        (one for one in aliases if wanted in (None, one["FunctionVersion"])),
        "Name",
    )


def _alias(call: Call, record: Record) -> Record:
    alias: Record | None = record["aliases"].get(call.member)
    if alias is None:
        raise no_alias(arn(call.function, call.member))
    return alias


def _requested_weights(request: dict[str, Any]) -> dict[str, float]:
    return dict((request.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _check(name: str, record: Record, primary: str, weights: dict[str, float]) -> None:
    """Refuse what AWS would not route to."""
    if not _VERSION.fullmatch(primary):
        raise malformed(
            "functionVersion",
            primary,
            r"Member must satisfy regular expression pattern: (\$LATEST(\.PUBLISHED)?|[0-9]+)",
        )
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for extra, weight in weights.items():
        shown = f"{{{extra}={weight}}}"
        if not 0.0 <= weight <= 1.0:
            limits = "Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0"
            raise malformed(
                _WEIGHTS,
                shown,
                f"Map value must satisfy constraint: [{limits}, Member must not be null]",
            )
        if not extra.isdigit():
            pattern = "Member must satisfy regular expression pattern: [0-9]+"
            raise malformed(
                _WEIGHTS,
                shown,
                f"Map keys must satisfy constraint: [{pattern}, Member must not be null]",
            )
        if primary == LATEST:
            raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        if extra == primary:
            raise invalid(
                f"Invalid function version {extra}. Function version {extra} is already included in routing configuration."
            )
    target = records.version(name, record, primary)["config"]
    for extra in weights:
        _check_compatible(target, records.version(name, record, extra)["config"])


def _check_compatible(one: Record, other: Record) -> None:
    if one["Role"] != other["Role"]:
        raise invalid("Specified versions must be associated with the same execution role")
    if one.get("DeadLetterConfig") != other.get("DeadLetterConfig"):
        raise invalid(
            "Specified versions must be associated with the same dead-letter queue configuration"
        )
