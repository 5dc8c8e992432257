"""Sends a Temporal update to a workflow, again where Temporal could not deliver it.

Temporal (server 1.32) refuses an update with FAILED_PRECONDITION for two reasons. With the detail
``WorkflowNotReadyFailure``, the workflow task is repeated, or fails again and again. Without, the
run has had as many updates as Temporal takes: 2,000.
https://docs.temporal.io/cloud/limits#per-workflow-execution-update-limits
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from temporalio.api.errordetails.v1 import WorkflowNotReadyFailure
from temporalio.service import RPCError, RPCStatusCode

from workflows.domain.status import ReleaseStatus

_PAUSE_SECONDS: Final = 0.2
_MOST_ATTEMPTS: Final = 10


class UpdateUndelivered(Exception):
    """An update that Temporal cannot deliver: nothing of it has happened, nor will."""


class UpdatesUsedUp(UpdateUndelivered):
    """The run has had as many updates as Temporal takes."""


class WorkflowStuck(UpdateUndelivered):
    """The workflow task fails again and again, such as for a bug, or a version that is too old."""


async def execute_update(handle: Any, name: str, *inputs: Any) -> ReleaseStatus:
    """Send an update to a workflow (``handle``) and return its answer.

    Raises what Temporal's client raises, and :class:`UpdatesUsedUp` or :class:`WorkflowStuck` where
    Temporal cannot deliver it.

    Temporal drops an update whose workflow task it has to repeat, such as where an activity
    completes in the moment in which the update ends the workflow. Nothing of it has happened then,
    so it is sent again, for about two seconds.
    """
    for attempts_left in reversed(range(_MOST_ATTEMPTS)):
        try:
            answer: ReleaseStatus = await handle.execute_update(
                name, args=inputs, result_type=ReleaseStatus
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                raise
            if not _is_not_ready(error):
                raise UpdatesUsedUp from error
            if not attempts_left:
                raise WorkflowStuck from error
        else:
            return answer
        await asyncio.sleep(_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def _is_not_ready(error: RPCError) -> bool:
    """Whether Temporal dropped an update because its workflow task failed."""
    details = error.grpc_status.details
    return any(detail.Is(WorkflowNotReadyFailure.DESCRIPTOR) for detail in details)
