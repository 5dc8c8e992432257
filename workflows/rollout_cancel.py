"""Cancels a rollout, in whichever run it is, and reads how it stood in the end.

Temporal hands the cancel of a workflow to the run of its child that it has started, and to no later
one: a rollout that continues in a new run would not get it. The child's cancel has its status in
the details, but the core of the SDK (1.35) does not hand those to the parent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, CancelledError
from temporalio.service import RPCError, RPCStatusCode

from workflows.call import HIGHEST_PRIORITY
from workflows.domain.status import ReleaseStatus
from workflows.run_chain import find_last_run

_READ_TIMEOUT: Final = timedelta(seconds=10)
_FEW: Final = RetryPolicy(maximum_attempts=3)


class CancelRequest(BaseModel):
    """Which rollout, by the ids of its workflow and of its first run, and why it is cancelled."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    workflow_id: Annotated[str, StringConstraints(min_length=1)]
    first_run_id: Annotated[str, StringConstraints(min_length=1)]
    reason: str = ""


@activity.defn(name="cancel_rollout")
async def cancel_rollout_activity(request: CancelRequest) -> None:
    """Request the cancel of the run that runs now, if it goes back to this first run.

    Another release under the same id is left alone. A second request does no harm.
    """
    handle = activity.client().get_workflow_handle(
        request.workflow_id, first_execution_run_id=request.first_run_id
    )
    try:
        await handle.cancel(reason=request.reason)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def cancel_rollout(workflow_id: str, first_run_id: str, reason: str) -> None:
    """Call :func:`cancel_rollout_activity` from a workflow."""
    await workflow.execute_activity(
        cancel_rollout_activity,
        CancelRequest(workflow_id=workflow_id, first_run_id=first_run_id, reason=reason),
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
        priority=HIGHEST_PRIORITY,
        summary="Cancel the rollout, whichever of its runs is the latest",
    )


@activity.defn(name="read_cancelled_status")
async def read_cancelled_status_activity(request: CancelRequest) -> ReleaseStatus | None:
    """Return how a rollout stood that was cancelled; None where it has left nothing."""
    client = activity.client()
    found = await find_last_run(client, request.workflow_id, request.first_run_id)
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(found.id, run_id=found.run_id)
    try:
        await handle.result(follow_runs=False)
    except WorkflowFailureError as error:
        details = error.cause.details if isinstance(error.cause, CancelledError) else ()
        try:
            return ReleaseStatus.model_validate(details[0]) if details else None
        except ValidationError:
            return None
    return None


async def read_cancelled_status(workflow_id: str, first_run_id: str) -> ReleaseStatus | None:
    """Call :func:`read_cancelled_status_activity` from a workflow; None where it fails.

    A local activity: it costs one event, and no action.
    """
    if not workflow.patched("cancel-leaves-status"):
        return None
    try:
        return await workflow.execute_local_activity(
            read_cancelled_status_activity,
            CancelRequest(workflow_id=workflow_id, first_run_id=first_run_id),
            schedule_to_close_timeout=_READ_TIMEOUT,
            retry_policy=_FEW,
            summary="Read how the cancelled rollout has left the alias",
        )
    except ActivityError:
        return None
