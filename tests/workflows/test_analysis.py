"""Releases that are judged by what CloudWatch measures: guards, analysis steps, bakes that wait for requests, hotfixes, and the watch after 100 %."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.harness import CANARY, Ending, Harness, read_ending

GUARDED = {"guards": {"metrics": {"not_worse": [{"metric": "error_rate"}]}}}
BAD, USUAL = 0.05, 0.005


def strategy(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": {"steps": [{"kind": "set_weight", "percent": 10}, *steps]}}


def bake(**keys: Any) -> dict[str, Any]:
    return {"kind": "bake", "duration": "10m", **keys}


def analysis(**keys: Any) -> dict[str, Any]:
    return {"kind": "analysis", "duration": "10m", "not_worse": [{}], **keys}


def callers(
    harness: Harness, *, candidate: float, stable: float = USUAL, per_minute: float = 6000
) -> None:
    """A hundred requests a second; so many of them fail."""
    harness.aws.callers(
        harness.function, per_minute=per_minute, error_rates={"3": candidate, "2": stable}
    )


async def took(harness: Harness) -> timedelta:
    described = await harness.rollout.describe()
    assert described.close_time is not None
    return described.close_time - described.start_time


def promoted(end: Ending, harness: Harness) -> None:
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("3", {})


def rolled_back(end: Ending, harness: Harness, why: str) -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert why in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


# --- guards ----------------------------------------------------------------------------------------------------------------------


async def test_a_candidate_that_is_worse_than_stable_is_rolled_back_before_its_bake_ends(
    harness: Harness,
) -> None:
    callers(harness, candidate=BAD)
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **strategy(bake(duration="1h"))
    )
    rolled_back(
        end,
        harness,
        "version 3 does worse than it may: error_rate not worse than stable's by 2.5 points: ",
    )
    assert await took(harness) < timedelta(minutes=5)
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


async def test_a_candidate_that_is_as_good_as_stable_is_promoted(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    promoted(await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY), harness)
    status = (await harness.rollout.result()).analysis
    assert status is not None
    assert status.verdict == "passed"
    assert status.not_worse > 0.99


async def test_a_limit_guards_by_itself(harness: Harness) -> None:
    callers(harness, candidate=BAD, stable=BAD)
    limit = {"guards": {"metrics": {"limits": [{"metric": "error_rate", "max": 0.02}]}}}
    end = await harness.release(artifact=harness.package("three"), **limit, **strategy(bake()))
    rolled_back(end, harness, "error_rate at most 0.02: 0.0")


async def test_any_metric_of_cloudwatchs_can_be_a_limit(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    harness.aws.other_metrics = {"Refused": lambda _: 7.0, "Orders": lambda _: 100.0}
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
    end = await harness.release(artifact=harness.package("three"), **limits, **strategy(bake()))
    rolled_back(end, harness, "100 * r / o at most 5: 7")
    asked = harness.aws.of("get_metric_data")[-1]["MetricDataQueries"]
    dimensions = [
        query["MetricStat"]["Metric"]["Dimensions"] for query in asked if "MetricStat" in query
    ]
    assert [
        {"Name": "Version", "Value": "3"},
        {"Name": "Function", "Value": harness.function},
    ] in dimensions


async def test_every_look_is_one_call_and_a_bake_has_a_bounded_history(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    promoted(
        await harness.release(
            artifact=harness.package("three"), **GUARDED, **strategy(bake(duration="20m"))
        ),
        harness,
    )
    looks = len(harness.aws.of("get_metric_data"))
    assert 20 <= looks <= 20 * 5 + 10  # one each 15 s
    assert await harness.history_length() < 20 * 9 + 150


# --- silence ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
async def test_a_bake_whose_metrics_cannot_be_read_holds_for_a_person(
    harness: Harness, status: str
) -> None:
    callers(harness, candidate=USUAL)
    harness.aws.metrics_status = status
    handle = await harness.begin(
        artifact=harness.package("three"),
        **GUARDED,
        **strategy(bake(duration="1m", max_duration="2m")),
    )
    await harness.wait_for_phase("baking")
    await harness.fast_forward(timedelta(minutes=5))
    held = await harness.wait_for_phase("awaiting_approval")
    assert f"CloudWatch answered {status}" in held.note
    assert held.routing.percent == 10
    await harness.send("approve", note="looked at the logs")
    promoted(await harness.finish(handle), harness)


@pytest.mark.parametrize("kind", ["nobody calls", "throttled", "denied later"])
@pytest.mark.parametrize("step", ["bake", "analysis"])
async def test_silence_is_no_pass(harness: Harness, kind: str, step: str) -> None:
    callers(harness, candidate=USUAL, per_minute=0 if kind == "nobody calls" else 6000)
    match kind:
        case "throttled":
            harness.aws.fail("get_metric_data", "ThrottlingException", "Rate exceeded", times=None)
        case "denied later":
            harness.aws.fail(
                "get_metric_data", "AccessDeniedException", "not allowed", skip=1, times=None
            )
        case _:
            pass
    patient = {"duration": "1m", "max_duration": "3m", "on_no_data": "fail"}
    steps = {"bake": bake(**patient), "analysis": analysis(**patient)}
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **strategy(steps[step])
    )
    assert end.kind == "ReleaseRolledBack", end
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_who_wants_it_passes_without_data(harness: Harness) -> None:
    callers(harness, candidate=USUAL, per_minute=0)
    end = await harness.release(
        artifact=harness.package("three"),
        **GUARDED,
        **strategy(bake(duration="1m", on_no_data="pass")),
    )
    promoted(end, harness)


async def test_metrics_that_may_not_be_read_are_a_reason_not_to_begin(harness: Harness) -> None:
    harness.aws.fail(
        "get_metric_data",
        "AccessDeniedException",
        "User is not authorized to perform: cloudwatch:GetMetricData",
        times=None,
    )
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "ReleaseRejected", end
    assert "guards.metrics: CloudWatch cannot be asked" in end.text
    assert not harness.aws.writes


async def test_late_numbers_are_waited_for(harness: Harness) -> None:
    callers(harness, candidate=BAD)
    harness.aws.metrics_delay = timedelta(minutes=4)
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **strategy(bake(duration="1m"))
    )
    rolled_back(end, harness, "does worse than it may")


# --- bakes that wait for requests ------------------------------------------------------------------------------------------------


async def test_a_bake_lasts_until_enough_was_measured(harness: Harness) -> None:
    callers(harness, candidate=USUAL, per_minute=600)
    steps = strategy(bake(duration="1m", min_invocations=500, max_duration="1h"))
    promoted(await harness.release(artifact=harness.package("three"), **steps), harness)
    assert timedelta(minutes=8) < await took(harness) < timedelta(minutes=13)


async def test_a_bake_that_never_sees_enough_holds(harness: Harness) -> None:
    callers(harness, candidate=USUAL, per_minute=60)
    steps = strategy(bake(duration="1m", min_invocations=500, max_duration="10m"))
    handle = await harness.begin(artifact=harness.package("three"), **steps)
    await harness.wait_for_phase("baking")
    await harness.fast_forward(timedelta(minutes=15))
    held = await harness.wait_for_phase("awaiting_approval")
    assert "not enough to judge by within 10 min: " in held.note
    await harness.send("abort", reason="too little traffic")
    rolled_back(await harness.finish(handle), harness, "too little traffic")


# --- analysis steps --------------------------------------------------------------------------------------------------------------


async def test_an_analysis_rolls_back_what_is_worse(harness: Harness) -> None:
    callers(harness, candidate=BAD)
    rolled_back(
        await harness.release(artifact=harness.package("three"), **strategy(analysis())),
        harness,
        "does worse than it may",
    )
    assert await took(harness) < timedelta(minutes=5)


async def test_an_analysis_that_is_paused_rolls_back_what_is_worse(harness: Harness) -> None:
    callers(harness, candidate=BAD)
    handle = await harness.begin(artifact=harness.package("three"), **strategy(analysis()))
    await harness.wait_for_phase("baking")
    await harness.send("pause", reason="lunch")
    rolled_back(await harness.finish(handle), harness, "does worse than it may")


async def test_an_analysis_lasts_as_long_as_it_says_and_ends_early_only_where_that_is_allowed(
    harness: Harness,
) -> None:
    callers(harness, candidate=USUAL)
    promoted(
        await harness.release(artifact=harness.package("three"), **strategy(analysis())), harness
    )
    assert timedelta(minutes=10) <= await took(harness) < timedelta(minutes=11)


async def test_an_analysis_may_end_early_on_evidence(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    promoted(
        await harness.release(artifact=harness.package("three"), **strategy(analysis(early=True))),
        harness,
    )
    assert await took(harness) < timedelta(minutes=5)


async def test_an_analysis_that_comes_to_no_verdict_holds(harness: Harness) -> None:
    callers(harness, candidate=USUAL, per_minute=60)
    handle = await harness.begin(
        artifact=harness.package("three"), **strategy(analysis(max_duration="15m"))
    )
    await harness.wait_for_phase("baking")
    await harness.fast_forward(timedelta(minutes=20))
    held = await harness.wait_for_phase("awaiting_approval")
    assert "no verdict within 15 min" in held.note
    assert held.analysis is not None
    await harness.send("approve")
    promoted(await harness.finish(handle), harness)


async def test_slower_requests_are_counted_against_stables_own_p99(harness: Harness) -> None:
    def measured(version: str, minute: Any) -> dict[str, float | None]:
        count = round(6000 * harness.aws.share(harness.function, version, minute))
        slow = round(count * (0.08 if version == "3" else 0.01))
        return {"invocations": count, "slow": slow, "p99": 100} if count else {}

    harness.aws.measured = measured
    steps = strategy(analysis(not_worse=[{"metric": "slow_rate", "margin": 0.02}]))
    rolled_back(
        await harness.release(artifact=harness.package("three"), **steps),
        harness,
        "slow_rate not worse than stable's by 2 points",
    )
    stats = {
        query["MetricStat"]["Stat"]
        for query in harness.aws.of("get_metric_data")[-1]["MetricDataQueries"]
    }
    assert "TC(100:)" in stats


async def test_a_verdict_stands_in_the_history_with_its_numbers(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    promoted(
        await harness.release(artifact=harness.package("three"), **strategy(analysis(early=True))),
        harness,
    )
    verdict = await (await harness.rollout.describe()).memo_value("verdict")
    assert verdict["verdict"] == "passed"
    assert "against" in verdict["reason"]


# --- a broken baseline -----------------------------------------------------------------------------------------------------------


async def test_a_hotfix_ships_while_alarms_are_red_if_it_is_no_worse(harness: Harness) -> None:
    callers(harness, candidate=0.01, stable=0.4)
    harness.aws.alarms = {"errors": "ALARM", "latency": "OK"}
    guards = {
        "guards": {
            "alarms": ["errors", "latency"],
            "metrics": {"limits": [{"metric": "error_rate", "max": 0.001}]},
        }
    }
    end = await harness.release(
        artifact=harness.package("three"), hotfix=True, reason="INC-7", **guards, **CANARY
    )
    promoted(end, harness)
    assert end.status is not None
    assert end.status.hotfix


async def test_a_hotfix_that_makes_it_worse_is_rolled_back(harness: Harness) -> None:
    callers(harness, candidate=0.6, stable=0.4)
    harness.aws.alarms = {"errors": "ALARM"}
    end = await harness.release(
        artifact=harness.package("three"),
        hotfix=True,
        reason="INC-7",
        guards={"alarms": ["errors"]},
        **strategy(bake(duration="1h")),
    )
    rolled_back(end, harness, "does worse than it may")


async def test_an_alarm_that_goes_off_after_a_hotfix_began_still_counts(harness: Harness) -> None:
    callers(harness, candidate=0.4, stable=0.4)
    harness.aws.alarms = {"errors": "ALARM", "latency": "OK"}
    guards = {"guards": {"alarms": ["errors", "latency"]}}
    handle = await harness.begin(
        artifact=harness.package("three"), hotfix=True, reason="INC-7", **guards, **strategy(bake())
    )
    await harness.wait_for_phase("baking")
    harness.aws.alarms["latency"] = "ALARM"
    rolled_back(await harness.finish(handle), harness, "alarm latency went off")


async def test_without_hotfix_a_red_alarm_refuses_and_says_how(harness: Harness) -> None:
    harness.aws.alarms = {"errors": "ALARM"}
    end = await harness.release(
        artifact=harness.package("three"), guards={"alarms": ["errors"]}, **CANARY
    )
    assert end.kind == "ReleaseRejected"
    assert "hotfix" in end.text


# --- after 100 % -----------------------------------------------------------------------------------------------------------------


async def test_a_regression_after_100_percent_is_rolled_back_in_one_call(harness: Harness) -> None:
    harness.aws.alarms = {"errors": "OK"}
    guards = {"guards": {"alarms": ["errors"], "after": "3d"}}
    handle = await harness.begin(artifact=harness.package("three"), **guards, strategy="AllAtOnce")
    watched = await harness.wait_for_phase("baking", percent=100)
    assert watched.ends_at is not None
    assert harness.aws.routing(harness.function) == ("3", {})
    before = len(harness.aws.writes)
    harness.aws.alarms["errors"] = "ALARM"
    rolled_back(await harness.finish(handle), harness, "alarm errors went off")
    assert harness.aws.writes[before] == "update_alias"


async def test_a_limit_after_100_percent_counts(harness: Harness) -> None:
    callers(harness, candidate=BAD)
    limit = {
        "guards": {"metrics": {"limits": [{"metric": "error_rate", "max": 0.02}]}, "after": "3h"}
    }
    end = await harness.release(artifact=harness.package("three"), **limit, strategy="AllAtOnce")
    rolled_back(end, harness, "error_rate at most 0.02")


async def test_the_watch_after_100_percent_ends_by_itself(harness: Harness) -> None:
    promoted(
        await harness.release(
            artifact=harness.package("three"), guards={"after": "3h"}, strategy="AllAtOnce"
        ),
        harness,
    )
    assert await took(harness) > timedelta(hours=3)


async def test_a_promotion_ends_the_watch_after_100_percent(harness: Harness) -> None:
    handle = await harness.begin(
        artifact=harness.package("three"), guards={"after": "3h"}, strategy="AllAtOnce"
    )
    await harness.wait_for_phase("baking", percent=100)
    await harness.send("promote", reason="the next release waits")
    assert (await read_ending(handle)).kind == "Completed"
