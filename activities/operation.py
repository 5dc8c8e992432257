"""How an AWS operation becomes a Temporal activity: the port it speaks through, and the terms it is carried out on.

An operation is a method of a resource class (:class:`OperationGroup`). ``@operation(WRITE)`` names the activity after the
method, gives it its terms (time-outs, retries, what a cancel does) and turns whatever goes wrong into a
:class:`~activities.errors.Fault`. The terms belong to the operation, never to the place that calls it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.workflow import ActivityCancellationType

from activities.errors import AwsError, Fault, to_activity_failure


class Aws(Protocol):
    """The one door to AWS, within one account and region."""

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one request, once, and return AWS's answer; ``service`` and ``operation`` as botocore's client methods spell them.

        Streams are read (bounded) to bytes. Raises :class:`~activities.errors.AwsError` and nothing else.
        """
        ...


@dataclass(frozen=True)
class OperationPolicy:
    """The terms on which an operation is carried out: time-outs, retries, and what a cancel does to it.

    ``heartbeat`` is for operations that may take long: how soon a dead worker is noticed. Short ones beat never, so it costs nothing.
    """

    start_to_close: timedelta
    retry: RetryPolicy
    cancellation: ActivityCancellationType
    heartbeat: timedelta | None = None


_PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
)

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=15)
"""How soon the death of a worker is noticed in the middle of something long."""

READ: Final = OperationPolicy(timedelta(seconds=15), _PATIENT, ActivityCancellationType.TRY_CANCEL)
"""Safe to repeat at any time. A cancel does not wait for it."""

WRITE: Final = OperationPolicy(
    timedelta(seconds=20), _PATIENT, ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
)
"""Changes something. Tried until AWS gave a clear answer; a cancel waits for that, so that no late write overtakes an undo."""

ONCE: Final = OperationPolicy(
    timedelta(seconds=915),
    RetryPolicy(maximum_attempts=1),
    ActivityCancellationType.TRY_CANCEL,
    HEARTBEAT_TIMEOUT,
)
"""Must not happen twice: sent once or not at all. Room for Lambda's longest function, 15 minutes; an undo does not wait for that."""

SETTLE: Final = OperationPolicy(
    timedelta(seconds=60), _PATIENT, ActivityCancellationType.TRY_CANCEL, HEARTBEAT_TIMEOUT
)
"""Looks until something has settled: about 20 s inside, then by a benign retry, which costs no history."""


class OperationGroup:
    """The operations of one resource, spoken through one port to AWS."""

    def __init__(self, aws: Aws) -> None:
        """Speak through ``aws``; groups share one port, so one HTTP connection pool and one rate limit."""
        self.aws = aws

    def activities(self) -> list[Callable[..., Coroutine[Any, Any, Any]]]:
        """Every operation of this group, ready to register with a worker."""
        return [
            getattr(self, name)
            for name, member in inspect.getmembers(type(self))
            if hasattr(member, _POLICY_ATTRIBUTE)
        ]


_POLICY_ATTRIBUTE = "__operation_policy__"
_Self = TypeVar("_Self", bound=OperationGroup)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def operation(
    profile: OperationPolicy,
) -> Callable[
    [Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]]],
    Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]],
]:
    """Make a method an activity of its own name, on these terms, whose every failure is a :class:`~activities.errors.Fault`."""

    def declare(
        method: Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]],
    ) -> Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]]:
        async def perform(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                async with asyncio.timeout(_within(profile)), _beating(profile.heartbeat):
                    return _held(method.__name__, await method(self, *args, **kwargs))
            except TimeoutError:
                error = AwsError(method.__name__, "ReadTimeoutError", "there was no answer in time")
                raise to_activity_failure(error, attempt=_attempt(), once=profile is ONCE) from None
            except AwsError as error:
                raise to_activity_failure(error, attempt=_attempt(), once=profile is ONCE) from None
            except (FailureError, asyncio.CancelledError):
                raise
            except Exception as bug:
                raise ApplicationError(
                    f"{method.__name__}: {_unforeseen(bug)}", type=Fault.BUG, non_retryable=True
                ) from bug

        functools.update_wrapper(perform, method)
        setattr(perform, _POLICY_ATTRIBUTE, profile)
        return activity.defn(name=method.__name__)(perform)

    return declare


MAX_RESULT_BYTES: Final = 2_000_000
"""Bytes of a result: Temporal refuses a little more than that, and would have it tried again for ever."""


def _held(name: str, answer: _R) -> _R:
    """An answer, if a history can hold it."""
    if isinstance(answer, BaseModel) and len(answer.model_dump_json(by_alias=True)) > MAX_RESULT_BYTES:
        raise AwsError(
            name,
            "ResponseTooLarge",
            f"it is done, and AWS's answer is larger than the {MAX_RESULT_BYTES} bytes that a history may hold",
        )
    return answer


def _unforeseen(bug: Exception) -> str:
    """What nobody foresaw, without any value: mostly an answer of another form than AWS describes."""
    if not isinstance(bug, ValidationError):
        return f"{type(bug).__name__}. {Fault.BUG.advice}"
    problems = bug.errors(include_url=False, include_input=False, include_context=False)[
        :_MOST_PROBLEMS
    ]
    told = "; ".join(
        f"{'.'.join(map(str, problem['loc']))[:100]}: {problem['msg'][:200]}"
        for problem in problems
    )
    return f"AWS's answer is not as AWS describes it: {told}. {Fault.BUG.advice}"


_MOST_PROBLEMS: Final = 3


def get_operation_policy(method: Callable[..., Any]) -> OperationPolicy:
    """The terms a method was declared with. A method that is no operation is a mistake of the caller's: ``AttributeError``."""
    profile: OperationPolicy = getattr(method, _POLICY_ATTRIBUTE)
    return profile


def is_retry() -> bool:
    """Whether this activity was attempted before, so that an earlier attempt may have done its work already.

    False outside of an activity: a plain call of the method is a first attempt.
    """
    return _attempt() > 1


@asynccontextmanager
async def _beating(noticed: timedelta | None) -> AsyncGenerator[None]:
    """Let Temporal know, three times within ``noticed``, that the worker is alive."""
    if noticed is None or not activity.in_activity():
        yield
        return
    beating = asyncio.create_task(_beat(noticed.total_seconds() / 3))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(every: float) -> None:
    while True:
        await asyncio.sleep(every)
        activity.heartbeat()


def _within(profile: OperationPolicy) -> float | None:
    """Seconds an attempt gives itself: a little less than Temporal gives it, so that it has ended before the next one begins."""
    return profile.start_to_close.total_seconds() - 1 if activity.in_activity() else None


def _attempt() -> int:
    return activity.info().attempt if activity.in_activity() else 1
