"""When a run continues as a new one: its history has become long.

Temporal ends a run at 51,200 events, and refuses updates after 2,000 of them. A worker that starts
replays every event before it hears an update. So a release has a new run long before, with what it
knows as input (:mod:`workflows.carried_state`). It continues where it waits, and only there: no
request to AWS that changes anything is under way then.
"""

from __future__ import annotations

from collections.abc import Callable

from temporalio import workflow

MAX_EVENTS = 2_000
"""The events after which a run continues at its next wait. A worker replays so many in 2 s.

A release in flight depends on it: another number needs another patch."""


class ContinueRun(Exception):
    """The release goes on in a new run, from the wait in which this is raised."""


class Continuation:
    """Decides whether a run continues as a new one."""

    def __init__(self) -> None:
        """Begin with a history that may grow."""
        self._longest = MAX_EVENTS
        self._may_be_large = True
        self._is_due = False
        self._is_possible: Callable[[], bool] = lambda: True

    def limit_to(self, is_possible: Callable[[], bool]) -> None:
        """Let runs continue only where this returns true, once the history has become long."""
        self._is_possible = is_possible

    def is_due(self) -> bool:
        """Whether the history has become long. A wait ends on it, with :meth:`raise_if_due`.

        A run of before, which went on at this length, is long again a thousand events later.
        """
        if not self._is_due:
            self._is_due = self._is_long() or self._is_large()
        return self._is_due

    def raise_if_due(self) -> None:
        """Raise :class:`ContinueRun` if the history has become long."""
        if self.is_due():
            raise ContinueRun

    def _is_long(self) -> bool:
        if workflow.info().get_current_history_length() < self._longest:
            return False
        patch = f"continues-as-new-after-{self._longest}"
        self._longest += 1_000
        return self._is_possible() and workflow.patched(patch)

    def _is_large(self) -> bool:
        """Whether Temporal suggests to continue: for the size of the history, or its updates."""
        if not self._may_be_large or not workflow.info().is_continue_as_new_suggested():
            return False
        self._may_be_large = False
        return self._is_possible() and workflow.patched("continues-as-new-when-suggested")
