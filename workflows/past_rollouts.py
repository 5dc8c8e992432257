"""What the rollouts of an alias left behind in Temporal: which version was live before, and what a killed one had begun to change.

The runs of ``Rollout`` under one id are the history of its alias. Reading them costs AWS nothing; they last as long as the
namespace's retention.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workflows.call import HIGHEST_PRIORITY
from workflows.domain.journal import Journal
from workflows.domain.status import Phase, ReleaseStatus

JOURNAL = "journal"
"""The memo in which a ``Rollout`` writes down what would have to be put back."""

VERDICT = "verdict"
"""The memo in which it writes down the last verdict on its candidate, with its numbers."""

_RUNS = 50
_PATIENT = RetryPolicy(maximum_interval=timedelta(seconds=30))
_AT_MOST = timedelta(seconds=30)


class PreviousVersionRequest(BaseModel):
    """Which alias, by the id of its ``Rollout``, and which version is live there now."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    lock: Annotated[str, StringConstraints(pattern=r"^[^'\"\\]+$")]
    live: str


@activity.defn(name="read_previous_version")
async def read_previous_version(request: PreviousVersionRequest) -> str | None:
    """The version that was live before ``live`` became it, from the results of the last runs; None where none of them tells."""
    client = activity.client()
    runs = [
        run async for run in client.list_workflows(f"WorkflowId = '{request.lock}'", limit=_RUNS)
    ]
    completed = [
        run for run in runs if run.status is WorkflowExecutionStatus.COMPLETED and run.close_time
    ]
    for run in sorted(completed, key=lambda run: run.close_time or run.start_time, reverse=True):
        handle = client.get_workflow_handle(run.id, run_id=run.run_id, result_type=ReleaseStatus)
        status: ReleaseStatus = await handle.result()
        if (
            status.phase is Phase.SUCCEEDED
            and status.candidate == request.live
            and status.stable not in {None, request.live}
        ):
            return status.stable
    return None


async def previous_version(lock: str, live: str) -> str | None:
    """Ask for :func:`read_previous_version` from within a workflow."""
    return await workflow.execute_activity(
        read_previous_version,
        PreviousVersionRequest(lock=lock, live=live),
        start_to_close_timeout=_AT_MOST,
        retry_policy=_PATIENT,
        summary=f"Read which version was live before {live}",
    )


class JournalRequest(BaseModel):
    """Which rollout, by the ids of its workflow and run."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    workflow_id: Annotated[str, StringConstraints(min_length=1)]
    run_id: str


@activity.defn(name="read_journal")
async def read_journal_of(request: JournalRequest) -> Journal | None:
    """What a rollout wrote down before it was killed; None if it had not changed anything."""
    try:
        found = (
            await activity.client()
            .get_workflow_handle(request.workflow_id, run_id=request.run_id)
            .describe()
        )
    except RPCError as error:
        if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            raise
        raise ApplicationError(
            "read_journal: there is no such run any more", type="NotFound", non_retryable=True
        ) from None
    return await found.memo_value(JOURNAL, None, type_hint=Journal)


async def read_journal(workflow_id: str, run_id: str) -> Journal | None:
    """Ask for :func:`read_journal_of` from within a workflow."""
    return await workflow.execute_activity(
        read_journal_of,
        JournalRequest(workflow_id=workflow_id, run_id=run_id),
        start_to_close_timeout=_AT_MOST,
        retry_policy=_PATIENT,
        priority=HIGHEST_PRIORITY,
        summary="Read what the killed rollout had begun to change",
    )
