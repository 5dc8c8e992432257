"""Alarms that guard nothing, that blink, and that nobody could look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fake_lambda.account import ACCOUNT, REGION
from tests.fake_lambda.interventions import Call
from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness

GUARDED: dict[str, Any] = {"guards": {"alarms": ["errors", "latency"]}}


def guarded(**settings: Any) -> dict[str, Any]:
    return {"guards": {"alarms": ["errors", "latency"], **settings}}


@pytest.fixture(autouse=True)
def set_alarms_to_ok(harness: Harness) -> None:
    for name in ("errors", "latency"):
        harness.aws.alarms[name] = "OK"


# --- without data ---


async def test_alarm_without_data_is_noted_from_the_start_to_the_end(harness: Harness) -> None:
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    (note,) = [note for note in (await harness.status()).notes if "Alarm" in note]
    assert note.startswith("Alarm latency has no data (INSUFFICIENT_DATA)")
    end = await harness.finish(handle)
    assert end.kind == "Completed"
    assert "alarm latency had no data throughout: it guarded nothing" in end.text


async def test_plan_notes_an_alarm_without_data(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "INSUFFICIENT_DATA"
    request = harness.request(artifact=harness.package("three"), **GUARDED, **CANARY)
    handle = await harness.client.start_workflow(
        "Plan", request, id=f"plan/{harness.function}", task_queue=harness.queue
    )
    notes = (await handle.result())["notes"]
    assert any("Alarm errors has no data" in note for note in notes)


async def test_alarm_that_gets_data_is_not_noted_at_the_end(harness: Harness) -> None:
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    harness.aws.alarms["latency"] = "OK"
    end = await harness.finish(handle)
    assert (end.kind, "guarded nothing" in end.text) == ("Completed", False)


@pytest.mark.parametrize("strategy", [CANARY, ALL_AT_ONCE])
async def test_alarm_without_data_fails_the_release_where_requested(
    harness: Harness, strategy: dict[str, Any]
) -> None:
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    harness.aws.composite_alarms.add("latency")
    end = await harness.release(
        artifact=harness.package("three"), **guarded(on_no_data="fail"), **strategy
    )
    assert end.kind == "ReleaseRolledBack", end
    assert "alarm latency has no data, and guards.on_no_data is fail" in end.text
    harness.assert_restored()


async def begin_held(harness: Harness) -> Handle:
    """Begin a release that is held at 10 % because an alarm has no data."""
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1s"}]
    handle = await harness.begin(
        artifact=harness.package("three"),
        strategy={"steps": steps},
        **guarded(on_no_data="hold"),
    )

    async def is_held() -> bool:
        status = await harness.status()
        return status.paused and status.routing.percent == 10

    await harness.wait_for_phase("baking")
    await harness.wait_until(is_held)
    assert "Held: alarm latency has no data" in (await harness.status()).note
    return handle


async def test_alarm_without_data_holds_the_release_until_it_has_some(harness: Harness) -> None:
    handle = await begin_held(harness)
    harness.aws.alarms["latency"] = "OK"
    end = await harness.finish(handle)
    assert (end.kind, "guarded nothing" in end.text) == ("Completed", False)
    assert harness.aws.routing(harness.function) == ("3", {})


@pytest.mark.parametrize("update", ["resume", "promote"])
async def test_person_ends_the_hold_of_an_alarm(harness: Harness, update: str) -> None:
    handle = await begin_held(harness)
    status = await harness.send(update)
    assert not status.paused
    end = await harness.finish(handle)
    assert end.kind == "Completed"
    assert "latency had no data throughout" in end.text


async def test_person_who_pauses_takes_over_the_hold(harness: Harness) -> None:
    handle = await begin_held(harness)
    await harness.send("pause")
    harness.aws.alarms["latency"] = "OK"
    await harness.assert_running(handle)
    assert (await harness.status()).paused
    await harness.send("resume")
    assert (await harness.finish(handle)).kind == "Completed"


async def _abort(harness: Harness) -> None:
    await harness.send("abort")


async def _fire(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "ALARM"


@pytest.mark.parametrize("stop", [_abort, _fire])
async def test_release_that_is_held_can_be_stopped(
    harness: Harness, stop: Callable[[Harness], Awaitable[None]]
) -> None:
    handle = await begin_held(harness)
    await stop(harness)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_release_is_held_before_all_traffic_moves_at_once(harness: Harness) -> None:
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    handle = await harness.begin(
        artifact=harness.package("three"), **ALL_AT_ONCE, **guarded(on_no_data="hold")
    )

    async def is_held() -> bool:
        return (await harness.status()).paused

    await harness.wait_for_phase("baking")
    await harness.wait_until(is_held)
    assert "update_alias" not in harness.aws.writes
    await harness.send("promote")
    assert (await harness.finish(handle)).kind == "Completed"


# --- away for one look ---


@pytest.mark.parametrize("skip", [2, 3])
async def test_alarm_that_is_away_for_one_look_stops_nothing(harness: Harness, skip: int) -> None:
    def take_away(_: Call) -> None:
        del harness.aws.alarms["latency"]

    def bring_back(_: Call) -> None:
        harness.aws.alarms["latency"] = "OK"

    harness.aws.before("describe_alarms", take_away, skip=skip, times=1)
    harness.aws.before("describe_alarms", bring_back, skip=skip + 1, times=1)
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "Completed", end


async def test_alarm_that_is_away_for_good_stops_the_release(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    del harness.aws.alarms["latency"]
    end = await harness.finish(handle)
    assert "alarm latency, which guards this release, is gone" in end.text
    harness.assert_restored()


# --- red while nobody could look ---


async def end_after_gap(harness: Harness, *states: str, times: int = 3) -> Any:
    """Run a release during which an alarm goes through states while CloudWatch is away."""
    handle = await harness.begin_until("baking", **GUARDED, **CANARY)
    await harness.wait_until(lambda: len(harness.aws.of("describe_alarms")) > 1)
    harness.aws.fail("describe_alarms", "InternalServiceError", times=times)
    for state in states:
        harness.aws.alarms["latency"] = state
    return await harness.finish(handle)


@pytest.mark.parametrize("after", ["OK", "INSUFFICIENT_DATA"])
async def test_alarm_that_was_red_while_nobody_could_look_rolls_back(
    harness: Harness, after: str
) -> None:
    end = await end_after_gap(harness, "ALARM", after)
    assert end.kind == "ReleaseRolledBack", end
    assert f"when nobody could look, and is {after} again" in end.text
    harness.assert_restored()


async def test_composite_alarm_that_was_red_unseen_rolls_back(harness: Harness) -> None:
    harness.aws.composite_alarms.add("latency")
    end = await end_after_gap(harness, "ALARM", "OK")
    assert end.kind == "ReleaseRolledBack", end


async def test_alarm_that_had_no_data_while_nobody_could_look_stops_nothing(
    harness: Harness,
) -> None:
    end = await end_after_gap(harness, "INSUFFICIENT_DATA", "OK")
    assert end.kind == "Completed", end


async def test_alarm_that_changed_unseen_stops_a_release_without_its_history(
    harness: Harness,
) -> None:
    harness.aws.fail("describe_alarm_history", "AccessDenied", times=None)
    end = await end_after_gap(harness, "ALARM", "OK")
    assert end.kind == "ReleaseRolledBack", end


async def test_alarm_that_gets_data_before_it_could_be_read_stops_nothing(
    harness: Harness,
) -> None:
    harness.aws.fail("describe_alarm_history", "AccessDenied", times=None)
    harness.aws.alarms["latency"] = "INSUFFICIENT_DATA"
    end = await end_after_gap(harness, "OK")
    assert end.kind == "Completed", end


# --- ARNs ---


def arn_of(name: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


async def test_alarm_is_named_by_its_arn(harness: Harness) -> None:
    guards = {"alarms": [arn_of("latency"), "errors", arn_of("errors")]}
    handle = await harness.begin_until("baking", guards=guards, **CANARY)
    assert harness.aws.of("describe_alarms")[0]["AlarmNames"] == ["latency", "errors"]
    harness.aws.alarms["latency"] = "ALARM"
    assert "alarm latency went off" in (await harness.finish(handle)).text


@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        (arn_of("latency", region="eu-west-3"), "an alarm of region eu-west-3"),
        (arn_of("latency", account="999999999999"), "an alarm of account 999999999999"),
        ("arn:aws:sns:us-east-1:123456789012:topic", "not the ARN of a CloudWatch alarm"),
    ],
)
async def test_alarm_of_another_region_or_account_is_refused(
    harness: Harness, arn: str, reason: str
) -> None:
    end = await harness.release(
        artifact=harness.package("three"), guards={"alarms": [arn]}, **CANARY
    )
    assert end.kind == "ReleaseRejected", end
    assert reason in end.text
    assert "guards.alarms" in end.text
    assert not harness.aws.writes


# --- a rollback under a red alarm ---


async def test_rollback_with_a_red_alarm_is_made_as_a_hotfix(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "ALARM"
    end = await harness.roll_back(version="1", **GUARDED)
    assert end.kind == "ReleaseRejected"
    assert "set hotfix: true, and the reason" in end.text
    end = await harness.roll_back(version="1", hotfix=True, reason="2 is broken", **GUARDED)
    assert end.kind == "Completed", end
    assert end.status is not None
    assert end.status.hotfix
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_rollback_as_a_hotfix_says_why(harness: Harness) -> None:
    end = await harness.roll_back(version="1", hotfix=True)
    assert (end.kind, "reason: a hotfix must say why" in end.text) == ("ReleaseRejected", True)


async def test_other_alarm_stops_a_rollback_that_is_a_hotfix(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "ALARM"
    after = {"after": "10m", "alarms": ["errors", "latency"]}
    handle = await harness.begin("Rollback", version="1", hotfix=True, reason="2", guards=after)
    await harness.wait_for_phase("baking")
    harness.aws.alarms["latency"] = "ALARM"
    end = await harness.finish(handle)
    assert (end.kind, "alarm latency went off" in end.text) == ("ReleaseRolledBack", True)
