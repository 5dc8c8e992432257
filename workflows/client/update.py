"""Sends a Temporal update to a workflow, again where Temporal could not deliver it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from temporalio.api.errordetails.v1 import WorkflowNotReadyFailure
from temporalio.service import RPCError, RPCStatusCode

from workflows.domain.status import ReleaseStatus

_PAUSE_SECONDS: Final = 0.2
_MOST_ATTEMPTS: Final = 10


async def execute_update(handle: Any, name: str, *inputs: Any) -> ReleaseStatus:
    """Send an update to a workflow (``handle``) and return its answer.

    Raises what Temporal's client raises.

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
            if not attempts_left or not _is_not_ready(error):
                raise
        else:
            return answer
        await asyncio.sleep(_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def _is_not_ready(error: RPCError) -> bool:
    """Whether Temporal dropped an update because its workflow task failed."""
    if error.status is not RPCStatusCode.FAILED_PRECONDITION:
        return False
    details = error.grpc_status.details
    return any(detail.Is(WorkflowNotReadyFailure.DESCRIPTOR) for detail in details)
