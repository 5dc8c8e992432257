"""Alarms that guard a release: from the first move of traffic to the last, whatever the release is waiting for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from tests.harness import CANARY, Ending, Harness, read_ending

GUARDED: dict[str, Any] = {"guards": {"alarms": ["errors", "latency"]}}


@pytest.fixture(autouse=True)
def quiet(harness: Harness) -> None:
    harness.aws.alarms |= {"errors": "OK", "latency": "OK"}


def rolled_back_by_alarm(end: Ending, harness: Harness, alarm: str = "latency") -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert f"alarm {alarm} went off: {alarm} is ALARM" in end.text
    assert "all traffic is on version 2" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_quiet_alarms_do_not_hinder(harness: Harness) -> None:
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_watching_for_a_day_costs_no_history(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "5m"}]
    handle = await harness.begin(
        artifact=harness.package("three"), strategy={"steps": steps}, **GUARDED
    )
    await harness.wait_for_phase("baking")
    before = await harness.history_length()
    await harness.fast_forward(timedelta(minutes=4))
    looked = len(harness.aws.of("describe_alarms"))
    assert looked > 20
    told = [
        EventType.Name(event.event_type) async for event in harness.rollout.fetch_history_events()
    ][before:]
    assert {name for name in told if "TIME_SKIPPING" not in name} == {
        "EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED"
    }
    assert (await harness.finish(handle)).kind == "Completed"


async def test_an_alarm_in_the_bake_rolls_back(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **GUARDED, **CANARY)
    await harness.wait_for_phase("baking")
    harness.aws.alarms["latency"] = "ALARM"
    before = len(harness.aws.calls)
    rolled_back_by_alarm(await harness.finish(handle), harness)
    after = [call for call in harness.aws.calls[before:] if call.operation != "describe_alarms"]
    assert after[0].operation == "update_alias"
    assert after[0].parameters["FunctionVersion"] == "2"


async def test_an_alarm_stops_a_release_that_is_paused(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **GUARDED, **CANARY)
    await harness.wait_for_phase("baking")
    await harness.send("pause")
    harness.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await harness.finish(handle), harness)


async def test_an_alarm_stops_a_release_that_waits_for_approval(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]
    handle = await harness.begin(
        artifact=harness.package("three"), strategy={"steps": steps}, **GUARDED
    )
    await harness.wait_for_phase("awaiting_approval")
    harness.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await harness.finish(handle), harness)


async def test_an_alarm_that_goes_off_in_the_last_seconds_of_a_bake_still_counts(
    harness: Harness,
) -> None:
    harness.aws.before(
        "describe_alarms", lambda _: harness.aws.alarms.update(latency="ALARM"), skip=2, times=None
    )
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "3s"}]
    rolled_back_by_alarm(
        await harness.release(
            artifact=harness.package("three"), strategy={"steps": steps}, **GUARDED
        ),
        harness,
    )


async def test_a_composite_alarm_counts(harness: Harness) -> None:
    harness.aws.composite_alarms.add("latency")
    handle = await harness.begin(artifact=harness.package("three"), **GUARDED, **CANARY)
    await harness.wait_for_phase("baking")
    harness.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await harness.finish(handle), harness)


async def test_too_little_data_is_no_alarm(harness: Harness) -> None:
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_a_guard_that_disappears_rolls_back(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **GUARDED, **CANARY)
    await harness.wait_for_phase("baking")
    del harness.aws.alarms["latency"]
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "alarm latency, which guards this release, is gone" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_alarms_that_may_not_be_read_any_more_roll_back(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **GUARDED, **CANARY)
    await harness.wait_for_phase("baking")
    harness.aws.fail("describe_alarms", "AccessDenied", "no cloudwatch:DescribeAlarms", times=None)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "no cloudwatch:DescribeAlarms" in end.text


async def test_alarms_that_cannot_be_read_for_a_minute_do_not_stop_a_release(
    harness: Harness,
) -> None:
    harness.aws.fail("describe_alarms", "InternalServiceError", skip=1, times=4)
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_an_alarm_during_the_last_hook_still_rolls_back(harness: Harness) -> None:
    def smoke(_: object) -> dict[str, bool]:
        harness.aws.alarms["latency"] = "ALARM"
        return {"accept": True}

    harness.aws.hook("smoke", smoke)
    hold = harness.aws.hold("invoke", moment="after")
    handle = await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("three"), **GUARDED, **CANARY, hooks={"after_traffic": "smoke"}
        ),
    )
    await hold.reached.wait()
    await harness.wait_until(lambda: harness.aws.routing(harness.function) == ("2", {}))
    hold.release()
    rolled_back_by_alarm(await read_ending(handle), harness)


async def test_an_alarm_that_goes_off_after_the_release_is_none_of_its_business(
    harness: Harness,
) -> None:
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    calls = len(harness.aws.calls)
    harness.aws.alarms["latency"] = "ALARM"
    await harness.wait_briefly()
    assert (end.kind, len(harness.aws.calls)) == ("Completed", calls)


async def test_a_guard_that_disappears_in_the_last_seconds_of_a_bake_still_counts(
    harness: Harness,
) -> None:
    harness.aws.before(
        "describe_alarms", lambda _: harness.aws.alarms.pop("latency", None), skip=2, times=None
    )
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "3s"}]
    end = await harness.release(
        artifact=harness.package("three"), strategy={"steps": steps}, **GUARDED
    )
    assert end.kind == "ReleaseRolledBack"
    assert "is gone" in end.text


async def test_a_release_whose_alarm_went_off_comes_before_all_others(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **GUARDED, **CANARY)
    await harness.wait_for_phase("baking")
    assert (
        await harness.rollout.describe()
    ).raw_description.workflow_execution_info.priority.priority_key == 0
    harness.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await harness.finish(handle), harness)
    assert (
        await harness.rollout.describe()
    ).raw_description.workflow_execution_info.priority.priority_key == 1
