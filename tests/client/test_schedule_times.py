"""The times of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from workflows.client.schedule_times import ScheduleTimes


def test_calendar_has_the_keys_of_temporals_own_command_line() -> None:
    times = ScheduleTimes.model_validate(
        {"calendars": [{"dayOfWeek": "Mon-Fri", "hour": "9", "minute": 30}]}
    )
    assert times.spec.cron_expressions == ["0 30 9 * * Mon-Fri *"]


def test_single_time_is_in_the_time_zone_unless_it_has_an_offset() -> None:
    there = ScheduleTimes.model_validate({"at": "2026-12-01T17:00", "time_zone": "Europe/Berlin"})
    assert there.once_at == datetime(2026, 12, 1, 16, tzinfo=UTC)
    assert there.spec.cron_expressions == ["00 00 16 01 12 * 2026"]
    assert ScheduleTimes.model_validate({"at": "2026-12-01T17:00"}).once_at == datetime(
        2026, 12, 1, 17, tzinfo=UTC
    )
    offset = ScheduleTimes.model_validate(
        {"at": "2026-12-01T17:00-05:00", "time_zone": "Europe/Berlin"}
    )
    assert offset.once_at == datetime(2026, 12, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ({}, "exactly one kind"),
        ({"cron": ["* * * * *"], "at": "2026-12-01T17:00"}, "exactly one kind"),
        ({"cron": ["* * * * *"], "time_zone": "Mars/Phobos"}, "there is no such time zone"),
        ({"cron": ["* * * * *"], "jitter": "5"}, "not a duration"),
        ({"cron": ["* * * * *"], "jitter": "P5M"}, r"did you mean PT5M\?"),
        ({"calendars": [{"hours": "9"}]}, "calendars.0.hours"),
        ({"at": "tomorrow"}, "valid datetime"),
    ],
)
def test_times_that_make_no_sense_are_invalid(times: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ScheduleTimes.model_validate(times)
