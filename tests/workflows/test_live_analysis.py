"""Releases judged by CloudWatch's metrics.

Guards, analysis steps, bakes that wait for invocations, hotfixes, and the watch after 100 %.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.harness import CANARY, Ending, Harness, read_ending

GUARDED = {"guards": {"metrics": {"not_worse": [{"metric": "error_rate"}]}}}
BAD_ERROR_RATE, USUAL_ERROR_RATE = 0.05, 0.005


def canary_with(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": {"steps": [{"kind": "set_weight", "percent": 10}, *steps]}}


def bake_step(**keys: Any) -> dict[str, Any]:
    return {"kind": "bake", "duration": "10m", **keys}


def analysis_step(**keys: Any) -> dict[str, Any]:
    return {"kind": "analysis", "duration": "10m", "not_worse": [{}], **keys}


def set_traffic(
    harness: Harness,
    *,
    candidate: float,
    stable: float = USUAL_ERROR_RATE,
    per_minute: float = 6000,
) -> None:
    """Send 100 requests a second; candidate and stable fail at these rates."""
    harness.aws.callers(
        harness.function, per_minute=per_minute, error_rates={"3": candidate, "2": stable}
    )


async def read_duration(harness: Harness) -> timedelta:
    described = await harness.rollout.describe()
    assert described.close_time is not None
    return described.close_time - described.start_time


def assert_promoted(end: Ending, harness: Harness) -> None:
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("3", {})


def assert_rolled_back(end: Ending, harness: Harness, why: str) -> None:
    assert end.kind == "ReleaseRolledBack", end
    assert why in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


# --- guards ---


async def test_worse_candidate_is_rolled_back_before_its_bake_ends(
    harness: Harness,
) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **canary_with(bake_step(duration="1h"))
    )
    assert_rolled_back(
        end,
        harness,
        "version 3 does worse than it may: error_rate not worse than stable's by 2.5 points: ",
    )
    assert await read_duration(harness) < timedelta(minutes=5)
    assert end.status is not None
    assert end.status.analysis is not None
    analysis = end.status.analysis
    assert (analysis.verdict, analysis.candidate.error_rate, analysis.stable.error_rate) == (
        "failed",
        pytest.approx(0.05, rel=0.5),
        pytest.approx(0.005, rel=0.5),
    )
    assert (analysis.candidate.p99, analysis.candidate.invocations) == (
        100,
        pytest.approx(600, abs=590),
    )
    assert analysis.worse > 0.99


async def test_candidate_that_is_as_good_as_stable_is_promoted(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    assert_promoted(
        await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY), harness
    )
    status = (await harness.rollout.result()).analysis
    assert status is not None
    assert status.verdict == "passed"
    assert status.not_worse > 0.99


async def test_limit_alone_is_a_guard(harness: Harness) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE, stable=BAD_ERROR_RATE)
    limit = {"guards": {"metrics": {"limits": [{"metric": "error_rate", "max": 0.02}]}}}
    end = await harness.release(
        artifact=harness.package("three"), **limit, **canary_with(bake_step())
    )
    assert_rolled_back(end, harness, "error_rate at most 0.02: 0.0")


async def test_custom_metric_can_be_a_limit(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
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
    end = await harness.release(
        artifact=harness.package("three"), **limits, **canary_with(bake_step())
    )
    assert_rolled_back(end, harness, "100 * r / o at most 5: 7")
    queries = harness.aws.of("get_metric_data")[-1]["MetricDataQueries"]
    dimensions = [
        query["MetricStat"]["Metric"]["Dimensions"] for query in queries if "MetricStat" in query
    ]
    assert [
        {"Name": "Version", "Value": "3"},
        {"Name": "Function", "Value": harness.function},
    ] in dimensions


async def test_poll_is_one_call_and_the_history_of_a_bake_is_bounded(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    assert_promoted(
        await harness.release(
            artifact=harness.package("three"), **GUARDED, **canary_with(bake_step(duration="20m"))
        ),
        harness,
    )
    polls = len(harness.aws.of("get_metric_data"))
    assert 20 <= polls <= 20 * 5 + 10  # one each 15 s
    assert await harness.history_length() < 20 * 9 + 150


# --- missing data ---


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
async def test_bake_without_readable_metrics_holds_for_an_approval(
    harness: Harness, status: str
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    harness.aws.metrics_status = status
    handle = await harness.begin_until(
        "baking", **GUARDED, **canary_with(bake_step(duration="1m", max_duration="2m"))
    )
    await harness.fast_forward(timedelta(minutes=5))
    held = await harness.wait_for_phase("awaiting_approval")
    assert f"CloudWatch answered {status}" in held.note
    assert held.routing.percent == 10
    await harness.send("approve", note="looked at the logs")
    assert_promoted(await harness.finish(handle), harness)


@pytest.mark.parametrize("kind", ["no traffic", "throttled", "denied later"])
@pytest.mark.parametrize("step", ["bake", "analysis"])
async def test_missing_data_is_no_pass(harness: Harness, kind: str, step: str) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=0 if kind == "no traffic" else 6000)
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
    steps = {"bake": bake_step(**patient), "analysis": analysis_step(**patient)}
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **canary_with(steps[step])
    )
    assert end.kind == "ReleaseRolledBack", end
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_bake_passes_without_data_where_the_request_allows_it(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=0)
    end = await harness.release(
        artifact=harness.package("three"),
        **GUARDED,
        **canary_with(bake_step(duration="1m", on_no_data="pass")),
    )
    assert_promoted(end, harness)


async def test_denied_metrics_reject_the_release(harness: Harness) -> None:
    harness.aws.fail(
        "get_metric_data",
        "AccessDeniedException",
        "User is not authorized to perform: cloudwatch:GetMetricData",
        times=None,
    )
    end = await harness.release(artifact=harness.package("three"), **GUARDED, **CANARY)
    assert end.kind == "ReleaseRejected", end
    assert "guards.metrics: CloudWatch cannot be read" in end.text
    assert not harness.aws.writes


async def test_metrics_that_are_denied_for_seconds_reject_no_release(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    harness.aws.fail("get_metric_data", "ExpiredTokenException", "expired", times=3)
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **canary_with(bake_step(duration="1m"))
    )
    assert_promoted(end, harness)


async def test_late_data_is_waited_for(harness: Harness) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    harness.aws.metrics_delay = timedelta(minutes=4)
    end = await harness.release(
        artifact=harness.package("three"), **GUARDED, **canary_with(bake_step(duration="1m"))
    )
    assert_rolled_back(end, harness, "does worse than it may")


# --- bakes that wait for requests ---


async def test_bake_lasts_until_min_invocations_are_measured(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=600)
    steps = canary_with(bake_step(duration="1m", min_invocations=500, max_duration="1h"))
    assert_promoted(await harness.release(artifact=harness.package("three"), **steps), harness)
    assert timedelta(minutes=8) < await read_duration(harness) < timedelta(minutes=13)


async def test_bake_without_enough_invocations_holds(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=60)
    steps = canary_with(bake_step(duration="1m", min_invocations=500, max_duration="10m"))
    handle = await harness.begin_until("baking", **steps)
    await harness.fast_forward(timedelta(minutes=15))
    held = await harness.wait_for_phase("awaiting_approval")
    assert "not enough to judge by within 10 min: " in held.note
    await harness.send("abort", reason="too little traffic")
    assert_rolled_back(await harness.finish(handle), harness, "too little traffic")


# --- analysis steps ---


async def test_analysis_rolls_back_a_worse_candidate(harness: Harness) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    assert_rolled_back(
        await harness.release(artifact=harness.package("three"), **canary_with(analysis_step())),
        harness,
        "does worse than it may",
    )
    assert await read_duration(harness) < timedelta(minutes=5)


async def test_paused_analysis_rolls_back_a_worse_candidate(harness: Harness) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    handle = await harness.begin_until("baking", **canary_with(analysis_step()))
    await harness.send("pause", reason="lunch")
    assert_rolled_back(await harness.finish(handle), harness, "does worse than it may")


async def test_analysis_lasts_its_whole_duration_by_default(
    harness: Harness,
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    assert_promoted(
        await harness.release(artifact=harness.package("three"), **canary_with(analysis_step())),
        harness,
    )
    assert timedelta(minutes=10) <= await read_duration(harness) < timedelta(minutes=11)


async def test_analysis_may_end_early_and_leaves_its_verdict_in_the_memo(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    assert_promoted(
        await harness.release(
            artifact=harness.package("three"), **canary_with(analysis_step(early=True))
        ),
        harness,
    )
    assert await read_duration(harness) < timedelta(minutes=5)
    verdict = await (await harness.rollout.describe()).memo_value("verdict")
    assert verdict["verdict"] == "passed"
    assert "against" in verdict["reason"]


async def test_analysis_without_a_verdict_holds(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=60)
    handle = await harness.begin_until("baking", **canary_with(analysis_step(max_duration="15m")))
    await harness.fast_forward(timedelta(minutes=20))
    held = await harness.wait_for_phase("awaiting_approval")
    assert "no verdict within 15 min" in held.note
    assert held.analysis is not None
    await harness.send("approve")
    assert_promoted(await harness.finish(handle), harness)


async def test_slow_requests_are_counted_against_the_p99_of_stable(harness: Harness) -> None:
    def measured(version: str, minute: Any) -> dict[str, float | None]:
        count = round(6000 * harness.aws.share(harness.function, version, minute))
        slow = round(count * (0.08 if version == "3" else 0.01))
        return {"invocations": count, "slow": slow, "p99": 100} if count else {}

    harness.aws.measured = measured
    steps = canary_with(analysis_step(not_worse=[{"metric": "slow_rate", "margin": 0.02}]))
    assert_rolled_back(
        await harness.release(artifact=harness.package("three"), **steps),
        harness,
        "slow_rate not worse than stable's by 2 points",
    )
    stats = {
        query["MetricStat"]["Stat"]
        for query in harness.aws.of("get_metric_data")[-1]["MetricDataQueries"]
    }
    assert "TC(100:)" in stats


# --- a broken baseline ---


async def test_hotfix_is_promoted_during_alarms_if_it_is_no_worse(harness: Harness) -> None:
    set_traffic(harness, candidate=0.01, stable=0.4)
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
    assert_promoted(end, harness)
    assert end.status is not None
    assert end.status.hotfix


async def test_worse_hotfix_is_rolled_back(harness: Harness) -> None:
    set_traffic(harness, candidate=0.6, stable=0.4)
    harness.aws.alarms = {"errors": "ALARM"}
    end = await harness.release(
        artifact=harness.package("three"),
        hotfix=True,
        reason="INC-7",
        guards={"alarms": ["errors"]},
        **canary_with(bake_step(duration="1h")),
    )
    assert_rolled_back(end, harness, "does worse than it may")


async def test_alarm_that_goes_off_during_a_hotfix_rolls_back(harness: Harness) -> None:
    set_traffic(harness, candidate=0.4, stable=0.4)
    harness.aws.alarms = {"errors": "ALARM", "latency": "OK"}
    guards = {"guards": {"alarms": ["errors", "latency"]}}
    handle = await harness.begin_until(
        "baking", hotfix=True, reason="INC-7", **guards, **canary_with(bake_step())
    )
    harness.aws.alarms["latency"] = "ALARM"
    assert_rolled_back(await harness.finish(handle), harness, "alarm latency went off")


async def test_alarm_rejects_a_release_and_the_reason_names_hotfix(harness: Harness) -> None:
    harness.aws.alarms = {"errors": "ALARM"}
    end = await harness.release(
        artifact=harness.package("three"), guards={"alarms": ["errors"]}, **CANARY
    )
    assert end.kind == "ReleaseRejected"
    assert "hotfix" in end.text


# --- after 100 % ---


async def test_alarm_after_100_percent_is_rolled_back_in_one_call(harness: Harness) -> None:
    harness.aws.alarms = {"errors": "OK"}
    guards = {"guards": {"alarms": ["errors"], "after": "3d"}}
    handle = await harness.begin(artifact=harness.package("three"), **guards, strategy="AllAtOnce")
    watched = await harness.wait_for_phase("baking", percent=100)
    assert watched.ends_at is not None
    assert harness.aws.routing(harness.function) == ("3", {})
    before = len(harness.aws.writes)
    harness.aws.alarms["errors"] = "ALARM"
    assert_rolled_back(await harness.finish(handle), harness, "alarm errors went off")
    assert harness.aws.writes[before] == "update_alias"


async def test_limit_after_100_percent_rolls_back(harness: Harness) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    limit = {
        "guards": {"metrics": {"limits": [{"metric": "error_rate", "max": 0.02}]}, "after": "3h"}
    }
    end = await harness.release(artifact=harness.package("three"), **limit, strategy="AllAtOnce")
    assert_rolled_back(end, harness, "error_rate at most 0.02")


async def test_watch_after_100_percent_ends_after_its_duration(harness: Harness) -> None:
    assert_promoted(
        await harness.release(
            artifact=harness.package("three"), guards={"after": "3h"}, strategy="AllAtOnce"
        ),
        harness,
    )
    assert await read_duration(harness) > timedelta(hours=3)


async def test_promotion_ends_the_watch_after_100_percent(harness: Harness) -> None:
    handle = await harness.begin_until(
        "baking", percent=100, guards={"after": "3h"}, strategy="AllAtOnce"
    )
    await harness.send("promote", reason="the next release waits")
    assert (await read_ending(handle)).kind == "Completed"
