"""Waits for AWS that a person can see: what is waited for, and how long it has taken so far.

An activity that waits is retried by Temporal and adds no event. So after every minute of attempts
it is given up and called again: that adds three events, and in between the release can report.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, RetryState

from activities.errors import Fault
from activities.operation import SETTLE
from workflows.call import DEFAULT_OPTIONS, CallOptions, fault_of, root_cause
from workflows.domain.formatting import format_duration

Report = Callable[[str], None]
"""Takes a note for people."""

_ATTEMPTS: Final = (3, 3, 3, 3, 3, 15)
"""The attempts of each round: an attempt polls for about 20 s. The last is that of all others."""

_Result = TypeVar("_Result")


async def wait_visibly(
    attempt: Callable[[CallOptions], Awaitable[_Result]],
    *,
    what: str,
    report: Report,
    longest: timedelta | None = None,
) -> _Result:
    """Wait for an activity of :data:`~activities.operation.SETTLE`; return its result.

    ``report`` is called with a note once a minute, later on every five. What is not settled after
    ``longest`` raises the activity's ``NotReady``.
    """
    begun, rounds = workflow.now(), 0
    options = _limit_attempts(rounds)
    while True:
        try:
            return await attempt(options)
        except ActivityError as error:
            if error.retry_state is not RetryState.MAXIMUM_ATTEMPTS_REACHED:
                raise
            if fault_of(error) is not Fault.NOT_READY:
                options = DEFAULT_OPTIONS
                continue
            waited = workflow.now() - begun
            if longest is not None and waited >= longest:
                raise
            report(f"{_describe(what, error)}, {format_duration(waited)} so far")
            rounds += 1
            options = _limit_attempts(rounds)


def _limit_attempts(rounds: int) -> CallOptions:
    attempts = _ATTEMPTS[min(rounds, len(_ATTEMPTS) - 1)]
    return CallOptions(retry=replace(SETTLE.retry, maximum_attempts=attempts))


def _describe(what: str, error: ActivityError) -> str:
    """Say what is waited for: ``version 3 is Pending: Creating``."""
    text = root_cause(error).partition(": ")[2].partition(" (InProgress)")[0]
    state = text.removeprefix("State is ")
    return f"{what} is {state}" if state != text else f"{what}: {text}"
