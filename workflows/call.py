"""How a workflow asks for an AWS operation: one activity a call, on the operation's own terms, with a line for the timeline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError

from activities.errors import Fault
from activities.limits.priority import HIGHEST_PRIORITY_KEY
from activities.operation import get_operation_policy

_Group = TypeVar("_Group")
_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")
_Result = TypeVar("_Result")

HIGHEST_PRIORITY = Priority(priority_key=HIGHEST_PRIORITY_KEY)
"""Before everything else that waits: what restores service."""


async def call(
    operation: Callable[[_Group, _Request], Coroutine[Any, Any, _Answer]],
    request: _Request,
    *,
    summary: str,
    priority: Priority = Priority.default,
) -> _Answer:
    """Carry out an operation and return AWS's answer; ``summary`` is its line in the timeline.

    A cancel that came while an earlier write had to be waited for takes effect here, before anything new is begun.
    Raises ``ActivityError``; :func:`fault_of` tells which kind.
    """
    raise_if_cancelled()
    profile = get_operation_policy(operation)
    return await workflow.execute_activity_method(
        operation,
        request,
        start_to_close_timeout=profile.start_to_close,
        heartbeat_timeout=profile.heartbeat,
        retry_policy=profile.retry,
        cancellation_type=profile.cancellation,
        summary=summary,
        priority=priority,
    )


def raise_if_cancelled() -> None:
    """Raise ``CancelledError`` if the current task was cancelled while it waited for a write, which swallows the cancel."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def fault_of(error: ActivityError) -> Fault:
    """Which kind of failure ended an operation. A time-out, or a failure that is not ours, is ``Unknown``."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type in set(Fault):
        return Fault(cause.type)
    return Fault.UNKNOWN


def root_cause(error: BaseException) -> str:
    """What went wrong, as one line for people: the innermost cause in its own words."""
    while isinstance(error, ActivityError) and error.cause is not None:
        error = error.cause
    text = (
        error.message if isinstance(error, ApplicationError) else str(error) or type(error).__name__
    )
    return text.splitlines()[0][:1000].rstrip(".") if text else type(error).__name__


async def shield_from_cancel(work: Awaitable[_Result]) -> _Result:
    """Finish ``work`` whatever cancels arrive meanwhile, and return what it returns."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
        except Exception:  # noqa: BLE001 - raised again below, by task.result()
            break
    return task.result()
