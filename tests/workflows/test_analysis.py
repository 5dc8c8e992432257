"""Releases that are judged by what CloudWatch measures: guards, analysis steps, bakes that wait for requests, hotfixes, and the watch after 100 %."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.workflows.scene import CANARY, Ending, Scene, ending

GUARDED = {"guards": {"metrics": {"not_worse": [{"metric": "error_rate"}]}}}
BAD, USUAL = 0.05, 0.005


def strategy(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": {"steps": [{"kind": "set_weight", "percent": 10}, *steps]}}


def bake(**keys: Any) -> dict[str, Any]:
    return {"kind": "bake", "duration": "10m", **keys}


def analysis(**keys: Any) -> dict[str, Any]:
    return {"kind": "analysis", "duration": "10m", "not_worse": [{}], **keys}


def callers(
    scene: Scene, *, candidate: float, stable: float = USUAL, per_minute: float = 6000
) -> None:
    """A hundred requests a second; so many of them fail."""
    scene.aws.callers(
        scene.function, per_minute=per_minute, error_rates={"3": candidate, "2": stable}
    )


async def took(scene: Scene) -> timedelta:
    described = await scene.rollout.describe()
    assert described.close_time is not None
    return described.close_time - described.start_time


def promoted(end: Ending, scene: Scene) -> None:
    assert end.kind == "Completed", end
    assert scene.aws.routing(scene.function) == ("3", {})


def rolled_back(end: Ending, scene: Scene, why: str) -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert why in end.text
    assert scene.aws.routing(scene.function) == ("2", {})


# --- guards ----------------------------------------------------------------------------------------------------------------------


async def test_a_candidate_that_is_worse_than_stable_is_rolled_back_before_its_bake_ends(
    scene: Scene,
) -> None:
    callers(scene, candidate=BAD)
    end = await scene.release(
        artifact=scene.package("three"), **GUARDED, **strategy(bake(duration="1h"))
    )
    rolled_back(
        end,
        scene,
        "version 3 does worse than it may: error_rate not worse than stable's by 2.5 points: ",
    )
    assert await took(scene) < timedelta(minutes=5)
    assert end.status is not None
    assert end.status.analysis is not None
    told = end.status.analysis
    assert (told.verdict, told.candidate.error_rate, told.stable.error_rate) == (
        "failed",
        pytest.approx(0.05, rel=0.5),
        pytest.approx(0.005, rel=0.5),
    )
    assert (told.candidate.p99, told.candidate.invocations) == (100, pytest.approx(600, abs=590))
    assert told.worse > 0.99


async def test_a_candidate_that_is_as_good_as_stable_is_promoted(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    promoted(await scene.release(artifact=scene.package("three"), **GUARDED, **CANARY), scene)
    status = (await scene.rollout.result()).analysis
    assert status is not None
    assert status.verdict == "passed"
    assert status.not_worse > 0.99


async def test_a_limit_guards_by_itself(scene: Scene) -> None:
    callers(scene, candidate=BAD, stable=BAD)
    limit = {"guards": {"metrics": {"limits": [{"metric": "error_rate", "max": 0.02}]}}}
    end = await scene.release(artifact=scene.package("three"), **limit, **strategy(bake()))
    rolled_back(end, scene, "error_rate at most 0.02: 0.0")


async def test_any_metric_of_cloudwatchs_can_be_a_limit(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    scene.aws.other_metrics = {"Refused": lambda _: 7.0, "Orders": lambda _: 100.0}
    refused = {
        "namespace": "Shop",
        "name": "Refused",
        "dimensions": {"Version": "{candidate}", "Function": "{function}"},
    }
    orders = {"namespace": "Shop", "name": "Orders"}
    share = {"expression": "100 * r / o", "metrics": {"r": refused, "o": orders}}
    limits = {
        "guards": {
            "metrics": {"limits": [{"metric": refused, "max": 10}, {"metric": share, "max": 5}]}
        }
    }
    end = await scene.release(artifact=scene.package("three"), **limits, **strategy(bake()))
    rolled_back(end, scene, "100 * r / o at most 5: 7")
    asked = scene.aws.of("get_metric_data")[-1]["MetricDataQueries"]
    dimensions = [
        query["MetricStat"]["Metric"]["Dimensions"] for query in asked if "MetricStat" in query
    ]
    assert [
        {"Name": "Version", "Value": "3"},
        {"Name": "Function", "Value": scene.function},
    ] in dimensions


async def test_every_look_is_one_call_and_a_bake_has_a_bounded_history(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    promoted(
        await scene.release(
            artifact=scene.package("three"), **GUARDED, **strategy(bake(duration="20m"))
        ),
        scene,
    )
    looks = len(scene.aws.of("get_metric_data"))
    assert 20 <= looks <= 20 * 5 + 10  # one each 15 s
    assert await scene.events() < 20 * 9 + 150


# --- silence ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
async def test_a_bake_whose_metrics_cannot_be_read_holds_for_a_person(
    scene: Scene, status: str
) -> None:
    callers(scene, candidate=USUAL)
    scene.aws.metrics_status = status
    handle = await scene.begin(
        artifact=scene.package("three"),
        **GUARDED,
        **strategy(bake(duration="1m", max_duration="2m")),
    )
    await scene.reaches("baking")
    await scene.forward(timedelta(minutes=5))
    held = await scene.reaches("awaiting_approval")
    assert f"CloudWatch answered {status}" in held.note
    assert held.routing.percent == 10
    await scene.say("approve", note="looked at the logs")
    promoted(await scene.finished(handle), scene)


@pytest.mark.parametrize("kind", ["nobody calls", "throttled", "denied later"])
@pytest.mark.parametrize("step", ["bake", "analysis"])
async def test_silence_is_no_pass(scene: Scene, kind: str, step: str) -> None:
    callers(scene, candidate=USUAL, per_minute=0 if kind == "nobody calls" else 6000)
    match kind:
        case "throttled":
            scene.aws.fail("get_metric_data", "ThrottlingException", "Rate exceeded", times=None)
        case "denied later":
            scene.aws.fail(
                "get_metric_data", "AccessDeniedException", "not allowed", skip=1, times=None
            )
        case _:
            pass
    patient = {"duration": "1m", "max_duration": "3m", "on_no_data": "fail"}
    steps = {"bake": bake(**patient), "analysis": analysis(**patient)}
    end = await scene.release(artifact=scene.package("three"), **GUARDED, **strategy(steps[step]))
    assert end.kind == "ReleaseRolledBack", end
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_who_wants_it_passes_without_data(scene: Scene) -> None:
    callers(scene, candidate=USUAL, per_minute=0)
    end = await scene.release(
        artifact=scene.package("three"),
        **GUARDED,
        **strategy(bake(duration="1m", on_no_data="pass")),
    )
    promoted(end, scene)


async def test_metrics_that_may_not_be_read_are_a_reason_not_to_begin(scene: Scene) -> None:
    scene.aws.fail(
        "get_metric_data",
        "AccessDeniedException",
        "User is not authorized to perform: cloudwatch:GetMetricData",
        times=None,
    )
    end = await scene.release(artifact=scene.package("three"), **GUARDED, **CANARY)
    assert end.kind == "ReleaseRejected", end
    assert "guards.metrics: CloudWatch cannot be asked" in end.text
    assert not scene.aws.writes


async def test_late_numbers_are_waited_for(scene: Scene) -> None:
    callers(scene, candidate=BAD)
    scene.aws.metrics_delay = timedelta(minutes=4)
    end = await scene.release(
        artifact=scene.package("three"), **GUARDED, **strategy(bake(duration="1m"))
    )
    rolled_back(end, scene, "does worse than it may")


# --- bakes that wait for requests ------------------------------------------------------------------------------------------------


async def test_a_bake_lasts_until_enough_was_measured(scene: Scene) -> None:
    callers(scene, candidate=USUAL, per_minute=600)
    steps = strategy(bake(duration="1m", min_invocations=500, max_duration="1h"))
    promoted(await scene.release(artifact=scene.package("three"), **steps), scene)
    assert timedelta(minutes=8) < await took(scene) < timedelta(minutes=13)


async def test_a_bake_that_never_sees_enough_holds(scene: Scene) -> None:
    callers(scene, candidate=USUAL, per_minute=60)
    steps = strategy(bake(duration="1m", min_invocations=500, max_duration="10m"))
    handle = await scene.begin(artifact=scene.package("three"), **steps)
    await scene.reaches("baking")
    await scene.forward(timedelta(minutes=15))
    held = await scene.reaches("awaiting_approval")
    assert "not enough to judge by within 10 min: " in held.note
    await scene.say("abort", reason="too little traffic")
    rolled_back(await scene.finished(handle), scene, "too little traffic")


# --- analysis steps --------------------------------------------------------------------------------------------------------------


async def test_an_analysis_rolls_back_what_is_worse(scene: Scene) -> None:
    callers(scene, candidate=BAD)
    rolled_back(
        await scene.release(artifact=scene.package("three"), **strategy(analysis())),
        scene,
        "does worse than it may",
    )
    assert await took(scene) < timedelta(minutes=5)


async def test_an_analysis_that_is_paused_rolls_back_what_is_worse(scene: Scene) -> None:
    callers(scene, candidate=BAD)
    handle = await scene.begin(artifact=scene.package("three"), **strategy(analysis()))
    await scene.reaches("baking")
    await scene.say("pause", reason="lunch")
    rolled_back(await scene.finished(handle), scene, "does worse than it may")


async def test_an_analysis_lasts_as_long_as_it_says_and_ends_early_only_where_that_is_allowed(
    scene: Scene,
) -> None:
    callers(scene, candidate=USUAL)
    promoted(await scene.release(artifact=scene.package("three"), **strategy(analysis())), scene)
    assert timedelta(minutes=10) <= await took(scene) < timedelta(minutes=11)


async def test_an_analysis_may_end_early_on_evidence(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    promoted(
        await scene.release(artifact=scene.package("three"), **strategy(analysis(early=True))),
        scene,
    )
    assert await took(scene) < timedelta(minutes=5)


async def test_an_analysis_that_comes_to_no_verdict_holds(scene: Scene) -> None:
    callers(scene, candidate=USUAL, per_minute=60)
    handle = await scene.begin(
        artifact=scene.package("three"), **strategy(analysis(max_duration="15m"))
    )
    await scene.reaches("baking")
    await scene.forward(timedelta(minutes=20))
    held = await scene.reaches("awaiting_approval")
    assert "no verdict within 15 min" in held.note
    assert held.analysis is not None
    await scene.say("approve")
    promoted(await scene.finished(handle), scene)


async def test_slower_requests_are_counted_against_stables_own_p99(scene: Scene) -> None:
    def measured(version: str, minute: Any) -> dict[str, float | None]:
        count = round(6000 * scene.aws.share(scene.function, version, minute))
        slow = round(count * (0.08 if version == "3" else 0.01))
        return {"invocations": count, "slow": slow, "p99": 100} if count else {}

    scene.aws.measured = measured
    steps = strategy(analysis(not_worse=[{"metric": "slow_rate", "margin": 0.02}]))
    rolled_back(
        await scene.release(artifact=scene.package("three"), **steps),
        scene,
        "slow_rate not worse than stable's by 2 points",
    )
    stats = {
        query["MetricStat"]["Stat"]
        for query in scene.aws.of("get_metric_data")[-1]["MetricDataQueries"]
    }
    assert "TC(100:)" in stats


async def test_a_verdict_stands_in_the_history_with_its_numbers(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    promoted(
        await scene.release(artifact=scene.package("three"), **strategy(analysis(early=True))),
        scene,
    )
    verdict = await (await scene.rollout.describe()).memo_value("verdict")
    assert verdict["verdict"] == "passed"
    assert "against" in verdict["reason"]


# --- a broken baseline -----------------------------------------------------------------------------------------------------------


async def test_a_hotfix_ships_while_alarms_are_red_if_it_is_no_worse(scene: Scene) -> None:
    callers(scene, candidate=0.01, stable=0.4)
    scene.aws.alarms = {"errors": "ALARM", "latency": "OK"}
    guards = {
        "guards": {
            "alarms": ["errors", "latency"],
            "metrics": {"limits": [{"metric": "error_rate", "max": 0.001}]},
        }
    }
    end = await scene.release(
        artifact=scene.package("three"), hotfix=True, reason="INC-7", **guards, **CANARY
    )
    promoted(end, scene)
    assert end.status is not None
    assert end.status.hotfix


async def test_a_hotfix_that_makes_it_worse_is_rolled_back(scene: Scene) -> None:
    callers(scene, candidate=0.6, stable=0.4)
    scene.aws.alarms = {"errors": "ALARM"}
    end = await scene.release(
        artifact=scene.package("three"),
        hotfix=True,
        reason="INC-7",
        guards={"alarms": ["errors"]},
        **strategy(bake(duration="1h")),
    )
    rolled_back(end, scene, "does worse than it may")


async def test_an_alarm_that_goes_off_after_a_hotfix_began_still_counts(scene: Scene) -> None:
    callers(scene, candidate=0.4, stable=0.4)
    scene.aws.alarms = {"errors": "ALARM", "latency": "OK"}
    guards = {"guards": {"alarms": ["errors", "latency"]}}
    handle = await scene.begin(
        artifact=scene.package("three"), hotfix=True, reason="INC-7", **guards, **strategy(bake())
    )
    await scene.reaches("baking")
    scene.aws.alarms["latency"] = "ALARM"
    rolled_back(await scene.finished(handle), scene, "alarm latency went off")


async def test_without_hotfix_a_red_alarm_refuses_and_says_how(scene: Scene) -> None:
    scene.aws.alarms = {"errors": "ALARM"}
    end = await scene.release(
        artifact=scene.package("three"), guards={"alarms": ["errors"]}, **CANARY
    )
    assert end.kind == "ReleaseRejected"
    assert "hotfix" in end.text


# --- after 100 % -----------------------------------------------------------------------------------------------------------------


async def test_a_regression_after_100_percent_is_rolled_back_in_one_call(scene: Scene) -> None:
    scene.aws.alarms = {"errors": "OK"}
    guards = {"guards": {"alarms": ["errors"], "after": "3d"}}
    handle = await scene.begin(artifact=scene.package("three"), **guards, strategy="AllAtOnce")
    watched = await scene.reaches("baking", percent=100)
    assert watched.ends_at is not None
    assert scene.aws.routing(scene.function) == ("3", {})
    before = len(scene.aws.writes)
    scene.aws.alarms["errors"] = "ALARM"
    rolled_back(await scene.finished(handle), scene, "alarm errors went off")
    assert scene.aws.writes[before] == "update_alias"


async def test_a_limit_after_100_percent_counts(scene: Scene) -> None:
    callers(scene, candidate=BAD)
    limit = {
        "guards": {"metrics": {"limits": [{"metric": "error_rate", "max": 0.02}]}, "after": "3h"}
    }
    end = await scene.release(artifact=scene.package("three"), **limit, strategy="AllAtOnce")
    rolled_back(end, scene, "error_rate at most 0.02")


async def test_the_watch_after_100_percent_ends_by_itself(scene: Scene) -> None:
    promoted(
        await scene.release(
            artifact=scene.package("three"), guards={"after": "3h"}, strategy="AllAtOnce"
        ),
        scene,
    )
    assert await took(scene) > timedelta(hours=3)


async def test_a_promotion_ends_the_watch_after_100_percent(scene: Scene) -> None:
    handle = await scene.begin(
        artifact=scene.package("three"), guards={"after": "3h"}, strategy="AllAtOnce"
    )
    await scene.reaches("baking", percent=100)
    await scene.say("promote", reason="the next release waits")
    assert (await ending(handle)).kind == "Completed"
