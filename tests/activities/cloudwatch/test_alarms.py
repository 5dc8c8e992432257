"""Alarms: their states, and a watch that ends when one goes off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment
from temporalio.workflow import ActivityCancellationType

from activities.cloudwatch.alarms import (
    POLL_INTERVAL,
    WATCH,
    Alarms,
    DescribeAlarmsRequest,
    DescribeAlarmsResponse,
    WatchAlarmDataRequest,
    WatchAlarmsRequest,
)
from activities.errors import AwsError
from activities.operation import get_operation_policy
from tests.activities.scripted_aws import ScriptedAws

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def alarm(name: str, state: str = "OK", reason: str = "all is well") -> dict[str, Any]:
    return {
        "AlarmName": name,
        "StateValue": state,
        "StateReason": reason,
        "StateUpdatedTimestamp": AT,
        "Threshold": 5.0,
    }


def answer_of(
    *metric: dict[str, Any], composite: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {"MetricAlarms": list(metric), "CompositeAlarms": composite or []}


async def watched(answer: dict[str, Any] | AwsError, *names: str) -> DescribeAlarmsResponse:
    return await Alarms(ScriptedAws(describe_alarms=answer)).watch_alarms(
        WatchAlarmsRequest(alarm_names=list(names))
    )


async def test_alarms_come_back_with_their_state() -> None:
    port = ScriptedAws(
        describe_alarms=answer_of(alarm("errors"), composite=[alarm("all", "ALARM")])
    )
    found = await Alarms(port).describe_alarms(DescribeAlarmsRequest(alarm_names=["errors", "all"]))
    assert [(each.alarm_name, each.state_value) for each in found.alarms] == [
        ("errors", "OK"),
        ("all", "ALARM"),
    ]
    assert found.metric_alarms[0].state_updated_timestamp == AT


async def test_composite_alarms_are_requested_by_type() -> None:
    port = ScriptedAws(describe_alarms=answer_of(alarm("errors")))
    await Alarms(port).describe_alarms(DescribeAlarmsRequest(alarm_names=["errors"]))
    assert port.last("describe_alarms") == {
        "AlarmNames": ["errors"],
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
        "MaxRecords": 100,
    }


async def test_response_survives_a_history() -> None:
    port = ScriptedAws(describe_alarms=answer_of(alarm("errors", "ALARM")))
    found = await Alarms(port).describe_alarms(DescribeAlarmsRequest(alarm_names=["errors"]))
    assert DescribeAlarmsResponse.model_validate_json(found.model_dump_json(by_alias=True)) == found


async def test_long_reason_is_cut() -> None:
    found = await watched(answer_of(alarm("errors", "ALARM", "x" * 1000)), "errors")
    assert len(found.firing[0].state_reason or "") == 300


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
async def test_quiet_watch_fails_benignly_and_polls_ten_seconds_later(
    state: str,
) -> None:
    with pytest.raises(ApplicationError, match="NotReady") as caught:
        await watched(answer_of(alarm("errors", state)), "errors")
    quiet = caught.value
    assert (quiet.type, quiet.non_retryable, quiet.category) == (
        "NotReady",
        False,
        ApplicationErrorCategory.BENIGN,
    )
    assert quiet.next_retry_delay == POLL_INTERVAL == timedelta(seconds=10)


OFF = alarm("duration", "ALARM", "Threshold Crossed")


@pytest.mark.parametrize(
    "answer", [answer_of(alarm("errors"), OFF), answer_of(alarm("errors"), composite=[OFF])]
)
async def test_watch_ends_as_soon_as_one_alarm_goes_off(answer: dict[str, Any]) -> None:
    found = await watched(answer, "errors", "duration")
    assert [each.alarm_name for each in found.firing] == ["duration"]


async def test_alarm_is_reported_outside_of_an_activity() -> None:
    alone = ActivityEnvironment()
    answer = await alone.run(
        Alarms(ScriptedAws(describe_alarms=answer_of(alarm("errors", "ALARM")))).watch_alarms,
        WatchAlarmsRequest(alarm_names=["errors"]),
    )
    assert [each.alarm_name for each in answer.firing] == ["errors"]


async def test_watch_ends_when_an_alarm_is_missing() -> None:
    found = await watched(answer_of(alarm("errors")), "errors", "gone", "lost")
    assert found.firing == []
    assert found.find_missing(["errors", "gone", "lost"]) == ["gone", "lost"]


async def test_watch_that_is_denied_says_so_and_goes_on() -> None:
    with pytest.raises(ApplicationError, match="Throttled") as caught:
        await watched(
            AwsError("describe_alarms", "Throttling", "Rate exceeded", status=400), "errors"
        )
    assert (caught.value.type, caught.value.non_retryable) == ("Throttled", False)


@pytest.mark.parametrize("names", [[], [""], ["x" * 256], ["a"] * 101])
def test_request_has_at_most_a_hundred_alarms_with_names(names: list[str]) -> None:
    with pytest.raises(ValidationError, match="validation error"):
        WatchAlarmsRequest(alarm_names=names)


def test_watch_has_no_timeout_and_a_cancel_does_not_wait_for_it() -> None:
    assert get_operation_policy(Alarms.watch_alarms) is WATCH
    assert WATCH.retry.maximum_attempts == 0
    assert WATCH.cancellation is ActivityCancellationType.TRY_CANCEL


async def test_wait_for_data_goes_on_until_no_alarm_is_without() -> None:
    port = ScriptedAws(
        describe_alarms=[
            answer_of(alarm("errors"), composite=[alarm("all", "INSUFFICIENT_DATA")]),
            answer_of(alarm("errors"), composite=[alarm("all")]),
        ]
    )
    alarms, request = Alarms(port), WatchAlarmDataRequest(alarm_names=["errors", "all"])
    with pytest.raises(ApplicationError, match="no data: all") as caught:
        await alarms.watch_alarm_data(request)
    assert (caught.value.type, caught.value.next_retry_delay) == ("NotReady", POLL_INTERVAL)
    assert (await alarms.watch_alarm_data(request)).without_data == []


async def test_watch_ends_where_an_alarm_was_red_unseen() -> None:
    found = {"AlarmHistoryItems": [{"Timestamp": AT, "HistorySummary": "from OK to ALARM"}]}
    port = ScriptedAws(describe_alarms=answer_of(alarm("errors")), describe_alarm_history=found)
    answer = await Alarms(port).watch_alarms(
        WatchAlarmsRequest(alarm_names=["errors"], since=AT - timedelta(minutes=1))
    )
    assert [(each.alarm_name, each.went_off_at) for each in answer.firing] == [("errors", AT)]
