"""Hands a control of a ``Release`` or ``Rollback`` on to its rollout."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
)
from temporalio.service import RPCError, RPCStatusCode

from workflows.call import HIGHEST_PRIORITY, root_cause
from workflows.control_requests import ControlRequest
from workflows.domain.status import ReleaseStatus
from workflows.release_state import RolloutAddress

_ANSWER_SECONDS: Final = 8
"""For an answer. Temporal delivers an update as soon as a worker goes on with the rollout."""

_ATTEMPT_TIMEOUT: Final = timedelta(seconds=10)
_TIMEOUT: Final = timedelta(seconds=30)
_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=200), backoff_coefficient=2)

_Id = Annotated[str, StringConstraints(min_length=1)]


class HandedControl(BaseModel):
    """A control, with the rollout that it is for, and the id under which it is sent only once."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    rollout: RolloutAddress
    name: _Id
    update_id: _Id
    request: dict[str, Any]


@activity.defn(name="hand_on_control")
async def hand_on_control_activity(control: HandedControl) -> ReleaseStatus:
    """Send a control to a rollout, and return its answer.

    Fails as ``Refused`` with the rollout's reason, or where no rollout takes it. A second attempt
    sends the same update, of which the rollout takes one.
    """
    handle: WorkflowHandle[Any, Any] = activity.client().get_workflow_handle(
        control.rollout.id, first_execution_run_id=control.rollout.first_run_id
    )
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            status: ReleaseStatus = await handle.execute_update(  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
                control.name, control.request, id=control.update_id, result_type=ReleaseStatus
            )
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        reason = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise _refuse(reason) from None
    except TimeoutError:
        text = f"no worker has answered for {control.rollout.id}"
        raise ApplicationError(text, type="NotReady") from None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise _refuse(f"too late: {control.rollout.id} is not running any more") from None
    return status


def _refuse(reason: str) -> ApplicationError:
    category = ApplicationErrorCategory.BENIGN
    return ApplicationError(reason, type="Refused", non_retryable=True, category=category)


async def hand_on(rollout: RolloutAddress, name: str, request: ControlRequest) -> ReleaseStatus:
    """Hand the update that is being handled on to the rollout, and return its answer.

    Raises ``Refused``, as the rollout does, and where the control was not delivered in time.
    """
    update = workflow.current_update_info()
    update_id = update.id if update else name
    control = HandedControl(
        rollout=rollout,
        name=name,
        update_id=f"{workflow.info().run_id}:{update_id}"[-200:],
        request=request.model_dump(mode="json"),
    )
    try:
        return await workflow.execute_activity(
            hand_on_control_activity,
            control,
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            schedule_to_close_timeout=_TIMEOUT,
            retry_policy=_RETRY,
            priority=HIGHEST_PRIORITY,
            summary=f"Hand {name.replace('_', ' ')} on, by {request.by}",
        )
    except ActivityError as error:
        cause = error.cause
        is_refused = isinstance(cause, ApplicationError) and cause.type == "Refused"
        reason = root_cause(error)
        if not is_refused:
            reason = (
                f"{rollout.id} has not answered ({reason}); {name} may still take effect: look at "
                "the status before sending it again. A cancel of this workflow is recorded without "
                "an answer, and rolls back"
            )
        raise ApplicationError(reason, type="Refused", non_retryable=True) from None
