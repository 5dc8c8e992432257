"""How the workflows of a run ended, read from Temporal afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowContinuedAsNewError,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workflows.domain.status import ReleaseStatus

_T = TypeVar("_T")
_GONE = {RPCStatusCode.NOT_FOUND, RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.INVALID_ARGUMENT}


@dataclass(frozen=True)
class Ending:
    """How a workflow ended.

    Its status, or the type of its failure; ``Running`` if it did not.
    """

    workflow_id: str
    kind: str
    note: str
    started: float
    ended: float
    phase: str | None = None
    candidate: str | None = None
    run_id: str = ""


async def call_with_retries(work: Callable[[], Awaitable[_T]]) -> _T:
    """Call Temporal, with retries while it is down. Its refusals are raised."""
    while True:
        try:
            return await asyncio.wait_for(work(), 10)
        except RPCError as error:
            if error.status in _GONE or (
                error.status is RPCStatusCode.UNKNOWN and "already" in error.message
            ):
                raise
        except (RuntimeError, TimeoutError, RPCTimeoutOrCancelledError):
            pass
        await asyncio.sleep(0.3)


async def wait_until_ended(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until a workflow has ended, by a long poll, with retries while Temporal is down."""
    while True:
        try:
            await handle.result(follow_runs=False)
        except WorkflowFailureError:
            return
        except RPCError as error:
            if error.status in _GONE:
                raise
        except (RuntimeError, RPCTimeoutOrCancelledError):
            pass
        else:
            return
        await asyncio.sleep(0.3)


async def find_last_run(
    client: Client, first: WorkflowHandle[Any, Any]
) -> WorkflowHandle[Any, Any]:
    """Wait until a workflow has ended, over all runs in which it continued; return its last."""
    run = first
    while True:
        try:
            await wait_until_ended(run)
        except WorkflowContinuedAsNewError as error:
            run = client.get_workflow_handle(run.id, run_id=error.new_execution_run_id)
        else:
            return run


async def find_rollout(
    client: Client, outer: WorkflowHandle[Any, Any]
) -> WorkflowHandle[Any, Any] | None:
    """The ``Rollout`` that a ``Release`` or ``Rollback`` started, if any."""

    async def look() -> WorkflowHandle[Any, Any] | None:
        async for event in outer.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                child = event.child_workflow_execution_started_event_attributes.workflow_execution
                return client.get_workflow_handle(child.workflow_id, run_id=child.run_id)
        return None

    return await call_with_retries(look)


async def read_ending(client: Client, handle: WorkflowHandle[Any, Any]) -> Ending:
    """How a workflow ended, or what it waits for."""
    found: WorkflowExecutionDescription = await call_with_retries(handle.describe)
    kind, note, status = await _read_ending(client, handle, found)
    return Ending(
        workflow_id=found.id,
        run_id=found.run_id,
        kind=kind,
        note=note,
        started=found.start_time.timestamp(),
        ended=found.close_time.timestamp() if found.close_time else float("inf"),
        phase=status.phase.value if status else None,
        candidate=status.candidate if status else None,
    )


async def _read_ending(
    client: Client, handle: WorkflowHandle[Any, Any], found: WorkflowExecutionDescription
) -> tuple[str, str, ReleaseStatus | None]:
    match found.status:
        case WorkflowExecutionStatus.RUNNING | None:
            return "Running", await describe_pending(found), None
        case WorkflowExecutionStatus.COMPLETED:
            status: ReleaseStatus = await call_with_retries(
                lambda: client.get_workflow_handle(
                    found.id, run_id=found.run_id, result_type=ReleaseStatus
                ).result()
            )
            return "Completed", status.note, status
        case WorkflowExecutionStatus.FAILED:
            return await _failed(client, handle)
        case other:
            return other.name.capitalize(), "", None


async def _failed(
    client: Client, handle: WorkflowHandle[Any, Any]
) -> tuple[str, str, ReleaseStatus | None]:
    async def look() -> Any:
        return [event async for event in handle.fetch_history_events()][
            -1
        ].workflow_execution_failed_event_attributes.failure

    failure = await client.data_converter.decode_failure(await call_with_retries(look))
    if not isinstance(failure, ApplicationError):
        return type(failure).__name__, str(failure), None
    status = ReleaseStatus.model_validate(failure.details[0]) if failure.details else None
    return failure.type or "", failure.message, status


async def describe_pending(found: WorkflowExecutionDescription) -> str:
    """What a running workflow waits for."""
    raw = found.raw_description
    waits = [
        f"{each.activity_type.name} (attempt {each.attempt}: {each.last_failure.message[:200]})"
        for each in raw.pending_activities
    ]
    waits += [f"child {child.workflow_id}" for child in raw.pending_children]
    waits += ["a workflow task"] if raw.HasField("pending_workflow_task") else []
    return ", ".join(waits) or "nothing that Temporal knows of (a timer, or a person)"
