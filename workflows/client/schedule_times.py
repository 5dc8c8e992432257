"""The times of a schedule: cron expressions, calendars, or one point in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from temporalio.client import ScheduleSpec

from workflows.domain.inputs import Duration, Input
from workflows.domain.suggestion import ask_whether_meant


class Calendar(Input):
    """Times by the calendar, as in ``temporal schedule create --calendar``.

    For example ``{"dayOfWeek": "Mon-Fri", "hour": "9"}``. Each value is a number, a range, a list
    or ``*``, as in cron. Defaults: 0 for second, minute and hour; every day, month and year.
    """

    model_config = ConfigDict(alias_generator=to_camel, coerce_numbers_to_str=True)

    second: str = "0"
    minute: str = "0"
    hour: str = "0"
    day_of_month: str = "*"
    month: str = "*"
    day_of_week: str = "*"
    year: str = "*"

    @property
    def cron(self) -> str:
        """The same as a cron expression of Temporal's, which has seven fields."""
        fields = (
            self.second,
            self.minute,
            self.hour,
            self.day_of_month,
            self.month,
            self.day_of_week,
            self.year,
        )
        return " ".join(field.replace(" ", "") for field in fields)


class ScheduleTimes(Input):
    """When to release: by cron expressions, by calendars, or once.

    Exactly one kind is given. ``at`` without an offset is in ``time_zone``, UTC by default.
    ``jitter`` delays each release by a random time up to its length. ``catch_up`` is how late a
    missed release may still start.
    """

    cron: tuple[str, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    at: datetime | None = None
    time_zone: str = "UTC"
    jitter: Duration | None = None
    catch_up: Duration = timedelta(minutes=10)

    @model_validator(mode="after")
    def _check_kind_and_zone(self) -> Self:
        if [bool(self.cron), bool(self.calendars), self.at is not None].count(True) != 1:
            raise ValueError(
                "cron: give a cron expression, a calendar or a time (at): exactly one kind"
            )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            question = ask_whether_meant(self.time_zone, available_timezones())
            raise ValueError(
                f"time_zone: there is no such time zone{question or ', such as Europe/Berlin'}"
            ) from None
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the times."""
        return ZoneInfo(self.time_zone)

    @property
    def once_at(self) -> datetime | None:
        """The single time, in UTC; None for repeated ones."""
        if self.at is None:
            return None
        local = self.at if self.at.tzinfo else self.at.replace(tzinfo=self.zone)
        return local.astimezone(UTC)

    @property
    def spec(self) -> ScheduleSpec:
        """The same as Temporal's schedule spec."""
        if once := self.once_at:
            return ScheduleSpec(
                cron_expressions=[f"{once:%S %M %H %d %m} * {once:%Y}"],
                jitter=self.jitter,
                time_zone_name="UTC",
            )
        crons = [*self.cron, *(calendar.cron for calendar in self.calendars)]
        return ScheduleSpec(
            cron_expressions=crons, jitter=self.jitter, time_zone_name=self.time_zone
        )
