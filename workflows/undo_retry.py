"""The retries of an undo: without end, for every fault that passes, until a person gives up.

An undo must not end because credentials expired, a permission was missing, or a network was away:
the alias would stay where it is, and nobody would try again. Each round of attempts is longer than
the one before, so that weeks of retries fit into a history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from itertools import chain, repeat
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.errors import Fault
from workflows.call import HIGHEST_PRIORITY, CallOptions, fault_of, root_cause

REFUSALS: Final = frozenset(
    {Fault.STALE, Fault.EXISTS, Fault.NOT_FOUND, Fault.INVALID, Fault.EXHAUSTED, Fault.BUG}
)
"""Faults that no time mends."""

ALIAS_REFUSALS: Final = frozenset({Fault.STALE, Fault.NOT_FOUND})
"""Faults for which an alias is not put back: it was changed, or stable is gone."""

_MAX_INTERVAL: Final = timedelta(seconds=30)
_ATTEMPTS_PER_ROUND: Final = (5, 20)
_ATTEMPTS_PER_LATER_ROUND: Final = 120

_Result = TypeVar("_Result")


class GivenUp(Exception):
    """A person gave up an undo that did not succeed; the text is why it did not."""


class UndoRetry:
    """Carries out the calls of one undo until they succeed."""

    def __init__(
        self,
        report: Callable[[str], None],
        given_up: Callable[[], str | None],
        before_retry: Callable[[], None] = lambda: None,
    ) -> None:
        """``report`` is called with the cause after each round without success.

        ``given_up`` returns who has given up the undo, and why; None as long as nobody has.
        ``before_retry`` is called before each further round; what it raises is raised.
        """
        self._before_retry = before_retry
        self._report = report
        self._given_up = given_up
        self._cause = ""

    async def run(
        self,
        action: Callable[[CallOptions], Awaitable[_Result]],
        *,
        refusals: frozenset[Fault] = REFUSALS,
        is_needed: bool = True,
    ) -> _Result:
        """Carry out an action, again and again for every fault that is not one of ``refusals``.

        An action that is not needed is carried out in one round only. Raises ``ActivityError`` for
        a refusal, and where an action that is not needed failed, and :class:`GivenUp` where a
        person gave up.
        """
        self._cause = "it was still being attempted"
        for options in _iterate_rounds():
            started = workflow.now()
            try:
                return await self._until_given_up(action(options))
            except ActivityError as error:
                if fault_of(error) in refusals or not is_needed:
                    raise
                if not workflow.patched("undo-until-it-succeeds"):
                    raise
                self._cause = root_cause(error)
            if not self._given_up():
                self._report(self._cause)
                await self._pause(_MAX_INTERVAL - (workflow.now() - started))
            if self._given_up():
                raise self._end()
            self._before_retry()
        raise AssertionError("rounds have no end")

    async def _until_given_up(self, action: Awaitable[_Result]) -> _Result:
        """Await an action; cancel it as soon as a person gives up, unless one has already."""
        task = asyncio.ensure_future(action)
        if not self._given_up():
            await workflow.wait_condition(lambda: task.done() or bool(self._given_up()))
            if not task.done():
                task.cancel()
        try:
            return await task
        except (ActivityError, asyncio.CancelledError) as error:
            if is_cancelled_exception(error):
                raise self._end() from None
            raise

    def _end(self) -> GivenUp:
        return GivenUp(f"{self._cause} ({self._given_up()})")

    async def _pause(self, left: timedelta) -> None:
        """Wait for the rest of an interval: a permanent failure takes no time of its own."""
        if left <= timedelta(seconds=1):
            return
        try:
            await workflow.wait_condition(
                lambda: bool(self._given_up()),
                timeout=left,
                timeout_summary="Until the undo is tried again",
            )
        except TimeoutError:
            return


def _iterate_rounds() -> Iterator[CallOptions]:
    """Yield the options of each round: attempts after 1, 2, 4, 8 s, later every 30 s."""
    for number, attempts in enumerate(
        chain(_ATTEMPTS_PER_ROUND, repeat(_ATTEMPTS_PER_LATER_ROUND))
    ):
        first = timedelta(seconds=1) if number == 0 else _MAX_INTERVAL
        retry = RetryPolicy(
            initial_interval=first, maximum_interval=_MAX_INTERVAL, maximum_attempts=attempts
        )
        yield CallOptions(HIGHEST_PRIORITY, retry)
