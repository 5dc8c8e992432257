"""AWS operations as Temporal activities: the AWS port and retry policies.

An operation is a method of a resource class (:class:`OperationGroup`). ``@operation(WRITE)`` names
the activity after the method, gives it a policy (timeouts, retries, what a cancel does) and turns
every error into a :class:`~activities.errors.Fault`. The policy belongs to the operation, never to
the call site.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.workflow import ActivityCancellationType

from activities.errors import AwsError, Fault, find_time_limit, to_activity_failure
from activities.failure_streak import extend_streak
from activities.retry_budget import READ_BUDGET, UNLIMITED_BUDGET, WRITE_BUDGET, RetryBudget

MAX_RESULT_BYTES: Final = 2_000_000
"""Temporal refuses a slightly larger result, and retries without limit.

The limit on payloads: https://docs.temporal.io/cloud/limits.
"""

_MAX_LISTED_PROBLEMS: Final = 3

_POLICY_ATTRIBUTE: Final = "__operation_policy__"


class Aws(Protocol):
    """The port to AWS, within one account and region."""

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one request, once, and return AWS's response.

        ``service`` and ``operation`` are spelled as botocore's client methods. Streams are read
        (bounded) to bytes. Raises :class:`~activities.errors.AwsError` and nothing else.
        """
        ...


class AwsWithDownloads(Aws, Protocol):
    """A port to AWS that also downloads packages from GetFunction's presigned URL."""

    async def download(self, url: str, *, limit: int) -> bytes:
        """Return the content of a URL, at most ``limit`` bytes.

        Raises :class:`~activities.errors.AwsError` and nothing else; the error does not hold the
        URL.
        """
        ...


@dataclass(frozen=True)
class OperationPolicy:
    """How an operation is run: timeouts, retries, and the effect of a cancel.

    ``start_to_close`` limits one attempt. ``heartbeat`` is for operations that may take long: the
    time within which a dead worker is detected. Short operations send no heartbeats. ``budget`` is
    how long failures in a row are retried.
    """

    start_to_close: timedelta
    retry: RetryPolicy
    cancellation: ActivityCancellationType
    heartbeat: timedelta | None = None
    budget: RetryBudget = READ_BUDGET


_RETRY_POLICY: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
)

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=15)
"""The time within which the death of a worker is detected during a long operation."""

READ: Final = OperationPolicy(
    timedelta(seconds=15), _RETRY_POLICY, ActivityCancellationType.TRY_CANCEL
)
"""Safe to repeat at any time. A cancel does not wait for it."""

WRITE: Final = OperationPolicy(
    timedelta(seconds=20),
    _RETRY_POLICY,
    ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    budget=WRITE_BUDGET,
)
"""Changes something: retried until AWS's response is clear.

A cancel waits for that, so that no late write overtakes an undo.
"""

ONCE: Final = OperationPolicy(
    timedelta(seconds=915),
    RetryPolicy(maximum_attempts=1),
    ActivityCancellationType.TRY_CANCEL,
    HEARTBEAT_TIMEOUT,
)
"""Must not happen twice: sent once or not at all.

The timeout covers Lambda's longest function (15 minutes). An undo does not wait for it.
"""

SETTLE: Final = OperationPolicy(
    timedelta(seconds=60),
    _RETRY_POLICY,
    ActivityCancellationType.TRY_CANCEL,
    HEARTBEAT_TIMEOUT,
    WRITE_BUDGET,
)
"""Polls until a resource has settled.

One attempt polls for about 20 s. Then a benign retry follows, which adds no event to the history.
"""


class OperationGroup:
    """The operations of one resource, over one port to AWS.

    Groups share a port, and with it one HTTP connection pool and one rate limit.
    """

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def list_activities(self) -> list[Callable[..., Coroutine[Any, Any, Any]]]:
        """Return every operation of this group, ready to register with a worker."""
        return [
            getattr(self, name)
            for name, member in inspect.getmembers(type(self))
            if hasattr(member, _POLICY_ATTRIBUTE)
        ]


_Self = TypeVar("_Self", bound=OperationGroup)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def operation(
    policy: OperationPolicy,
) -> Callable[
    [Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]]],
    Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]],
]:
    """Make a method an activity of the same name, with this policy.

    Every failure of it is an ``ApplicationError`` of a :class:`~activities.errors.Fault`. An error
    that is not an :class:`~activities.errors.AwsError` is a ``Bug`` and is not retried.
    """

    def decorate(
        method: Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]],
    ) -> Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]]:
        name = method.__name__

        async def run(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                async with (
                    asyncio.timeout(_attempt_timeout_seconds(policy)),
                    _heartbeat(policy.heartbeat),
                ):
                    result = await method(self, *args, **kwargs)
                    _refuse_large_result(name, result)
                    return result
            except TimeoutError:
                late = AwsError(name, "ReadTimeoutError", "there was no response in time")
                raise _fail(late, policy) from None
            except AwsError as error:
                raise _fail(error, policy) from None
            except (FailureError, asyncio.CancelledError):
                raise
            except Exception as bug:
                raise ApplicationError(
                    f"{name}: {_describe_bug(bug)}", type=Fault.BUG, non_retryable=True
                ) from bug

        functools.update_wrapper(run, method)
        setattr(run, _POLICY_ATTRIBUTE, policy)
        return activity.defn(name=name)(run)

    return decorate


def _fail(error: AwsError, policy: OperationPolicy) -> ApplicationError:
    """Return the failure of this attempt, after recording it in the streak of failures."""
    budget = UNLIMITED_BUDGET if _is_limited_by_caller() else policy.budget
    return to_activity_failure(
        error,
        attempt=current_attempt(),
        once=policy is ONCE,
        failing_for=extend_streak(find_time_limit(error, budget)),
        budget=budget,
    )


def _is_limited_by_caller() -> bool:
    """Whether the workflow limits the attempts, and so decides itself how long it is patient."""
    retry = activity.info().retry_policy if activity.in_activity() else None
    return retry is not None and retry.maximum_attempts > 0


def _refuse_large_result(name: str, result: object) -> None:
    if (
        isinstance(result, BaseModel)
        and len(result.model_dump_json(by_alias=True)) > MAX_RESULT_BYTES
    ):
        raise AwsError(
            name,
            "ResponseTooLarge",
            "the operation is done, but AWS's response is larger than the"
            f" {MAX_RESULT_BYTES} bytes that a history may hold",
        )


def _describe_bug(bug: Exception) -> str:
    """Return an unexpected error without any value of it.

    Mostly it is a response that no model accepts.
    """
    if not isinstance(bug, ValidationError):
        return f"{type(bug).__name__}. {Fault.BUG.advice}"
    problems = bug.errors(include_url=False, include_input=False, include_context=False)
    listed = "; ".join(
        f"{'.'.join(map(str, problem['loc']))[:100]}: {problem['msg'][:200]}"
        for problem in problems[:_MAX_LISTED_PROBLEMS]
    )
    return f"AWS's answer is not as AWS describes it: {listed}. {Fault.BUG.advice}"


def get_operation_policy(method: Callable[..., Any]) -> OperationPolicy:
    """Return the policy of an operation; ``AttributeError`` for another method."""
    policy: OperationPolicy = getattr(method, _POLICY_ATTRIBUTE)
    return policy


def is_retry() -> bool:
    """Whether this activity was attempted before: it may have succeeded already.

    False outside of an activity: a plain call of the method is a first attempt.
    """
    return current_attempt() > 1


@asynccontextmanager
async def _heartbeat(within: timedelta | None) -> AsyncGenerator[None]:
    """Send three heartbeats to Temporal in each period of ``within``, if any."""
    if within is None or not activity.in_activity():
        yield
        return
    details = activity.info().heartbeat_details
    heartbeats = asyncio.create_task(_send_heartbeats(within.total_seconds() / 3, details))
    try:
        yield
    finally:
        heartbeats.cancel()


async def _send_heartbeats(interval_seconds: float, details: Sequence[Any]) -> None:
    """Send heartbeats with the details of the last attempt: its streak of failures, if any."""
    while True:
        await asyncio.sleep(interval_seconds)
        activity.heartbeat(*details)


def _attempt_timeout_seconds(policy: OperationPolicy) -> float | None:
    """Return a second less than Temporal's own timeout; None outside of an activity.

    So an attempt has ended before the next one begins. Temporal's timeout does not stop the code of
    an attempt: without this limit a late request could overlap with the next attempt.
    https://docs.temporal.io/encyclopedia/detecting-activity-failures#start-to-close-timeout
    """
    return policy.start_to_close.total_seconds() - 1 if activity.in_activity() else None


def current_attempt() -> int:
    """Return the number of this attempt, from 1; 1 outside of an activity."""
    return activity.info().attempt if activity.in_activity() else 1
