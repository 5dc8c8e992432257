"""Alarms that guard a release: from the first move of traffic to the last, whatever the release is waiting for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from tests.workflows.scene import CANARY, Ending, Scene, ending

GUARDED: dict[str, Any] = {"guards": {"alarms": ["errors", "latency"]}}


@pytest.fixture(autouse=True)
def quiet(scene: Scene) -> None:
    scene.aws.alarms |= {"errors": "OK", "latency": "OK"}


def rolled_back_by_alarm(end: Ending, scene: Scene, alarm: str = "latency") -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert f"alarm {alarm} went off: {alarm} is ALARM" in end.text
    assert "all traffic is on version 2" in end.text
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_quiet_alarms_do_not_hinder(scene: Scene) -> None:
    end = await scene.release(artifact=scene.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_watching_for_a_day_costs_no_history(scene: Scene) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "5m"}]
    handle = await scene.begin(
        artifact=scene.package("three"), strategy={"steps": steps}, **GUARDED
    )
    await scene.reaches("baking")
    before = await scene.events()
    await scene.forward(timedelta(minutes=4))
    looked = len(scene.aws.of("describe_alarms"))
    assert looked > 20
    told = [
        EventType.Name(event.event_type) async for event in scene.rollout.fetch_history_events()
    ][before:]
    assert {name for name in told if "TIME_SKIPPING" not in name} == {
        "EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED"
    }
    assert (await scene.finished(handle)).kind == "Completed"


async def test_an_alarm_in_the_bake_rolls_back(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **GUARDED, **CANARY)
    await scene.reaches("baking")
    scene.aws.alarms["latency"] = "ALARM"
    before = len(scene.aws.calls)
    rolled_back_by_alarm(await scene.finished(handle), scene)
    after = [call for call in scene.aws.calls[before:] if call.operation != "describe_alarms"]
    assert after[0].operation == "update_alias"
    assert after[0].parameters["FunctionVersion"] == "2"


async def test_an_alarm_stops_a_release_that_is_paused(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **GUARDED, **CANARY)
    await scene.reaches("baking")
    await scene.say("pause")
    scene.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await scene.finished(handle), scene)


async def test_an_alarm_stops_a_release_that_waits_for_approval(scene: Scene) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]
    handle = await scene.begin(
        artifact=scene.package("three"), strategy={"steps": steps}, **GUARDED
    )
    await scene.reaches("awaiting_approval")
    scene.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await scene.finished(handle), scene)


async def test_an_alarm_that_goes_off_in_the_last_seconds_of_a_bake_still_counts(
    scene: Scene,
) -> None:
    scene.aws.before(
        "describe_alarms", lambda _: scene.aws.alarms.update(latency="ALARM"), skip=2, times=None
    )
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "3s"}]
    rolled_back_by_alarm(
        await scene.release(artifact=scene.package("three"), strategy={"steps": steps}, **GUARDED),
        scene,
    )


async def test_a_composite_alarm_counts(scene: Scene) -> None:
    scene.aws.composite_alarms.add("latency")
    handle = await scene.begin(artifact=scene.package("three"), **GUARDED, **CANARY)
    await scene.reaches("baking")
    scene.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await scene.finished(handle), scene)


async def test_too_little_data_is_no_alarm(scene: Scene) -> None:
    scene.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    end = await scene.release(artifact=scene.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_a_guard_that_disappears_rolls_back(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **GUARDED, **CANARY)
    await scene.reaches("baking")
    del scene.aws.alarms["latency"]
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "alarm latency, which guards this release, is gone" in end.text
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_alarms_that_may_not_be_read_any_more_roll_back(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **GUARDED, **CANARY)
    await scene.reaches("baking")
    scene.aws.fail("describe_alarms", "AccessDenied", "no cloudwatch:DescribeAlarms", times=None)
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "no cloudwatch:DescribeAlarms" in end.text


async def test_alarms_that_cannot_be_read_for_a_minute_do_not_stop_a_release(scene: Scene) -> None:
    scene.aws.fail("describe_alarms", "InternalServiceError", skip=1, times=4)
    end = await scene.release(artifact=scene.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_an_alarm_during_the_last_hook_still_rolls_back(scene: Scene) -> None:
    def smoke(_: object) -> dict[str, bool]:
        scene.aws.alarms["latency"] = "ALARM"
        return {"accept": True}

    scene.aws.hook("smoke", smoke)
    hold = scene.aws.hold("invoke", moment="after")
    handle = await scene.start(
        "Release",
        scene.request(
            artifact=scene.package("three"), **GUARDED, **CANARY, hooks={"after_traffic": "smoke"}
        ),
    )
    await hold.reached.wait()
    async with scene.patience(20):
        while scene.aws.routing(scene.function) != ("2", {}):
            await scene.moment()
    hold.release()
    rolled_back_by_alarm(await ending(handle), scene)


async def test_an_alarm_that_goes_off_after_the_release_is_none_of_its_business(
    scene: Scene,
) -> None:
    end = await scene.release(artifact=scene.package("three"), **GUARDED, **CANARY)
    calls = len(scene.aws.calls)
    scene.aws.alarms["latency"] = "ALARM"
    for _ in range(10):
        await scene.moment()
    assert (end.kind, len(scene.aws.calls)) == ("Completed", calls)


async def test_a_guard_that_disappears_in_the_last_seconds_of_a_bake_still_counts(
    scene: Scene,
) -> None:
    scene.aws.before(
        "describe_alarms", lambda _: scene.aws.alarms.pop("latency", None), skip=2, times=None
    )
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "3s"}]
    end = await scene.release(artifact=scene.package("three"), strategy={"steps": steps}, **GUARDED)
    assert end.kind == "ReleaseRolledBack"
    assert "is gone" in end.text


async def test_a_release_whose_alarm_went_off_comes_before_all_others(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **GUARDED, **CANARY)
    await scene.reaches("baking")
    assert (
        await scene.rollout.describe()
    ).raw_description.workflow_execution_info.priority.priority_key == 0
    scene.aws.alarms["latency"] = "ALARM"
    rolled_back_by_alarm(await scene.finished(handle), scene)
    assert (
        await scene.rollout.describe()
    ).raw_description.workflow_execution_info.priority.priority_key == 1
