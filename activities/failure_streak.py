"""Failures of an activity in a row: since when, and how many.

Temporal counts attempts. An attempt of a watch that saw nothing is one, too, so their number says
nothing about failures. The streak is kept in the activity's heartbeat details: they survive
attempts and workers, stand in the UI under the pending activity, and never reach the history.
Temporal takes them from an activity without a heartbeat timeout as well.
https://docs.temporal.io/encyclopedia/detecting-activity-failures#activity-heartbeat
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self, cast

from temporalio import activity

from activities.retry_budget import AT_ONCE

MIN_FAILURES: Final = 4
"""Fewer failures are not final, however far apart they are."""

_SINCE: Final = "failing_since"
_FAILURES: Final = "failures"
_LIMIT_SECONDS: Final = "limit_seconds"


@dataclass(frozen=True)
class FailureStreak:
    """Failures in a row that share a time limit."""

    since: datetime
    failures: int
    limit: timedelta

    @classmethod
    def from_details(cls, details: object) -> Self | None:
        """Parse heartbeat details; None where they hold no streak."""
        if not isinstance(details, Mapping):
            return None
        values = cast("Mapping[str, Any]", details)
        try:
            since = datetime.fromisoformat(values[_SINCE])
            limit = timedelta(seconds=float(values[_LIMIT_SECONDS]))
            return cls(since.astimezone(UTC), int(values[_FAILURES]), limit)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def to_details(self) -> dict[str, Any]:
        """Return this streak as heartbeat details."""
        return {
            _SINCE: self.since.isoformat(timespec="seconds"),
            _FAILURES: self.failures,
            _LIMIT_SECONDS: self.limit.total_seconds(),
        }


def extend_streak(limit: timedelta | None) -> timedelta:
    """Record a failure of the current attempt; return for how long it goes on.

    ``limit`` is that of the failure (:func:`~activities.errors.find_time_limit`). A failure with
    another limit begins a new streak: ten minutes without credentials say nothing about a
    permission that is denied after them. One without a limit ends the streak, as a quiet attempt
    does. Time is Temporal's: the start of each attempt. Zero outside of an activity, and for the
    first few failures: while no worker runs, time passes and nothing is attempted.
    """
    if not activity.in_activity():
        return AT_ONCE
    info = activity.info()
    details = info.heartbeat_details
    streak = FailureStreak.from_details(details[0]) if details else None
    if limit is None or limit == AT_ONCE:
        if streak is not None:
            activity.heartbeat()
        return AT_ONCE
    now = info.started_time
    if streak is None or streak.limit != limit:
        streak = FailureStreak(now, 0, limit)
    streak = FailureStreak(streak.since, streak.failures + 1, limit)
    activity.heartbeat(streak.to_details())
    return max(now - streak.since, AT_ONCE) if streak.failures >= MIN_FAILURES else AT_ONCE
