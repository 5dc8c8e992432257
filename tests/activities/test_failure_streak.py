"""The streak of failures in an activity's heartbeat details."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.failure_streak import MIN_FAILURES, FailureStreak, extend_streak
from activities.retry_budget import AT_ONCE

BEGIN = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=10)


class Attempts:
    """Attempts of one activity: each gets the details of the last heartbeat, as from Temporal."""

    def __init__(self) -> None:
        self.details: tuple[Any, ...] = ()
        self.heartbeats = 0

    def fail(self, limit: timedelta | None, *, at: float) -> timedelta:
        """Fail so many seconds after the begin; return for how long that goes on."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            started_time=BEGIN + timedelta(seconds=at),
            heartbeat_details=self.details,
        )
        environment.on_heartbeat = self._keep
        return environment.run(extend_streak, limit)

    def _keep(self, *details: Any) -> None:
        self.details = details
        self.heartbeats += 1


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


def test_failures_in_a_row_add_up_from_the_first(attempts: Attempts) -> None:
    found = [attempts.fail(LIMIT, at=seconds).total_seconds() for seconds in (0, 10, 20, 30, 700)]
    assert found == [0, 0, 0, 30, 700]
    assert attempts.details == (
        {"failing_since": "2026-11-27T10:00:00+00:00", "failures": 5, "limit_seconds": 600.0},
    )


def test_failures_hours_apart_are_not_final_while_they_are_few(attempts: Attempts) -> None:
    # No worker ran in between.
    found = [attempts.fail(LIMIT, at=3600 * number) for number in range(MIN_FAILURES)]
    assert found[:-1] == [AT_ONCE] * (MIN_FAILURES - 1)
    assert found[-1] > LIMIT


@pytest.mark.parametrize("other", [timedelta(seconds=30), timedelta(seconds=7)])
def test_failure_with_another_limit_begins_anew(attempts: Attempts, other: timedelta) -> None:
    for seconds in range(0, 60, 10):
        attempts.fail(LIMIT, at=seconds)
    assert attempts.fail(other, at=500) == AT_ONCE
    assert attempts.details[0]["failures"] == 1


@pytest.mark.parametrize("end", [None, AT_ONCE])
def test_failure_without_a_limit_ends_the_streak(attempts: Attempts, end: timedelta | None) -> None:
    attempts.fail(LIMIT, at=0)
    assert attempts.fail(end, at=10) == AT_ONCE
    assert attempts.details == ()


def test_quiet_attempt_without_a_streak_sends_no_heartbeat(attempts: Attempts) -> None:
    for seconds in range(0, 100, 10):
        attempts.fail(None, at=seconds)
    assert attempts.heartbeats == 0


@pytest.mark.parametrize(
    "details",
    [
        ("x",),
        ({},),
        (None,),
        ({"failing_since": "yesterday", "failures": 3, "limit_seconds": 600},),
        ({"failing_since": 5, "failures": 3, "limit_seconds": 600},),
        ({"failing_since": "2026-11-27T10:00:00+00:00", "failures": 3, "limit_seconds": "1e999"},),
    ],
)
def test_details_of_another_form_are_no_streak(attempts: Attempts, details: Any) -> None:
    attempts.details = details
    assert FailureStreak.from_details(details[0]) is None
    assert attempts.fail(LIMIT, at=0) == AT_ONCE
    assert attempts.details[0]["failures"] == 1


def test_failure_outside_of_an_activity_is_the_first() -> None:
    assert extend_streak(LIMIT) == AT_ONCE
