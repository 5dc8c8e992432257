"""Resource policies: one for the function, one for each version and alias, each with its own statements and its own RevisionId."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from deploy.local.awslambda import records, upstream
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.records import LATEST, arn
from deploy.local.awslambda.refusals import RefusalError, invalid, malformed, not_found, stale
from deploy.local.awslambda.upstream import Answer, Record

_STATEMENT: Final = re.compile(r"[a-zA-Z0-9-_]{1,100}")
_ACTION: Final = re.compile(r"lambda:[*]|lambda:[a-zA-Z]+|[*]")
_LIMIT: Final = 20_480
"""Bytes of one policy."""


def add(call: Call) -> Answer:
    """Allow somebody to do something with exactly the function, version or alias that is named."""
    request = call.document()
    if call.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    record = _record(call)
    statement = request.get("StatementId", "")
    if not _STATEMENT.fullmatch(statement):
        raise malformed(
            "statementId",
            statement,
            "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)",
        )
    if not _ACTION.fullmatch(request.get("Action", "")):
        pattern = (
            "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        )
        raise malformed("action", request.get("Action"), pattern)
    own, others = _statements(call, record)
    _check_revision(call, record, own, request.get("RevisionId"))
    policy = record["policy"]
    policy["Statement"] = list(own)  # statement ids are compared within one policy
    answer: Answer = upstream.add_permission(call.function, request, {}, call.qualifier)
    added = policy["Statement"]
    size = len(json.dumps({**policy, "Statement": added}))
    policy["Statement"] = others + (own if size > _LIMIT else added)
    if size > _LIMIT:
        raise RefusalError(
            "PolicyLengthExceededException",
            f"The final policy size ({size}) is bigger than the limit ({_LIMIT}).",
            400,
        )
    if upstream.carried_out(answer):
        _revise(call, record)
    return answer


def remove(call: Call) -> Answer:
    """Take one statement back."""
    record = _record(call)
    own, others = _statements(call, record)
    if not own:
        raise not_found("No policy is associated with the given resource.")
    left = [one for one in own if one["Sid"] != call.member]
    if len(left) == len(own):
        raise not_found(f"Statement {call.member} is not found in resource policy.")
    _check_revision(call, record, own, call.asked("RevisionId"))
    record["policy"]["Statement"] = others + left
    _revise(call, record)
    return 204, {}, b""


def get(call: Call) -> Answer:
    """The policy of exactly what is named. One without statements does not exist."""
    record = _record(call)
    own, _ = _statements(call, record)
    if not own:
        raise not_found("The resource you requested does not exist.")
    policy = json.dumps({**record["policy"], "Statement": own})
    return upstream.answer_json(
        {"Policy": policy, "RevisionId": _revisions(record)[call.qualifier or ""]}
    )


def _record(call: Call) -> Record:
    record = records.function(call.function)
    records.require(call.function, record, call.qualifier)
    return record


def _statements(call: Call, record: Record) -> tuple[list[Any], list[Any]]:
    resource = arn(call.function, call.qualifier)
    everything = record["policy"]["Statement"]
    return [one for one in everything if one["Resource"] == resource], [
        one for one in everything if one["Resource"] != resource
    ]


def _revisions(record: Record) -> dict[str, str]:
    revisions: dict[str, str] = record.setdefault("policy_revisions", {})
    return revisions


def _revise(call: Call, record: Record) -> None:
    _revisions(record)[call.qualifier or ""] = upstream.new_id()


def _check_revision(call: Call, record: Record, own: list[Any], given: str | None) -> None:
    """The policy's own RevisionId; for its first statement that of what it is attached to."""
    if not given:
        return
    if own:
        current = _revisions(record)[call.qualifier or ""]
    elif call.qualifier in record["aliases"]:
        current = record["aliases"][call.qualifier]["RevisionId"]
    else:
        current = records.resolve(call.function, record, call.qualifier)["config"]["RevisionId"]
    if given != current:
        raise stale("GetPolicy")
