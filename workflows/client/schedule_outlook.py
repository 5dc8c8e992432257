"""The outlook of a schedule: when it starts next, and which of its times are not what they seem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict
from temporalio.client import ScheduleCalendarSpec, ScheduleDescription, ScheduleRange

from workflows.client.clock_changes import describe_calendar_conflicts, describe_time_conflict
from workflows.client.schedule_times import ScheduleTimes

_SHOWN: Final = 3
_DAYS_OF_WEEK: Final = 7


class ScheduleOutlook(BaseModel):
    """The next three times of the schedule ``id``, and what a person should know about them.

    ``time_zone`` is the zone in which its times were given.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    time_zone: str = "UTC"
    next_at: tuple[datetime, ...] = ()
    warnings: tuple[str, ...] = ()


def describe_outlook(times: ScheduleTimes, made: ScheduleDescription) -> ScheduleOutlook:
    """Describe a schedule that was made of ``times``, as Temporal reads them."""
    next_at = tuple(made.info.next_action_times)[:_SHOWN]
    return ScheduleOutlook(
        id=made.id,
        time_zone=times.time_zone,
        next_at=next_at,
        warnings=tuple(_find_warnings(times, made)),
    )


def _find_warnings(times: ScheduleTimes, made: ScheduleDescription) -> Iterator[str]:
    if not made.info.next_action_times:
        given = ", ".join((*times.cron, *(one.cron for one in times.calendars)))
        yield (
            f"it never starts: no day has the time {given}; delete it with: "
            f"releases schedule delete {made.id}"
        )
        return
    if times.at is not None:
        conflict = None if times.at.tzinfo else describe_time_conflict(times.at, times.zone)
        yield from filter(None, [conflict])
        return
    spec = made.schedule.spec
    try:
        zone = ZoneInfo(spec.time_zone_name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):  # one in a cron expression, known to Temporal only
        return
    yield from describe_calendar_conflicts(
        zone, datetime.now(UTC), lambda minute: any(_is_due(one, minute) for one in spec.calendars)
    )


def _is_due(calendar: ScheduleCalendarSpec, minute: datetime) -> bool:
    parts = (
        (calendar.minute, minute.minute),
        (calendar.hour, minute.hour),
        (calendar.day_of_month, minute.day),
        (calendar.month, minute.month),
        (calendar.day_of_week, minute.isoweekday() % _DAYS_OF_WEEK),
    )
    in_year = not calendar.year or _is_in(calendar.year, minute.year)
    return in_year and all(_is_in(ranges, value) for ranges, value in parts)


def _is_in(ranges: Sequence[ScheduleRange], value: int) -> bool:
    return any(
        one.start <= value <= max(one.start, one.end)
        and (value - one.start) % max(one.step, 1) == 0
        for one in ranges
    )
