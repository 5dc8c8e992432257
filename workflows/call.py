"""Calls AWS operations from a workflow: one activity each, on the operation's own policy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from activities.errors import Fault
from activities.limits.priority import HIGHEST_PRIORITY_KEY
from activities.operation import get_operation_policy

_Group = TypeVar("_Group")
_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")
_Result = TypeVar("_Result")

HIGHEST_PRIORITY: Final = Priority(priority_key=HIGHEST_PRIORITY_KEY)
"""The priority of rollbacks: before everything else that waits."""

_CAUSE_LENGTH: Final = 1000


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How urgent a call is, and how it is retried; ``retry`` None: by its operation's policy.

    Where ``retry`` limits the attempts, the caller decides what happens after them: the activity
    then gives up for no fault that passes.
    """

    priority: Priority = Priority.default
    retry: RetryPolicy | None = None


DEFAULT_OPTIONS: Final = CallOptions()


async def call(
    operation: Callable[[_Group, _Request], Coroutine[Any, Any, _Answer]],
    request: _Request,
    *,
    summary: str,
    options: CallOptions = DEFAULT_OPTIONS,
) -> _Answer:
    """Carry out an operation and return AWS's answer; ``summary`` is its line in the timeline.

    A cancel that arrived while an earlier write was waited for takes effect here, before anything
    new begins. Raises ``ActivityError``; :func:`fault_of` returns its kind.
    """
    raise_if_cancelled()
    policy = get_operation_policy(operation)
    return await workflow.execute_activity_method(
        operation,
        request,
        start_to_close_timeout=policy.start_to_close,
        heartbeat_timeout=policy.heartbeat,
        retry_policy=options.retry or policy.retry,
        cancellation_type=policy.cancellation,
        summary=summary,
        priority=options.priority,
    )


def raise_if_cancelled() -> None:
    """Raise ``CancelledError`` if the current task was cancelled while it waited for a write.

    An activity with WAIT_CANCELLATION_COMPLETED that completes all the same swallows the cancel.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def fault_of(error: ActivityError) -> Fault:
    """Return the kind of failure. A timeout, or a failure that is not ours, is ``Unknown``."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type in set(Fault):
        return Fault(cause.type)
    return Fault.UNKNOWN


def code_of(error: ActivityError) -> str:
    """Return AWS's code for a failure; empty where it has none."""
    cause = error.cause
    details = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    if not isinstance(details, Mapping):
        return ""
    return str(cast("Mapping[str, object]", details).get("code", ""))


def root_cause(error: BaseException) -> str:
    """Return what went wrong as one line: the innermost cause, at most 1,000 characters."""
    while isinstance(error, ActivityError) and error.cause is not None:
        error = error.cause
    text = error.message if isinstance(error, ApplicationError) else str(error)
    text = text or type(error).__name__
    return text.splitlines()[0][:_CAUSE_LENGTH].rstrip(".")


async def shield_from_cancel(work: Awaitable[_Result]) -> _Result:
    """Finish ``work`` whatever cancels arrive meanwhile, and return its result."""
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


async def end_task(task: asyncio.Future[Any]) -> BaseException | None:
    """Cancel a task unless it is done, wait for it, and return the error it ended with, if any."""
    task.cancel()
    try:
        await workflow.wait([task])
        task.result()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all are handled alike
        return error
    return None
