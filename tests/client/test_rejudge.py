"""Past releases by other rules."""

from __future__ import annotations

from datetime import timedelta

from tests.client.releases import make_target
from tests.harness import CANARY, Harness
from tests.workflows.test_live_analysis import (
    BAD_ERROR_RATE,
    GUARDED,
    USUAL_ERROR_RATE,
    bake_step,
    canary_with,
    set_traffic,
)
from workflows.client import ReleaseClient
from workflows.client.rejudge import ReleaseQuality, summarize
from workflows.client.stop_cause import StopCause
from workflows.domain.assessment import Verdict
from workflows.domain.rules import Rules

STRICT = Rules.model_validate({"not_worse": [{"margin": 0.01}]})


async def test_rollbacks_and_rejected_releases_are_not_rejudged(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **GUARDED, **canary_with(bake_step()))
    await harness.roll_back()
    await harness.release(artifact={"kind": "version", "version": "99"})
    await harness.wait_for_closed_runs(3)
    [judged] = await releases.rejudge(make_target(harness), STRICT)
    assert judged.verdict is Verdict.PASSED
    assert judged.after is not None
    assert (judged.requests > 0, judged.errors > 0) == (True, True)


async def test_release_whose_version_was_rolled_back_from_later_was_bad(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **GUARDED, **canary_with(bake_step()))
    target = make_target(harness)
    [judged] = await releases.rejudge(target, STRICT)
    assert (judged.was, judged.cause) == (ReleaseQuality.GOOD, None)
    await harness.roll_back()
    await harness.wait_for_closed_runs(2)
    [judged] = await releases.rejudge(target, STRICT)
    assert (judged.was, judged.cause) == (ReleaseQuality.BAD, StopCause.ROLLBACK)
    assert summarize([judged]) == (
        "0 of 1 bad releases would have been stopped (1 passed); no good release was measured"
    )
    await harness.roll_back(version="3")
    await harness.wait_for_closed_runs(3)
    [judged] = await releases.rejudge(target, STRICT)
    assert (judged.was, judged.cause) == (ReleaseQuality.GOOD, None)


async def test_same_rules_reach_the_same_analysis_as_the_release(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=0.02, stable=0.02, per_minute=300)
    metrics = {"not_worse": [{"margin": 0.02}, {"metric": "slow_rate", "margin": 0.05}]}
    ended = await harness.release(
        artifact=harness.package("three"), guards={"metrics": metrics}, **canary_with(bake_step())
    )
    [judged] = await releases.rejudge(make_target(harness), Rules.model_validate(metrics))
    assert ended.status is not None
    assert ended.status.analysis is not None
    assert ended.status.analysis.verdict is Verdict.PENDING
    assert (
        "evidence of that" in ended.status.analysis.reason
    )  # with its numbers, so that equal means equal
    assert judged.assessed == ended.status.analysis


async def test_past_releases_are_rejudged_by_other_rules(
    harness: Harness, releases: ReleaseClient
) -> None:
    loose = {
        "guards": {
            "metrics": {
                "not_worse": [{"margin": 0.2}],
                "limits": [{"metric": "error_rate", "max": 0.04, "minutes": 3}],
            }
        }
    }
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **loose, **canary_with(bake_step()))
    set_traffic(harness, candidate=0)
    harness.aws.callers(
        harness.function, per_minute=6000, error_rates={"4": 0.03, "3": 0.03, "2": USUAL_ERROR_RATE}
    )
    assert (
        await harness.release(artifact=harness.package("four"), **loose, **canary_with(bake_step()))
    ).kind == "Completed"
    await harness.wait_for_closed_runs(2)
    newest, oldest = await releases.rejudge(make_target(harness), STRICT)
    assert (newest.was, newest.verdict) == (
        ReleaseQuality.GOOD,
        Verdict.FAILED,
    )  # 3 % against 0.5 %: not good by these rules
    assert (oldest.was, oldest.verdict) == (ReleaseQuality.BAD, Verdict.FAILED)
    assert newest.after is not None
    assert timedelta(0) < newest.after < timedelta(minutes=5)
    assert newest.assessed is not None
    assert newest.assessed.candidate.invocations > 0
    assert summarize([newest, oldest]).startswith(
        "1 of 1 bad releases would have been stopped, 1 of 1 good ones"
    )


async def test_rule_without_recorded_metrics_is_reported_as_missing(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **GUARDED, **canary_with(bake_step()))
    other = Rules.model_validate(
        {"limits": [{"metric": {"namespace": "Shop", "name": "Refused"}, "max": 3}]}
    )
    [judged] = await releases.rejudge(make_target(harness), other)
    assert judged.missing == ("Sum of Shop Refused at most 3",)
    assert judged.verdict is Verdict.PENDING


async def test_release_without_measurements_has_no_verdict(
    harness: Harness, releases: ReleaseClient
) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    [judged] = await releases.rejudge(make_target(harness), STRICT)
    assert judged.verdict is None
    assert summarize([judged]) == (
        "no release was measured, so these rules cannot be compared with any; "
        "not counted: 1 without measurements"
    )
