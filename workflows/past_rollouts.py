"""What earlier rollouts of an alias left in Temporal: its history, and their journals.

The runs of ``Rollout`` under one id are the history of its alias. Reading them costs AWS nothing;
they last as long as the namespace's retention.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workflows.call import HIGHEST_PRIORITY
from workflows.domain.journal import Journal
from workflows.domain.status import Phase, ReleaseStatus

JOURNAL_MEMO: Final = "journal"
"""The memo in which a ``Rollout`` records what would have to be undone."""

VERDICT_MEMO: Final = "verdict"
"""The memo in which it records the last verdict on its candidate, with its numbers."""

STEP_MEMO: Final = "step"
"""The memo in which a measured one records the number of the step that begins, from 1.

One more than there are steps after the last."""

_MOST_RUNS: Final = 50
_RETRY: Final = RetryPolicy(maximum_interval=timedelta(seconds=30))
_TIMEOUT: Final = timedelta(seconds=30)


class PreviousVersionRequest(BaseModel):
    """Which alias, by its rollout id (``lock`` in JSON), and which version is live there now."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    lock: Annotated[str, StringConstraints(pattern=r"^[^'\"\\]+$")]
    live: str


@activity.defn(name="read_previous_version")
async def read_previous_version(request: PreviousVersionRequest) -> str | None:
    """Return the version that was live before ``live``, from the results of the last runs.

    None where none of them knows.
    """
    client = activity.client()
    query = f"WorkflowId = '{request.lock}'"
    runs = [run async for run in client.list_workflows(query, limit=_MOST_RUNS)]
    completed = [
        run for run in runs if run.status is WorkflowExecutionStatus.COMPLETED and run.close_time
    ]
    for run in sorted(completed, key=lambda run: run.close_time or run.start_time, reverse=True):
        handle = client.get_workflow_handle(run.id, run_id=run.run_id, result_type=ReleaseStatus)
        status: ReleaseStatus = await handle.result()
        made_live = status.phase is Phase.SUCCEEDED and status.candidate == request.live
        if made_live and status.stable not in {None, request.live}:
            return status.stable
    return None


async def find_previous_version(rollout_id: str, live: str) -> str | None:
    """Call :func:`read_previous_version` from a workflow."""
    return await workflow.execute_activity(
        read_previous_version,
        PreviousVersionRequest(lock=rollout_id, live=live),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        summary=f"Read which version was live before {live}",
    )


class JournalRequest(BaseModel):
    """Which rollout, by the ids of its workflow and run."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    workflow_id: Annotated[str, StringConstraints(min_length=1)]
    run_id: str


@activity.defn(name="read_journal")
async def read_journal_activity(request: JournalRequest) -> Journal | None:
    """Return the journal of a rollout; None if it had not changed anything.

    Raises ``NotFound`` where the run was deleted.
    """
    handle = activity.client().get_workflow_handle(request.workflow_id, run_id=request.run_id)
    try:
        found = await handle.describe()
    except RPCError as error:
        if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            raise
        message = "read_journal: there is no such run any more"
        raise ApplicationError(message, type="NotFound", non_retryable=True) from None
    return await found.memo_value(JOURNAL_MEMO, None, type_hint=Journal)


async def read_journal(workflow_id: str, run_id: str) -> Journal | None:
    """Call :func:`read_journal_activity` from a workflow."""
    return await workflow.execute_activity(
        read_journal_activity,
        JournalRequest(workflow_id=workflow_id, run_id=run_id),
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_RETRY,
        priority=HIGHEST_PRIORITY,
        summary="Read what the killed rollout had begun to change",
    )
