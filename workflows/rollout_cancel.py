"""Cancels a rollout, in whichever run it is.

Temporal hands the cancel of a workflow to the run of its child that it has started, and to no later
one: a rollout that continues in a new run would not get it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.service import RPCError, RPCStatusCode

from workflows.call import HIGHEST_PRIORITY


class CancelRequest(BaseModel):
    """Which rollout, by the ids of its workflow and of its first run."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    workflow_id: Annotated[str, StringConstraints(min_length=1)]
    first_run_id: Annotated[str, StringConstraints(min_length=1)]


@activity.defn(name="cancel_rollout")
async def cancel_rollout_activity(request: CancelRequest) -> None:
    """Request the cancel of the run that runs now, if it goes back to this first run.

    Another release under the same id is left alone. A second request does no harm.
    """
    handle = activity.client().get_workflow_handle(
        request.workflow_id, first_execution_run_id=request.first_run_id
    )
    try:
        await handle.cancel()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def cancel_rollout(workflow_id: str, first_run_id: str) -> None:
    """Call :func:`cancel_rollout_activity` from a workflow."""
    await workflow.execute_activity(
        cancel_rollout_activity,
        CancelRequest(workflow_id=workflow_id, first_run_id=first_run_id),
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
        priority=HIGHEST_PRIORITY,
        summary="Cancel the rollout, whichever of its runs is the latest",
    )
