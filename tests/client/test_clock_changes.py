"""Hours that do not exist, and hours that come twice."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from workflows.client.clock_changes import (
    describe_calendar_conflicts,
    describe_time_conflict,
    find_clock_changes,
)

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
AUTUMN = datetime(2026, 11, 28, tzinfo=UTC)


def at(hour: int, minute: int) -> object:
    return lambda moment: (moment.hour, moment.minute) == (hour, minute)


def test_changes_of_a_zone_are_its_two_hours_a_year() -> None:
    assert [
        (f"{change.start:%m-%d %H:%M}", f"{change.end:%m-%d %H:%M}", change.is_skipped)
        for change in find_clock_changes(BERLIN, AUTUMN)
    ] == [("03-28 02:00", "03-28 03:00", True), ("10-31 02:00", "10-31 03:00", False)]


def test_change_of_half_an_hour_is_found() -> None:
    [back, _] = find_clock_changes(LORD_HOWE, AUTUMN)
    assert (f"{back.start:%m-%d %H:%M}", f"{back.end:%H:%M}") == ("04-04 01:30", "02:00")


def test_zone_without_summer_time_has_no_changes() -> None:
    assert not list(find_clock_changes(ZoneInfo("UTC"), AUTUMN))


def test_daily_time_in_the_hour_of_a_change_is_described() -> None:
    gap, twice = describe_calendar_conflicts(BERLIN, AUTUMN, at(2, 30))  # type: ignore[arg-type]
    assert gap.startswith("2027-03-28 02:30 does not exist in Europe/Berlin")
    assert "nothing starts then" in gap
    assert twice.startswith("2027-10-31 02:30 comes twice in Europe/Berlin")
    assert "it starts twice" in twice


@pytest.mark.parametrize("minute", [0, 59])
def test_time_outside_of_that_hour_is_not_described(minute: int) -> None:
    hour = 3 if minute == 0 else 1
    assert not list(describe_calendar_conflicts(BERLIN, AUTUMN, at(hour, minute)))  # type: ignore[arg-type]


def test_schedule_by_the_hour_loses_and_doubles_nothing() -> None:
    assert not list(
        describe_calendar_conflicts(BERLIN, AUTUMN, lambda moment: moment.minute % 15 == 0)
    )


def test_single_time_that_does_not_exist_says_when_it_starts() -> None:
    conflict = describe_time_conflict(datetime(2027, 3, 28, 2, 30), BERLIN)  # noqa: DTZ001
    assert conflict is not None
    assert conflict.startswith("2027-03-28 02:30 does not exist in Europe/Berlin")
    assert conflict.endswith("it starts at 2027-03-28 03:30")


def test_single_time_that_comes_twice_names_the_other() -> None:
    conflict = describe_time_conflict(datetime(2027, 10, 31, 2, 30), BERLIN)  # noqa: DTZ001
    assert conflict is not None
    assert "comes twice" in conflict
    assert conflict.endswith("name the other as --at 2027-10-31T02:30+01:00")


def test_single_time_at_any_other_moment_is_one_moment() -> None:
    assert describe_time_conflict(datetime(2027, 3, 28, 3, 0), BERLIN) is None  # noqa: DTZ001
