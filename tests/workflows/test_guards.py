"""Alarms guard a release from its first move to its last, whatever it is waiting for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness, read_ending

GUARDED: dict[str, Any] = {"guards": {"alarms": ["errors", "latency"]}}
APPROVAL: dict[str, Any] = {"strategy": {"steps": [{"kind": "approval"}]}}


@pytest.fixture(autouse=True)
def set_alarms_to_ok(harness: Harness) -> None:
    harness.aws.alarms |= {"errors": "OK", "latency": "OK"}


def assert_rolled_back_by_alarm(end: Ending, harness: Harness, alarm: str = "latency") -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert f"alarm {alarm} went off: {alarm} is ALARM" in end.text
    assert "all traffic is on version 2" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_quiet_alarms_complete_the_release(harness: Harness) -> None:
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_alarm_polls_add_no_history(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "5m"}]
    handle = await harness.begin_until("baking", strategy={"steps": steps}, **GUARDED)
    before = await harness.history_length()
    await harness.fast_forward(timedelta(minutes=4))
    polls = len(harness.aws.of("describe_alarms"))
    assert polls > 20
    kinds = [
        EventType.Name(event.event_type) async for event in harness.rollout.fetch_history_events()
    ][before:]
    assert {name for name in kinds if "TIME_SKIPPING" not in name} == {
        "EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED"
    }
    assert (await harness.finish(handle)).kind == "Completed"


async def test_alarm_in_the_bake_rolls_back(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    harness.aws.alarms["latency"] = "ALARM"
    before = len(harness.aws.calls)
    assert_rolled_back_by_alarm(await harness.finish(handle), harness)
    after = [call for call in harness.aws.calls[before:] if call.operation != "describe_alarms"]
    assert after[0].operation == "update_alias"
    assert after[0].parameters["FunctionVersion"] == "2"


async def test_alarm_rolls_back_a_paused_release(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    await harness.send("pause")
    harness.aws.alarms["latency"] = "ALARM"
    assert_rolled_back_by_alarm(await harness.finish(handle), harness)


async def test_alarm_rolls_back_a_release_that_waits_for_approval(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]
    handle = await harness.begin_until("awaiting_approval", strategy={"steps": steps}, **GUARDED)
    harness.aws.alarms["latency"] = "ALARM"
    assert_rolled_back_by_alarm(await harness.finish(handle), harness)


async def test_alarm_in_the_last_seconds_of_a_bake_rolls_back(
    harness: Harness,
) -> None:
    harness.aws.before(
        "describe_alarms", lambda _: harness.aws.alarms.update(latency="ALARM"), skip=2, times=None
    )
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "3s"}]
    assert_rolled_back_by_alarm(
        await harness.release(
            artifact=harness.package("three"), strategy={"steps": steps}, **GUARDED
        ),
        harness,
    )


async def test_composite_alarm_rolls_back(harness: Harness) -> None:
    harness.aws.composite_alarms.add("latency")
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    harness.aws.alarms["latency"] = "ALARM"
    assert_rolled_back_by_alarm(await harness.finish(handle), harness)


async def test_insufficient_data_is_no_alarm(harness: Harness) -> None:
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


async def test_deleted_alarm_rolls_back(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    del harness.aws.alarms["latency"]
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "alarm latency, which guards this release, is gone" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_alarms_that_are_denied_in_the_bake_roll_back(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    harness.aws.fail("describe_alarms", "AccessDenied", "no cloudwatch:DescribeAlarms", times=None)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "no cloudwatch:DescribeAlarms" in end.text


async def test_alarms_that_fail_for_a_minute_do_not_stop_a_release(
    harness: Harness,
) -> None:
    harness.aws.fail("describe_alarms", "InternalServiceError", skip=1, times=4)
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ExpiredTokenException", "The security token included in the request is expired"),
        ("AccessDenied", "no cloudwatch:DescribeAlarms"),
        ("NoCredentialsError", "Unable to locate credentials"),
        ("Http407", "HTTP 407 without an error code of AWS's"),
        ("InvalidSignatureException", "Signature expired"),
        ("UnheardOfException", "what is this"),
    ],
)
async def test_alarms_that_cannot_be_read_for_minutes_stop_no_release(
    harness: Harness, code: str, message: str
) -> None:
    # 5 minutes before the end of the wait, and at its end: by the watch and by the last look.
    harness.aws.fail("describe_alarms", code, message, skip=30, times=35)
    end = await harness.release(
        artifact=harness.package("three"), strategy="Canary10Percent10Minutes", **GUARDED
    )
    assert end.kind == "Completed", end


async def test_alarm_that_goes_off_while_it_is_denied_stops_the_release(harness: Harness) -> None:
    def turn_red(_: object) -> None:
        harness.aws.alarms["latency"] = "ALARM"

    harness.aws.before("describe_alarms", turn_red, skip=5)
    harness.aws.fail("describe_alarms", "AccessDenied", "no", skip=5, times=30)
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "alarm latency went off" in end.text


async def test_alarm_during_the_last_hook_rolls_back(harness: Harness) -> None:
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
    await harness.wait_for(hold.reached)
    await harness.wait_until(lambda: harness.aws.routing(harness.function) == ("2", {}))
    hold.release()
    assert_rolled_back_by_alarm(await read_ending(handle), harness)


async def test_alarm_after_the_release_changes_nothing(
    harness: Harness,
) -> None:
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    calls = len(harness.aws.calls)
    harness.aws.alarms["latency"] = "ALARM"
    await harness.wait_briefly()
    assert (end.kind, len(harness.aws.calls)) == ("Completed", calls)


async def test_alarm_deleted_in_the_last_seconds_of_a_bake_rolls_back(
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


async def test_release_whose_alarm_went_off_gets_the_highest_priority(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    assert (
        await harness.rollout.describe()
    ).raw_description.workflow_execution_info.priority.priority_key == 0
    harness.aws.alarms["latency"] = "ALARM"
    assert_rolled_back_by_alarm(await harness.finish(handle), harness)
    assert (
        await harness.rollout.describe()
    ).raw_description.workflow_execution_info.priority.priority_key == 1


async def test_alarm_during_the_first_approval_stops_the_release(
    harness: Harness,
) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL, **GUARDED)
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "alarm errors went off" in end.text
    assert "update_alias" not in harness.aws.writes


async def test_alarm_just_before_the_approval_stops_the_release(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL, **GUARDED)
    harness.aws.alarms["errors"] = "ALARM"
    await harness.send("approve")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "update_alias" not in harness.aws.writes


@pytest.mark.parametrize("alias", ["live", "beta"])
async def test_alarm_during_the_preparation_stops_a_move_of_all_traffic(
    harness: Harness, alias: str
) -> None:
    harness.aws.after("publish_version", lambda _: harness.aws.alarms.update(errors="ALARM"))
    target = {"function": harness.function, "alias": alias}
    request = {"target": target, "artifact": harness.package("three"), **ALL_AT_ONCE, **GUARDED}
    end = await read_ending(await harness.start("Release", request))
    assert end.kind == "ReleaseRolledBack", end
    assert not {"update_alias", "create_alias"} & set(harness.aws.writes)


async def test_alarm_during_a_pause_before_the_first_move_stops_the_release(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("publish_version")
    handle = await harness.begin(artifact=harness.package("three"), **CANARY, **GUARDED)
    await harness.wait_for(hold.reached)
    await harness.send("pause")
    hold.release()
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "update_alias" not in harness.aws.writes
