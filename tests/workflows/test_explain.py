"""Why a release ended as it did, told from its history; and what other rules would have made of past ones."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.scene import CANARY, Scene
from tests.workflows.test_analysis import BAD, GUARDED, USUAL, bake, callers, strategy
from tests.workflows.test_cli import Shell
from workflows.client import ReleaseClient
from workflows.domain.judgement import Outcome, Rules
from workflows.domain.target import Target
from workflows.explaining import Was, summary
from workflows.recorded import Cause

STRICT = Rules.model_validate({"not_worse": [{"margin": 0.01}]})


@pytest.fixture
def shell(temporal: WorkflowEnvironment, scene: Scene) -> Shell:
    return Shell(temporal.client.service_client.config.target_host, scene.queue)


@pytest.fixture
def releases(scene: Scene) -> ReleaseClient:
    return ReleaseClient(scene.client)


def target(scene: Scene) -> Target:
    return Target(function=scene.function)


async def test_it_tells_rules_measurements_verdict_and_end_of_a_release_that_was_rolled_back(scene: Scene, releases: ReleaseClient) -> None:
    callers(scene, candidate=BAD)
    await scene.release(artifact=scene.package("three"), requested_by="ci", **GUARDED, **strategy(bake(duration="1h")))
    told = await releases.explain(target(scene))
    assert told.rules == ("error_rate not worse than stable's by 2.5 points",)
    assert told.ending is not None
    assert told.ending.outcome == "rolled_back"
    assert told.stopped_by is Cause.METRICS
    texts = [line.text for line in told.lines]
    assert "10% to version 3" in texts
    measured = [line.assessed for line in told.lines if line.text == "Measured" and line.assessed]
    assert measured[-1].candidate.invocations > 0
    [verdict] = [line for line in told.lines if line.text.startswith("Verdict: failed: ")]
    assert verdict.assessed is not None
    assert told.ending.status is not None
    assert verdict.assessed == told.ending.status.analysis
    assert measured[-1].candidate == verdict.assessed.candidate  # read again, it comes to the same


@pytest.mark.parametrize("who", ["alarm", "hook", "person", "promoted"])
async def test_releases_that_are_not_measured_are_explained_as_well(scene: Scene, releases: ReleaseClient, who: str) -> None:
    scene.aws.alarms = {"errors": "OK"}
    hooks: dict[str, Any] = {}
    if who == "hook":
        scene.aws.hook("smoke", lambda _: {"accept": False, "reason": "no"})
        hooks = {"hooks": {"after_traffic": "smoke"}}
    handle = await scene.begin(artifact=scene.package("three"), guards={"alarms": ["errors"]}, **hooks, **CANARY)
    await scene.reaches("baking")
    under_way = await releases.explain(target(scene))
    assert (under_way.ending, under_way.stopped_by) == (None, None)
    if who == "alarm":
        scene.aws.alarms["errors"] = "ALARM"
    if who == "person":
        await scene.say("abort", reason="wrong build")
    await scene.finished(handle)
    told = await releases.explain(target(scene))
    assert told.stopped_by == (None if who == "promoted" else Cause(who))
    assert told.ending is not None
    assert told.ending.outcome == ("succeeded" if who == "promoted" else "rolled_back")


async def test_past_releases_are_judged_by_other_rules(scene: Scene, releases: ReleaseClient) -> None:
    loose = {"guards": {"metrics": {"not_worse": [{"margin": 0.2}], "limits": [{"metric": "error_rate", "max": 0.04, "minutes": 3}]}}}
    callers(scene, candidate=BAD)
    await scene.release(artifact=scene.package("three"), **loose, **strategy(bake()))
    callers(scene, candidate=0)
    scene.aws.callers(scene.function, per_minute=6000, error_rates={"4": 0.03, "3": 0.03, "2": USUAL})
    assert (await scene.release(artifact=scene.package("four"), **loose, **strategy(bake()))).kind == "Completed"
    await scene.seen(2)
    newest, oldest = await releases.rejudge(target(scene), STRICT)
    assert (newest.was, newest.verdict) == (Was.GOOD, Outcome.FAILED)  # 3 % against 0.5 %: not good by these rules
    assert (oldest.was, oldest.verdict) == (Was.BAD, Outcome.FAILED)
    assert newest.after is not None
    assert timedelta(0) < newest.after < timedelta(minutes=5)
    assert newest.assessed is not None
    assert newest.assessed.candidate.invocations > 0
    assert summary([newest, oldest]).startswith("1 of 1 bad releases would have been stopped, 1 of 1 good ones")


async def test_what_was_not_recorded_is_said(scene: Scene, releases: ReleaseClient) -> None:
    callers(scene, candidate=USUAL)
    await scene.release(artifact=scene.package("three"), **GUARDED, **strategy(bake()))
    other = Rules.model_validate({"limits": [{"metric": {"namespace": "Shop", "name": "Refused"}, "max": 3}]})
    [judged] = await releases.rejudge(target(scene), other)
    assert judged.missing == ("Sum of Shop Refused at most 3",)
    assert judged.verdict is Outcome.PENDING


async def test_a_release_without_measurements_is_not_judged(scene: Scene, releases: ReleaseClient) -> None:
    await scene.release(artifact=scene.package("three"), **CANARY)
    [judged] = await releases.rejudge(target(scene), STRICT)
    assert judged.verdict is None
    assert "1 without measurements" in summary([judged])


async def test_the_command_line_explains_and_rejudges(scene: Scene, shell: Shell, tmp_path: Path) -> None:
    callers(scene, candidate=BAD)
    await scene.release(artifact=scene.package("three"), **GUARDED, **strategy(bake()))
    explained = await shell("explain", scene.function)
    assert explained.exit_code == 0
    for words in ("judged by: error_rate not worse", "Measured: version 3: ", "Verdict: failed", "Stopped by: what CloudWatch measured"):
        assert words in explained.stdout
    status = await shell("status", scene.function)
    assert "failed (0% sure that it is not worse, over 99.9% that it is)" in status.stdout
    policy = tmp_path / "policy.yaml"
    policy.write_text("not_worse: [{metric: error_rate, margin: 0.01}]")
    rejudged = await shell("rejudge", scene.function, "--policy", str(policy))
    assert rejudged.exit_code == 0
    assert "1 of 1 bad releases would have been stopped" in rejudged.stdout


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("{}", "name what is judged"),
        ('{"not_worse": [{"margin": 5}]}', "not_worse.0.margin"),
        ('{"limit": []}', "limit: Extra inputs are not permitted"),
        ("{", "neither JSON nor YAML"),
        ("/nowhere.yaml", "cannot be read"),
        (json.dumps({"alpha": 2}), "alpha"),
    ],
)
async def test_a_policy_that_is_none_is_refused(shell: Shell, scene: Scene, policy: str, problem: str) -> None:
    refused = await shell("rejudge", scene.function, "--policy", policy)
    assert refused.exit_code == 2
    assert problem in refused.stderr
