"""A newer release ends the watch of an older one, which has all traffic already.

The watch after promotion (``guards.after``) holds the alias for hours or days. A newer release does
not wait for its end: it has the older one look at its alarms once more and complete, and takes the
alias then.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, StringConstraints
from temporalio import activity, workflow
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workflows.call import HIGHEST_PRIORITY, root_cause
from workflows.control_requests import EndWatchRequest
from workflows.domain.status import Phase, ReleaseStatus
from workflows.run_chain import find_last_run, still_running

ENDED_WATCH_MEMO: Final = "ended_watch"
"""The memo in which a ``Rollout`` has whose watch was ended for it, as a sentence."""

_TIMEOUT: Final = timedelta(seconds=30)
_POLL: Final = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=1)
_FEW: Final = RetryPolicy(maximum_attempts=5)

_Id = Annotated[str, StringConstraints(min_length=1)]


class WatchToEnd(BaseModel):
    """Whose watch is ended, by which release, and why. ``version`` is the one to release."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    rollout_id: _Id
    by: _Id
    reason: str = ""
    version: str | None = None


class WatchedRun(BaseModel):
    """A rollout whose watch is ended, by the ids of its workflow and of one of its runs.

    ``refusal`` is why it was not ended; ``started_by`` is the id of its release.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    failure_type: ClassVar[str] = "Invalid"

    rollout_id: _Id
    run_id: str
    started_by: str
    version: str | None = None
    refusal: str | None = None


@activity.defn(name="end_watch")
async def end_watch_activity(request: WatchToEnd) -> WatchedRun | None:
    """End the watch of the rollout under an id; None where none runs any more."""
    handle: WorkflowHandle[Any, Any] = activity.client().get_workflow_handle(request.rollout_id)
    try:
        return await _end_watch(handle, request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _end_watch(handle: WorkflowHandle[Any, Any], request: WatchToEnd) -> WatchedRun | None:
    found = await handle.describe()
    if found.status is not WorkflowExecutionStatus.RUNNING:
        return None
    run = WatchedRun(
        rollout_id=found.id, run_id=found.run_id, started_by=found.parent_id or found.id
    )
    info = activity.info()
    try:
        status: ReleaseStatus = await handle.execute_update(  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
            "end_watch",
            EndWatchRequest(by=request.by, reason=request.reason, version=request.version),
            id=f"end-watch/{info.workflow_run_id}/{info.activity_id}",
            result_type=ReleaseStatus,
        )
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        refusal = cause.message if isinstance(cause, ApplicationError) else str(cause)
        return run.model_copy(update={"refusal": refusal})
    return run.model_copy(update={"version": status.candidate})


@activity.defn(name="await_watch_end")
async def await_watch_end_activity(request: WatchedRun) -> ReleaseStatus | None:
    """Wait until a rollout whose watch was ended has closed; return how it completed.

    None where it did not complete. An attempt that finds it running ends in a benign failure, and
    Temporal polls again: that adds no events.
    """
    client = activity.client()
    try:
        found = await find_last_run(client, request.rollout_id, request.run_id)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if found.status is WorkflowExecutionStatus.RUNNING:
        raise still_running(f"{request.rollout_id} is still ending its watch")
    if found.status is not WorkflowExecutionStatus.COMPLETED:
        return None
    return await _read_result(client, found.id, found.run_id)


async def _read_result(client: Client, workflow_id: str, run_id: str) -> ReleaseStatus:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id, result_type=ReleaseStatus)
    result: ReleaseStatus = await handle.result(follow_runs=False)
    return result


class WatchEnd(BaseModel):
    """What came of the attempt to end a watch.

    - ``note``: what to say of it in the newer release; None where nothing was to be ended.
    - ``refusal``: why the alias is not free.
    - ``is_live``: whether the version that was watched has stayed live.
    """

    model_config = ConfigDict(frozen=True)

    note: str | None = None
    refusal: str | None = None
    is_live: bool = True


async def end_watch(rollout_id: str, *, reason: str, version: str | None) -> WatchEnd:
    """End the watch of the rollout that holds the alias, and wait until it has let go of it."""
    request = WatchToEnd(
        rollout_id=rollout_id,
        by=workflow.info().workflow_id[:200],
        reason=reason,
        version=version,
    )
    try:
        run = await workflow.execute_activity(
            end_watch_activity,
            request,
            start_to_close_timeout=_TIMEOUT,
            retry_policy=_FEW,
            priority=HIGHEST_PRIORITY,
            summary="End the watch of the release before",
        )
    except ActivityError as error:
        return WatchEnd(refusal=f"its watch could not be ended: {root_cause(error)}")
    if run is None:
        return WatchEnd()
    if run.refusal is not None:
        return WatchEnd(refusal=f"{run.started_by}: {run.refusal}")
    status = await workflow.execute_activity(
        await_watch_end_activity,
        run,
        start_to_close_timeout=_TIMEOUT,
        retry_policy=_POLL,
        priority=HIGHEST_PRIORITY,
        summary=f"Wait until {run.started_by} has ended its watch",
    )
    is_live = status is not None and status.phase is Phase.SUCCEEDED
    ended = "" if is_live else ", which was rolled back then"
    return WatchEnd(
        note=f"Ended the watch of version {run.version} (release {run.started_by}){ended}",
        is_live=is_live,
    )
