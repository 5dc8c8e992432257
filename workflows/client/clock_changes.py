"""Clock changes of a time zone: hours that do not exist, and hours that come twice.

Temporal gives them no special handling: a time that does not exist starts nothing on that day, and
one that comes twice starts twice. https://docs.temporal.io/schedule
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_HORIZON: Final = timedelta(days=400)
"""As far ahead as each zone with summer time has both of its changes."""

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One change: from ``start`` to ``end``, in local time, clocks skip or repeat."""

    start: datetime
    end: datetime
    is_skipped: bool

    def list_minutes(self) -> Iterator[datetime]:
        """Yield each minute that does not exist, or that comes twice."""
        minute = self.start
        while minute < self.end:
            yield minute
            minute += _MINUTE


def find_clock_changes(zone: ZoneInfo, after: datetime) -> Iterator[ClockChange]:
    """Yield the changes of the next thirteen months, in their order."""
    moment, until = after.astimezone(UTC).replace(minute=0, second=0, microsecond=0), _HORIZON
    for _ in range(until // _HOUR):
        before, then = _offset(zone, moment), _offset(zone, moment + _HOUR)
        if before != then:
            at = moment
            while _offset(zone, at) == before:
                at += _MINUTE
            edges = sorted(at.replace(tzinfo=None) + offset for offset in (before, then))
            yield ClockChange(edges[0], edges[1], is_skipped=then > before)
        moment += _HOUR


def describe_calendar_conflicts(
    zone: ZoneInfo, after: datetime, is_due: Callable[[datetime], bool]
) -> Iterator[str]:
    """Describe the next time that does not exist, and the next that comes twice.

    ``is_due`` says for a local time whether the schedule starts then. One that starts in the hours
    before and after as well loses and doubles nothing: it goes by the hour.
    """
    found = set[bool]()
    for change in find_clock_changes(zone, after):
        length = change.end - change.start
        conflict = next(
            (
                minute
                for minute in change.list_minutes()
                if is_due(minute) and not (is_due(minute - length) and is_due(minute + length))
            ),
            None,
        )
        if conflict and change.is_skipped not in found:
            found.add(change.is_skipped)
            yield _describe(conflict, change, zone)


def describe_time_conflict(at: datetime, zone: ZoneInfo) -> str | None:
    """Describe why a single local time without an offset is not one moment; None: it is one."""
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    moment = first.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) != at:
        return (
            f"{_format(at)} does not exist in {zone.key}, where clocks go forward then: it starts "
            f"at {_format(moment.astimezone(zone))}"
        )
    if first.utcoffset() != second.utcoffset():
        return (
            f"{_format(at)} comes twice in {zone.key}, where clocks go back then: it starts at the "
            f"first, {first.isoformat(timespec='minutes')}; name the other as "
            f"--at {second.isoformat(timespec='minutes')}"
        )
    return None


def _describe(minute: datetime, change: ClockChange, zone: ZoneInfo) -> str:
    if change.is_skipped:
        return (
            f"{_format(minute)} does not exist in {zone.key}, where clocks go forward from "
            f"{change.start:%H:%M} to {change.end:%H:%M}: nothing starts then; choose a time "
            "outside of that hour, or UTC"
        )
    return (
        f"{_format(minute)} comes twice in {zone.key}, where clocks go back from "
        f"{change.end:%H:%M} to {change.start:%H:%M}: it starts twice; choose a time outside of "
        "that hour, or UTC"
    )


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _format(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
