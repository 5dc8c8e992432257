"""Create, read, update, delete and list aliases, with AWS's routing rules."""

from __future__ import annotations

import re
from typing import Any, Final

from deploy.local.awslambda import ministack_api, provisioned_concurrency, records
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import (
    alias_not_found,
    invalid_parameter,
    precondition_failed,
    resource_conflict,
    validation_error,
)
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import LATEST, build_arn

_NAME: Final = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}")
_VERSION: Final = re.compile(r"\$LATEST|[0-9]+")
_WEIGHTS: Final = "routingConfig.additionalVersionWeights"


def create_alias(call: Call) -> Response:
    """Create an alias of one version, or of two with a weight."""
    request = call.json_body()
    name = request.get("Name", "")
    if not _NAME.fullmatch(name):
        raise validation_error(
            "name",
            name,
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        )
    record = records.get_function(call.function)
    _check_routing(
        call.function, record, request.get("FunctionVersion", ""), _parse_weights(request)
    )
    if name in record["aliases"]:
        raise resource_conflict(f"Alias already exists: {build_arn(call.function, name)}")
    return ministack_api.create_alias(call.function, request)


def update_alias(call: Call) -> Response:
    """Update an alias. Members that the request omits are kept, weights included.

    One with provisioned concurrency that moves to another version stays on the old one until as
    much is allocated to the new: AWS itself writes weights, and takes them away again.
    """
    request = call.json_body()
    record = records.get_function(call.function)
    alias = _find_alias(call, record)
    if request.get("RevisionId") and request["RevisionId"] != alias["RevisionId"]:
        raise precondition_failed("GetFunction", "GetAlias")
    weights = _parse_weights(request) if "RoutingConfig" in request else records.get_weights(alias)
    moved = str(request.get("FunctionVersion") or alias["FunctionVersion"])
    _check_routing(call.function, record, moved, weights)
    before = alias["FunctionVersion"]
    if moved != before and not weights and call.member in record["provisioned_concurrency"]:
        request["RoutingConfig"] = {"AdditionalVersionWeights": {before: 1.0}}
    response = ministack_api.update_alias(call.function, call.member, request)
    if moved != before:
        provisioned_concurrency.reallocate(call.function, record, call.member, before=before)
    return response


def get_alias(call: Call) -> Response:
    """Return the alias, with its RevisionId."""
    return ministack_api.json_response(_find_alias(call, records.get_function(call.function)))


def delete_alias(call: Call) -> Response:
    """Delete an alias with its policy and its provisioned concurrency.

    Deleting one that does not exist succeeds.
    """
    record = records.get_function(call.function)
    if record["aliases"].pop(call.member, None) is not None:
        record["provisioned_concurrency"].pop(call.member, None)
        policy = record["policy"]
        policy["Statement"] = [
            one
            for one in policy["Statement"]
            if one["Resource"] != build_arn(call.function, call.member)
        ]
    return 204, {}, b""


def list_aliases(call: Call) -> Response:
    """List the aliases of a function.

    ``FunctionVersion`` selects those with that primary version.
    """
    wanted = call.query_parameter("FunctionVersion")
    aliases = records.get_function(call.function)["aliases"].values()
    return records.paginate(
        call,
        "Aliases",
        (one for one in aliases if wanted in (None, one["FunctionVersion"])),
        "Name",
    )


def _find_alias(call: Call, record: Record) -> Record:
    alias: Record | None = record["aliases"].get(call.member)
    if alias is None:
        raise alias_not_found(build_arn(call.function, call.member))
    return alias


def _parse_weights(request: dict[str, Any]) -> dict[str, float]:
    return dict((request.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _check_routing(name: str, record: Record, primary: str, weights: dict[str, float]) -> None:
    """Raise :class:`LambdaError` for a routing that AWS refuses."""
    if not _VERSION.fullmatch(primary):
        raise validation_error(
            "functionVersion",
            primary,
            r"Member must satisfy regular expression pattern: (\$LATEST(\.PUBLISHED)?|[0-9]+)",
        )
    if len(weights) > 1:
        raise invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    for extra, weight in weights.items():
        shown = f"{{{extra}={weight}}}"
        if not 0.0 <= weight <= 1.0:
            limits = (
                "Member must have value less than or equal to 1.0, "
                "Member must have value greater than or equal to 0.0"
            )
            raise validation_error(
                _WEIGHTS,
                shown,
                f"Map value must satisfy constraint: [{limits}, Member must not be null]",
            )
        if not extra.isdigit():
            pattern = "Member must satisfy regular expression pattern: [0-9]+"
            raise validation_error(
                _WEIGHTS,
                shown,
                f"Map keys must satisfy constraint: [{pattern}, Member must not be null]",
            )
        if primary == LATEST:
            raise invalid_parameter(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        if extra == primary:
            raise invalid_parameter(
                f"Invalid function version {extra}. "
                f"Function version {extra} is already included in routing configuration."
            )
    target = records.get_version(name, record, primary)["config"]
    for extra in weights:
        _check_compatible(target, records.get_version(name, record, extra)["config"])


def _check_compatible(one: Record, other: Record) -> None:
    if one["Role"] != other["Role"]:
        raise invalid_parameter(
            "Specified versions must be associated with the same execution role"
        )
    if one.get("DeadLetterConfig") != other.get("DeadLetterConfig"):
        raise invalid_parameter(
            "Specified versions must be associated with the same dead-letter queue configuration"
        )
