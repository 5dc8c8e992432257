"""Has a worker plan a release: ``Plan``, started and waited for."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, Final

from temporalio import exceptions
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from workflows.artifact_check import PENDING_UPLOAD_MEMO
from workflows.call import root_cause
from workflows.client.errors import NoWorker, Refused, translate_errors
from workflows.client.lookup import generate_workflow_id
from workflows.client.plain_text import refuse_plain_text
from workflows.client.queue_outage import find_outages
from workflows.plan import ReleasePlan
from workflows.request import ReleaseRequest

WORKER_TIMEOUT: Final = timedelta(seconds=20)
"""For a worker to take the plan, as for a control: one that restarts needs about ten seconds."""

_PLAN_TIMEOUT: Final = timedelta(minutes=2)


async def plan_release(
    client: Client, request: ReleaseRequest, *, task_queue: str, is_uploaded: bool = True
) -> ReleasePlan:
    """Have a worker plan a release, and return the plan.

    A package that is uploaded before the release, and is not there yet, is not looked at.
    Raises ``NoWorker`` where none takes it within 20 s, or has not finished it within two minutes;
    ``Refused`` where a worker refuses the input.
    """
    await refuse_plain_text(client, request.target)
    with translate_errors():
        handle: WorkflowHandle[Any, ReleasePlan] = await client.start_workflow(
            "Plan",
            request,
            id=generate_workflow_id("plan", request.target),
            task_queue=task_queue,
            static_summary=request.summary[:200],
            memo=None if is_uploaded else {PENDING_UPLOAD_MEMO: True},
            result_type=ReleasePlan,
            execution_timeout=_PLAN_TIMEOUT,
        )
        result = asyncio.ensure_future(handle.result())
        try:
            await asyncio.wait([result], timeout=WORKER_TIMEOUT.total_seconds())
            if not result.done() and not await _is_taken(handle):
                raise NoWorker(await _describe_silence(client, handle, task_queue))
            return await result
        except WorkflowFailureError as error:
            if isinstance(error.cause, exceptions.TimeoutError):
                seconds = f"{_PLAN_TIMEOUT.total_seconds():.0f} s"
                raise NoWorker(
                    f"no worker of task queue {task_queue} has finished the plan within {seconds}: "
                    f"its log says why (releases doctor {request.target})"
                ) from error
            raise Refused(root_cause(error.cause)) from error
        finally:
            result.cancel()


async def _is_taken(handle: WorkflowHandle[Any, ReleasePlan]) -> bool:
    """Whether a worker has answered its first task."""
    taken = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return any([event.event_type == taken async for event in handle.fetch_history_events()])


async def _describe_silence(
    client: Client, handle: WorkflowHandle[Any, ReleasePlan], task_queue: str
) -> str:
    """End a plan that no worker has taken, and say what to do about it."""
    seconds = f"{WORKER_TIMEOUT.total_seconds():.0f} s"
    late = f"no worker of task queue {task_queue} has taken the plan within {seconds}"
    outages = await find_outages(client, task_queue)
    with contextlib.suppress(RPCError):  # it has ended just now
        await handle.terminate(reason=late)
    return "; ".join([late, *outages])
