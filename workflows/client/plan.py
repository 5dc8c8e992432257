"""Has a worker read for a person: ``Plan`` and ``Survey``, started and waited for."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

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
from workflows.domain.target import Target
from workflows.plan import ReleasePlan
from workflows.request import ReleaseRequest

WORKER_TIMEOUT: Final = timedelta(seconds=20)
"""For a worker to take the plan, as for a control: one that restarts needs about ten seconds."""

_TIMEOUT: Final = timedelta(minutes=2)

_Result = TypeVar("_Result")


async def plan_release(
    client: Client, request: ReleaseRequest, *, task_queue: str, is_uploaded: bool = True
) -> ReleasePlan:
    """Have a worker plan a release, and return the plan.

    A package that is uploaded before the release, and is not there yet, is not looked at.
    Raises ``NoWorker`` where none takes it within 20 s, or has not finished it within two minutes;
    ``Refused`` where a worker refuses the input.
    """
    reading = Reading(
        "Plan",
        request,
        target=request.target,
        summary=request.summary[:200],
        result_type=ReleasePlan,
        memo=None if is_uploaded else {PENDING_UPLOAD_MEMO: True},
    )
    return await read_by_worker(client, reading, task_queue=task_queue)


@dataclass(frozen=True)
class Reading(Generic[_Result]):
    """A workflow that only reads: ``name`` with ``request``, about ``target``."""

    name: str
    request: object
    target: Target
    summary: str
    result_type: type[_Result]
    memo: dict[str, object] | None = None


async def read_by_worker(client: Client, reading: Reading[_Result], *, task_queue: str) -> _Result:
    """Have a worker read, and return what it found, with the errors of :func:`plan_release`."""
    await refuse_plain_text(client, reading.target)
    noun = reading.name.lower()
    with translate_errors():
        handle: WorkflowHandle[Any, _Result] = await client.start_workflow(
            reading.name,
            reading.request,
            id=generate_workflow_id(noun, reading.target),
            task_queue=task_queue,
            static_summary=reading.summary,
            memo=reading.memo,
            result_type=reading.result_type,
            execution_timeout=_TIMEOUT,
        )
        result = asyncio.ensure_future(handle.result())
        try:
            await asyncio.wait([result], timeout=WORKER_TIMEOUT.total_seconds())
            if not result.done() and not await _is_taken(handle):
                raise NoWorker(await _describe_silence(client, handle, task_queue, noun))
            return await result
        except WorkflowFailureError as error:
            if isinstance(error.cause, exceptions.TimeoutError):
                seconds = f"{_TIMEOUT.total_seconds():.0f} s"
                raise NoWorker(
                    f"no worker of task queue {task_queue} has finished the {noun} within "
                    f"{seconds}: its log says why (releases doctor {reading.target})"
                ) from error
            raise Refused(root_cause(error.cause)) from error
        finally:
            result.cancel()


async def _is_taken(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether a worker has answered its first task."""
    taken = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return any([event.event_type == taken async for event in handle.fetch_history_events()])


async def _describe_silence(
    client: Client, handle: WorkflowHandle[Any, Any], task_queue: str, noun: str
) -> str:
    """End a workflow that no worker has taken, and say what to do about it."""
    seconds = f"{WORKER_TIMEOUT.total_seconds():.0f} s"
    late = f"no worker of task queue {task_queue} has taken the {noun} within {seconds}"
    outages = await find_outages(client, task_queue)
    with contextlib.suppress(RPCError):  # it has ended just now
        await handle.terminate(reason=late)
    return "; ".join([late, *outages])
