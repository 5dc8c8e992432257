"""The history of alarms: what happened while no look could see it."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.cloudwatch.alarms import Alarms, DescribeAlarmsRequest
from activities.errors import AwsError
from tests.activities.scripted_aws import Answer, ScriptedAws

SINCE = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BEFORE, AFTER = SINCE - timedelta(hours=1), SINCE + timedelta(minutes=2)
AWAY = AwsError("describe_alarms", "InternalFailure", "away", status=500)
DENIED = AwsError("describe_alarm_history", "AccessDenied", "not yours", status=403)
THROTTLED = AwsError("describe_alarm_history", "Throttling", "Rate exceeded", status=400)


def look(state: str, changed: datetime, *, updated: datetime | None = None) -> dict[str, Any]:
    times = {"StateUpdatedTimestamp": updated or changed, "StateTransitionedTimestamp": changed}
    return {"MetricAlarms": [{"AlarmName": "errors", "StateValue": state, **times}]}


def history(*changes: tuple[str, str]) -> dict[str, Any]:
    return {
        "AlarmHistoryItems": [
            {
                "AlarmName": "errors",
                "Timestamp": AFTER,
                "HistorySummary": f"Alarm updated from {old} to {new}",
                "HistoryData": json.dumps(
                    {"oldState": {"stateValue": old}, "newState": {"stateValue": new}}
                ),
            }
            for old, new in changes
        ]
    }


RED = history(("ALARM", "OK"), ("OK", "ALARM"))
BLINK = history(("INSUFFICIENT_DATA", "OK"), ("OK", "INSUFFICIENT_DATA"))


def account(*looks: Answer, told: Answer | list[Answer]) -> ScriptedAws:
    return ScriptedAws(describe_alarms=list(looks), describe_alarm_history=told)


async def look_through(port: ScriptedAws, looks: int) -> list[datetime | None]:
    """Look so often; return when the alarm went off unseen, for each look that had an answer."""
    alarms, seen = Alarms(port), list[datetime | None]()
    for _ in range(looks):
        request = DescribeAlarmsRequest(alarm_names=["errors"], since=SINCE)
        with contextlib.suppress(ApplicationError):
            seen.append((await alarms.describe_alarms(request)).alarms[0].went_off_at)
    return seen


async def test_alarm_that_was_red_between_failed_looks_is_found_and_stays_found() -> None:
    port = account(
        look("OK", BEFORE), AWAY, AWAY, look("OK", AFTER), AWAY, look("OK", AFTER), told=RED
    )
    assert await look_through(port, 6) == [None, AFTER, AFTER]
    assert port.last("describe_alarm_history") == {
        "AlarmName": "errors",
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
        "HistoryItemType": "StateUpdate",
        "StartDate": SINCE,
        "ScanBy": "TimestampDescending",
        "MaxRecords": 100,
    }


async def test_alarm_that_only_had_no_data_between_failed_looks_is_quiet() -> None:
    port = account(look("OK", BEFORE), AWAY, look("OK", AFTER), told=BLINK)
    assert await look_through(port, 3) == [None, None]


async def test_history_is_not_read_between_looks_that_succeed() -> None:
    port = account(look("INSUFFICIENT_DATA", BEFORE), look("OK", AFTER), told=RED)
    assert await look_through(port, 3) == [None, None, None]
    assert port.times("describe_alarm_history") == 0


async def test_history_is_not_read_where_nothing_changed() -> None:
    port = account(look("OK", BEFORE), AWAY, look("OK", BEFORE, updated=AFTER), told=RED)
    assert await look_through(port, 3) == [None, None]
    assert port.times("describe_alarm_history") == 0


async def test_first_look_reads_the_history_of_an_alarm_that_changed_since() -> None:
    assert await look_through(account(look("OK", AFTER), told=RED), 1) == [AFTER]


@pytest.mark.parametrize("told", [DENIED, history()])
@pytest.mark.parametrize(
    ("before", "after", "went_off"),
    [("OK", "OK", AFTER), ("INSUFFICIENT_DATA", "OK", None), ("OK", "INSUFFICIENT_DATA", None)],
)
async def test_alarm_without_a_history_went_off_if_it_is_back_at_its_state(
    told: Answer, before: str, after: str, went_off: datetime | None
) -> None:
    port = account(look(before, BEFORE), AWAY, look(after, AFTER), told=told)
    assert await look_through(port, 3) == [None, went_off]


async def test_history_that_is_throttled_is_read_again() -> None:
    port = account(look("OK", BEFORE), AWAY, look("OK", AFTER), told=[THROTTLED, RED])
    assert await look_through(port, 4) == [None, AFTER]


async def test_item_of_a_history_without_data_is_read_by_its_summary() -> None:
    (red, *_), at = RED["AlarmHistoryItems"], AFTER
    port = account(look("OK", at), told={"AlarmHistoryItems": [{**red, "HistoryData": "{"}]})
    assert await look_through(port, 1) == [AFTER]
