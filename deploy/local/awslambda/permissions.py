"""Resource policies of functions, versions and aliases, each with a RevisionId.

A change of an alias's policy gives the alias another RevisionId, too.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from deploy.local.awslambda import ministack_api, records
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import (
    LambdaError,
    invalid_parameter,
    precondition_failed,
    resource_not_found,
    validation_error,
)
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import LATEST, build_arn

_STATEMENT: Final = re.compile(r"[a-zA-Z0-9-_]{1,100}")
_ACTION: Final = re.compile(r"lambda:[*]|lambda:[a-zA-Z]+|[*]")
_LIMIT_BYTES: Final = 20_480
"""The largest policy."""


def add_permission(call: Call) -> Response:
    """Add a statement to the policy of exactly the named function, version or alias."""
    request = call.json_body()
    if call.qualifier == LATEST:
        raise invalid_parameter("We currently do not support adding policies for $LATEST.")
    record = _find_record(call)
    statement = request.get("StatementId", "")
    if not _STATEMENT.fullmatch(statement):
        raise validation_error(
            "statementId",
            statement,
            "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)",
        )
    if not _ACTION.fullmatch(request.get("Action", "")):
        pattern = (
            "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        )
        raise validation_error("action", request.get("Action"), pattern)
    own, others = _split_statements(call, record)
    _check_revision(call, record, own, request.get("RevisionId"))
    policy = record["policy"]
    policy["Statement"] = list(own)  # statement ids are compared within one policy
    response: Response = ministack_api.add_permission(call.function, request, {}, call.qualifier)
    added = policy["Statement"]
    size = len(json.dumps({**policy, "Statement": added}))
    policy["Statement"] = others + (own if size > _LIMIT_BYTES else added)
    if size > _LIMIT_BYTES:
        raise LambdaError(
            "PolicyLengthExceededException",
            f"The final policy size ({size}) is bigger than the limit ({_LIMIT_BYTES}).",
            400,
        )
    if ministack_api.is_success(response):
        _renew_revision(call, record)
    return response


def remove_permission(call: Call) -> Response:
    """Remove one statement."""
    record = _find_record(call)
    own, others = _split_statements(call, record)
    if not own:
        raise resource_not_found("No policy is associated with the given resource.")
    left = [one for one in own if one["Sid"] != call.member]
    if len(left) == len(own):
        raise resource_not_found(f"Statement {call.member} is not found in resource policy.")
    _check_revision(call, record, own, call.query_parameter("RevisionId"))
    record["policy"]["Statement"] = others + left
    _renew_revision(call, record)
    return 204, {}, b""


def get_policy(call: Call) -> Response:
    """Return the policy of exactly the named function, version or alias.

    A policy without statements does not exist.
    """
    record = _find_record(call)
    own, _ = _split_statements(call, record)
    if not own:
        raise resource_not_found("The resource you requested does not exist.")
    policy = json.dumps({**record["policy"], "Statement": own})
    return ministack_api.json_response(
        {"Policy": policy, "RevisionId": _get_revisions(record)[call.qualifier or ""]}
    )


def _find_record(call: Call) -> Record:
    record = records.get_function(call.function)
    records.check_qualifier(call.function, record, call.qualifier)
    return record


def _split_statements(call: Call, record: Record) -> tuple[list[Any], list[Any]]:
    resource = build_arn(call.function, call.qualifier)
    everything = record["policy"]["Statement"]
    return [one for one in everything if one["Resource"] == resource], [
        one for one in everything if one["Resource"] != resource
    ]


def _get_revisions(record: Record) -> dict[str, str]:
    revisions: dict[str, str] = record.setdefault("policy_revisions", {})
    return revisions


def _renew_revision(call: Call, record: Record) -> None:
    _get_revisions(record)[call.qualifier or ""] = ministack_api.new_id()
    if (alias := record["aliases"].get(call.qualifier)) is not None:
        alias["RevisionId"] = ministack_api.new_id()


def _check_revision(call: Call, record: Record, own: list[Any], given: str | None) -> None:
    """Compare a RevisionId with the policy's.

    Without a statement yet, it is compared with the resource's.
    """
    if not given:
        return
    if own:
        current = _get_revisions(record)[call.qualifier or ""]
    elif call.qualifier in record["aliases"]:
        current = record["aliases"][call.qualifier]["RevisionId"]
    else:
        current = records.resolve_qualifier(call.function, record, call.qualifier)["config"][
            "RevisionId"
        ]
    if given != current:
        raise precondition_failed("GetPolicy")
