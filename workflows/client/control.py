"""Sends a control, such as an abort, to a running release."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowExecutionDescription

from activities.limits.priority import prioritize_workflow
from workflows.client.errors import (
    NoSuchRelease,
    NoWorker,
    Refused,
    ReleaseClientError,
    translate_errors,
)
from workflows.client.lookup import find_rollout
from workflows.client.release_search import find_release
from workflows.client.runs import Run
from workflows.client.unbegun_release import PendingRelease
from workflows.client.update import (
    UpdatesUsedUp,
    UpdateUndelivered,
    WorkflowStuck,
    execute_update,
)
from workflows.control_requests import (
    ApproveRequest,
    ReasonedRequest,
    ResumeRequest,
    describe_request,
)
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Target
from workflows.run_chain import read_first_run_id

_UPDATE_TIMEOUT: Final = timedelta(seconds=20)
"""For a worker to accept an update: one that was just restarted needs about ten seconds."""

_STUCK: Final = (
    "the worker cannot go on with this release (its log has the reason), so traffic stays as it is"
)
_OUTCOMES: Final = {
    Phase.SUCCEEDED: "succeeded",
    Phase.REJECTED: "was rejected",
    Phase.ROLLED_BACK: "was rolled back",
}


async def send_control(
    client: Client,
    target: str | Target,
    name: str,
    request: ApproveRequest | ReasonedRequest | ResumeRequest,
) -> ReleaseStatus:
    """Send the update ``name`` to the running release of a target, and return its answer."""
    found = await find_release(client, target)
    if isinstance(found, PendingRelease):
        return await _control_pending(client, found, name, request)
    try:
        rollout = await find_rollout(client, found)
    except NoSuchRelease:
        if found.close_time is None:
            raise
        raise Refused(
            f"{target} is not being released now: the last time it was rejected "
            f"(releases status {found.id} says why)"
        ) from None
    alias = str(Run.from_execution(rollout).status.target)
    if rollout.close_time:
        outcome = _OUTCOMES.get(Run.from_execution(rollout).status.phase, "was left half-way")
        raise Refused(f"{alias} is not being released now: the last time it {outcome}")
    # Whichever run it is in by then: a release goes on in a new run where it is long.
    handle: Any = client.get_workflow_handle(
        rollout.id, first_execution_run_id=read_first_run_id(rollout)
    )
    if name == "abort":
        await prioritize_workflow(client, rollout.id, rollout.run_id)
    over = f"{alias} is not being released any more"
    try:
        async with asyncio.timeout(_UPDATE_TIMEOUT.total_seconds()):
            with translate_errors(over):
                return await execute_update(handle, name, request)
    except NoSuchRelease:  # it has ended since it was found
        raise Refused(f"{over}: releases status {alias} says how it ended") from None
    except (UpdateUndelivered, TimeoutError, NoWorker) as error:
        if name == "abort" and isinstance(request, ReasonedRequest):
            return await _cancel(handle, rollout, request, error)
        raise _explain(error, name, alias) from error


async def _cancel(
    handle: Any, rollout: WorkflowExecutionDescription, request: ReasonedRequest, error: Exception
) -> ReleaseStatus:
    """Send an abort that was not delivered as a cancel, which is recorded without a worker.

    Raises ``NoWorker`` where no worker takes it now.
    """
    reason = describe_request("abort", request.by, request.reason)
    with translate_errors(f"{rollout.id} is not being released any more"):
        await handle.cancel(reason=reason)
    match error:
        case UpdatesUsedUp():
            status = Run.from_execution(rollout).status
            note = "sent as a cancel: this release has had as many controls as Temporal delivers"
            return status.model_copy(update={"note": note})
        case WorkflowStuck():
            cause = _STUCK
        case _:
            cause = f"no worker has answered within {_UPDATE_TIMEOUT.total_seconds():.0f} s"
    raise NoWorker(
        f"{cause}; the abort is sent as a cancel, too, which is recorded: the release is rolled "
        f"back as soon as a worker goes on with it (releases watch {rollout.id})"
    ) from error


def _explain(error: Exception, name: str, alias: str) -> ReleaseClientError:
    """Return the error for a control that was not delivered, or not answered."""
    match error:
        case UpdatesUsedUp():
            return Refused(
                f"{name} was not delivered: this release has had as many controls as Temporal "
                f"delivers. It goes on by itself, and only an abort reaches it, as a cancel: "
                f"releases abort {alias}"
            )
        case WorkflowStuck():
            return NoWorker(f"{name} was not delivered: {_STUCK}")
        case _:
            return NoWorker(
                f"no worker has answered within {_UPDATE_TIMEOUT.total_seconds():.0f} s; {name} "
                "may still take effect when one is back: check the status before sending it again"
            )


async def _control_pending(
    client: Client,
    pending: PendingRelease,
    name: str,
    request: ApproveRequest | ReasonedRequest | ResumeRequest,
) -> ReleaseStatus:
    """Abort a release that has no rollout; refuse any other control."""
    if name != "abort" or not isinstance(request, ReasonedRequest):
        raise Refused(
            f"{pending.id} has not begun: {pending.note}. To end it: releases abort {pending.id}"
        )
    handle = client.get_workflow_handle(pending.id, run_id=pending.execution.run_id)
    with translate_errors(f"{pending.id} has ended already"):
        if pending.is_taken:
            await handle.cancel(reason=describe_request("abort", request.by, request.reason))
            return pending.status.model_copy(
                update={"note": f"sent as a cancel: {pending.note}, and nothing is changed yet"}
            )
        # A cancel would take effect when a worker comes, and until then look like no abort at all.
        # If a worker takes the release just now, its rollout is cancelled with it, and rolls back.
        by = f"{request.by} before a worker took it"
        note = describe_request("aborted", by, request.reason)
        status = pending.status.model_copy(update={"phase": Phase.REJECTED, "note": note})
        await handle.terminate(status, reason=note)
        with contextlib.suppress(NoSuchRelease):
            rollout = await find_rollout(client, await handle.describe())
            note = f"sent as a cancel, since it has just begun: releases watch {rollout.id}"
            return Run.from_execution(rollout).status.model_copy(update={"note": note})
    return status
