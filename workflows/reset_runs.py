"""What a reset in the Temporal UI leaves behind, and how a release finds it.

A reset ends a run and starts another one, which replays the beginning. Both have the same first
run. A ``Rollout`` that begins again finds the alias half-way: its earlier run's journal says what
to undo. A ``Release`` that begins again finds its own ``Rollout`` running, and follows it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.common import RetryPolicy
from temporalio.service import RPCError, RPCStatusCode

from workflows.call import HIGHEST_PRIORITY
from workflows.domain.journal import Journal
from workflows.domain.status import ReleaseStatus
from workflows.past_rollouts import JOURNAL_MEMO
from workflows.rollout_end import Outcome, RolloutEnd, read_failure
from workflows.run_chain import LAST_RUNS, read_first_run_id, still_running

_MOST_RUNS: Final = 20
_MAYBE_TERMINATED: Final = {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.RUNNING}
"""How visibility, which is late by a moment, may list a run that was terminated."""

_GOES_ON: Final = {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW}
_RETRY: Final = RetryPolicy(maximum_interval=timedelta(seconds=30))
_POLL: Final = RetryPolicy(initial_interval=timedelta(seconds=2), backoff_coefficient=1)
_TIMEOUT: Final = timedelta(seconds=30)

_Id = Annotated[str, StringConstraints(min_length=1)]


class RunReset(Exception):
    """The run before a reset has changed something, which is to be undone."""


class RunRequest(BaseModel):
    """Which workflow, and which of its runs was the first; ``run_id`` is the run that looks."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    workflow_id: _Id
    first_run_id: _Id
    run_id: _Id


class FollowRequest(BaseModel):
    """Which rollout, and the release that follows it: its workflow id and its first run."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    rollout_id: _Id
    workflow_id: _Id
    first_run_id: _Id


@activity.defn(name="read_reset_journal")
async def read_reset_journal_activity(request: RunRequest) -> Journal | None:
    """Return the journal of the run that was reset; None if it had not changed anything.

    That is the latest run that was terminated and has the same first run. Runs that this one
    continues were not terminated. A run that ended just now may still be listed as running.
    """
    client = activity.client()
    query = f"WorkflowId = '{request.workflow_id}' AND {LAST_RUNS}"
    runs = [run async for run in client.list_workflows(query, limit=_MOST_RUNS)]
    for run in sorted(runs, key=lambda run: run.start_time, reverse=True):
        if run.run_id == request.run_id or run.status not in _MAYBE_TERMINATED:
            continue
        found = await client.get_workflow_handle(run.id, run_id=run.run_id).describe()
        is_terminated = found.status is WorkflowExecutionStatus.TERMINATED
        if is_terminated and read_first_run_id(found) == request.first_run_id:
            journal = await found.memo_value(JOURNAL_MEMO, None, type_hint=Journal)
            return None if journal is None or journal.is_empty else journal
    return None


@activity.defn(name="follow_rollout")
async def follow_rollout_activity(request: FollowRequest) -> RolloutEnd | None:
    """Wait for the end of a rollout that an earlier run of this release has started.

    None where no rollout runs under the id, or another release has started it. A poll that finds it
    running ends in a benign failure, and Temporal polls again: that adds no events.
    """
    client = activity.client()
    try:
        found = await client.get_workflow_handle(request.rollout_id).describe()
        if not await _is_own(client, found, request):
            return None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if found.status in _GOES_ON:
        raise still_running(f"{request.rollout_id} is still running")
    return await _read_end(client, found)


async def _is_own(
    client: Client, found: WorkflowExecutionDescription, request: FollowRequest
) -> bool:
    """Whether the rollout was started by this release, in a run before its reset."""
    parent = found.raw_description.workflow_execution_info.parent_execution
    if parent.workflow_id != request.workflow_id:
        return False
    handle = client.get_workflow_handle(parent.workflow_id, run_id=parent.run_id)
    return read_first_run_id(await handle.describe()) == request.first_run_id


async def _read_end(client: Client, found: WorkflowExecutionDescription) -> RolloutEnd:
    handle = client.get_workflow_handle(found.id, run_id=found.run_id, result_type=ReleaseStatus)
    try:
        result: ReleaseStatus = await handle.result(follow_runs=False)
    except WorkflowFailureError as error:
        return read_failure(found.id, found.run_id, error.cause)
    return RolloutEnd(
        workflow_id=found.id, run_id=found.run_id, outcome=Outcome.COMPLETED, result=result
    )


def is_reset(patch: str) -> bool:
    """Whether this run began with a reset, and not at a later moment; marked by ``patch``.

    In a replay the marker alone decides: a replayer does not know the id of a run that was reset.
    """
    info = workflow.info()
    may_be_reset = info.run_id != info.first_execution_run_id or workflow.unsafe.is_replaying()
    return may_be_reset and workflow.patched(patch)


async def read_reset_journal() -> Journal | None:
    """Return the journal of the run of this workflow that was reset.

    None where that run had not changed anything.
    """
    info = workflow.info()
    return await workflow.execute_activity(
        read_reset_journal_activity,
        RunRequest(
            workflow_id=info.workflow_id,
            first_run_id=info.first_execution_run_id,
            run_id=info.run_id,
        ),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        priority=HIGHEST_PRIORITY,
        summary="Read what the run that was reset had begun to change",
    )


async def follow_rollout(rollout_id: str) -> RolloutEnd | None:
    """Wait for the end of the rollout that this release started before it was reset.

    None where this release was not reset, or the rollout is another release's.
    """
    if not is_reset("reset-follows-rollout"):
        return None
    info = workflow.info()
    return await workflow.execute_activity(
        follow_rollout_activity,
        FollowRequest(
            rollout_id=rollout_id,
            workflow_id=info.workflow_id,
            first_run_id=info.first_execution_run_id,
        ),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_POLL,
        summary=f"Follow {rollout_id}, which this release started before it was reset",
    )
