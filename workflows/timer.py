"""Waits of a release that a pause stops and a person may end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from temporalio import workflow

from workflows.call import raise_if_cancelled
from workflows.controls import Controls, ReleaseStopped
from workflows.domain.formatting import format_duration
from workflows.domain.status import Phase
from workflows.progress import Progress

SHORTEST: Final = timedelta(seconds=1)
"""Temporal's timers are no finer; a timer of less may fire at once."""

APPROVAL_SUMMARY: Final = "Wait for approval"
"""The summary of the timer that ends a release which nobody approves."""


class Timer:
    """Waits for time, for a condition, or for a person; reports ``ends_at`` meanwhile."""

    def __init__(self, controls: Controls, progress: Progress) -> None:
        """Wait as ``controls`` request, and report to ``progress``."""
        self._controls = controls
        self._progress = progress

    async def wait(
        self,
        duration: timedelta | None,
        *,
        summary: str,
        needs_approval: bool = False,
        until: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait for a duration (None: without limit) and return False once it is over.

        Returns True if ``until`` holds before, if the release is promoted or, where it
        ``needs_approval``, approved. A pause stops the clock: the rest is waited for after it.
        Raises :class:`~workflows.continuation.ContinueRun` where the history has become long.
        """
        controls, left, continuation = self._controls, duration, self._controls.continuation
        was_paused = False

        def ended_by_person() -> bool:
            return controls.promoted or (needs_approval and controls.approved)

        while left is None or left > timedelta(0):
            raise_if_cancelled()
            started = workflow.now()
            self._progress.report(ends_at=None if left is None else started + left)
            try:
                await workflow.wait_condition(
                    lambda: (
                        controls.paused or ended_by_person() or until() or continuation.is_due()
                    ),
                    timeout=left,
                    timeout_summary=_add_time_left(summary, left if was_paused else None),
                )
            except TimeoutError:
                left = timedelta(0)
            else:
                left = None if left is None else max(left - (workflow.now() - started), SHORTEST)
            self._progress.report(ends_at=None)
            if ended_by_person() or (until() and not controls.paused):
                return True
            was_paused = was_paused or controls.paused
            await controls.wait_while_paused()
            if left is None or left > timedelta(0):
                continuation.raise_if_due()
        return False

    async def wait_for_approval(
        self,
        reason: str,
        *,
        at_most: timedelta | None = None,
        left: timedelta | None = None,
        is_new: bool = True,
    ) -> None:
        """Wait until a person approves or promotes. Stops the release after ``at_most``.

        Where it is not new, another run of this release has waited already, so much is ``left`` of
        it, and a person may have approved before this run came to wait.
        """
        if is_new:
            self._controls.approved = False
            self._progress.report(Phase.AWAITING_APPROVAL, reason)
        if not await self.wait(left or at_most, summary=APPROVAL_SUMMARY, needs_approval=True):
            raise ReleaseStopped(f"nobody approved within {format_duration(at_most or SHORTEST)}")


def _add_time_left(summary: str, left: timedelta | None) -> str:
    return summary if left is None else f"{summary}: {format_duration(left)} left"
