"""Sends a control, such as an abort, to a running release."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client

from activities.limits.priority import prioritize_workflow
from workflows.client.errors import NoWorker, Refused, translate_errors
from workflows.client.lookup import find_rollout, find_workflow
from workflows.client.runs import Run
from workflows.client.update import execute_update
from workflows.control_requests import ApproveRequest, ReasonedRequest, ResumeRequest
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Target
from workflows.run_chain import read_first_run_id

_UPDATE_TIMEOUT: Final = timedelta(seconds=20)
"""For a worker to accept an update: one that was just restarted needs about ten seconds."""

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
    rollout = await find_rollout(client, await find_workflow(client, target))
    alias = rollout.id.rsplit("/", 1)[-1]
    if rollout.close_time:
        outcome = _OUTCOMES.get(Run.from_execution(rollout).status.phase, "was left half-way")
        raise Refused(f"{alias} is not being released now: the last time it {outcome}")
    # Whichever run it is in by then: a release goes on in a new run where it is long.
    handle: Any = client.get_workflow_handle(
        rollout.id, first_execution_run_id=read_first_run_id(rollout)
    )
    if name == "abort":
        await prioritize_workflow(client, rollout.id, rollout.run_id)
    try:
        async with asyncio.timeout(_UPDATE_TIMEOUT.total_seconds()):
            with translate_errors(f"{alias} is not being released any more"):
                return await execute_update(handle, name, request)
    except (TimeoutError, NoWorker) as error:
        raise NoWorker(
            f"no worker has answered within {_UPDATE_TIMEOUT.total_seconds():.0f} s; {name} "
            "may still take effect when one is back: check the status before sending it again"
        ) from error
