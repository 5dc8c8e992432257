"""Which other release uses ``$LATEST`` of a function: all its aliases share it.

Two releases of one function must not write and publish ``$LATEST`` at the same time. Those of one
alias exclude each other by their workflow id; those of two aliases find each other here, in
Temporal's visibility. It may lag by a second or two: where two releases have missed each other, the
RevisionId of ``$LATEST`` still keeps the one from publishing what the other wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import AwsError
from activities.temporal_client import read_workflow_input

_MOST_ROLLOUTS: Final = 50
_PHASE: Final = SearchAttributeKey.for_keyword("ReleasePhase")
_WRITING_KINDS: Final = {"s3", "image", "latest"}
_BEFORE_TRAFFIC: Final = {"preparing", "paused", ""}
_AT_THE_END: Final = {"promoting", "succeeded", "rolling_back", "rolled_back", "rejected"}
_BRIEF_PHASES: Final = _BEFORE_TRAFFIC | _AT_THE_END
"""Phases after which ``$LATEST`` is soon free, or a bake begins and it is not."""


class LatestUser(NamedTuple):
    """A running rollout that uses ``$LATEST``, by its workflow id.

    ``is_brief``: it may be done with that in a few minutes. Otherwise it needs ``$LATEST`` as it is
    until its end, to undo what it has changed.
    """

    rollout: str
    is_brief: bool


async def find_latest_user(
    client: Client, *, rollout: str, started_at: datetime
) -> LatestUser | None:
    """Return a rollout of another alias that the one of this id has to give way to.

    That is one that has written ``$LATEST``, whenever it started; and one that will, if it started
    earlier (at the same moment: if its id is lower). None where there is none.
    """
    function = _function_of(rollout)
    query = (
        "WorkflowType = 'Rollout' AND ExecutionStatus = 'Running' "
        f"AND LambdaFunction = '{function.rpartition(':')[2]}'"
    )
    try:
        running = [run.id async for run in client.list_workflows(query, limit=_MOST_ROLLOUTS)]
        for other in sorted(running):
            if _function_of(other) != function or _normalize(other) == _normalize(rollout):
                continue
            user = await _describe_use(client, other, before=(started_at, _normalize(rollout)))
            if user is not None:
                return user
    except RPCError as error:
        raise AwsError(
            "compare_latest",
            "ServiceUnavailable",
            f"Temporal does not list which other releases use $LATEST: {error.status.name}",
        ) from None
    return None


async def _describe_use(
    client: Client, rollout: str, *, before: tuple[datetime, str]
) -> LatestUser | None:
    handle = client.get_workflow_handle(rollout)
    try:
        found = await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if found.status is not WorkflowExecutionStatus.RUNNING:
        return None
    phase = _read_phase(found)
    journal: Mapping[str, Any] | None = await found.memo_value("journal", None)
    if journal and journal.get("latest"):
        return LatestUser(rollout, is_brief=phase in _BRIEF_PHASES)
    is_earlier = (found.start_time, _normalize(rollout)) < before
    if phase in _BEFORE_TRAFFIC and is_earlier and await _will_use_latest(client, found):
        return LatestUser(rollout, is_brief=True)
    return None


def _read_phase(found: WorkflowExecutionDescription) -> str:
    return found.typed_search_attributes.get(_PHASE, "")


async def _will_use_latest(client: Client, found: WorkflowExecutionDescription) -> bool:
    """Whether a rollout writes or publishes ``$LATEST``, by its input."""
    request = await read_workflow_input(client, found.id, found.run_id)
    artifact: Mapping[str, Any] = request.get("artifact") or {}
    return artifact.get("kind") in _WRITING_KINDS or bool(request.get("configuration"))


def _function_of(rollout: str) -> str:
    """Return a rollout id without its alias: account, region and name of the function."""
    return _normalize(rollout).rpartition(":")[0]


def _normalize(rollout: str) -> str:
    """Return a rollout id as it is written today; earlier ones had slashes."""
    return rollout.replace("/", ":")
