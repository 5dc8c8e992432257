"""Why a release ended as it did, told from its history; and what other rules would have made of past ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse, Series
from tests.harness import CANARY, Harness, read_ending
from tests.workflows.record import HISTORIES
from tests.workflows.test_cli import Shell
from tests.workflows.test_live_analysis import BAD_ERROR_RATE, GUARDED, USUAL_ERROR_RATE, bake_step, set_traffic, canary_with
from workflows.client import ReleaseClient
from workflows.client.errors import NoSuchRelease
from workflows.client.explain import explain
from workflows.client.explanation import LineKind
from workflows.client.facts import (
    AliasMoved,
    ControlReceived,
    Fact,
    MetricsRead,
    ReleaseRequested,
)
from workflows.client.history import HistoryReader
from workflows.client.rejudge import ReleaseQuality, summarize
from workflows.client.runs import Run
from workflows.client.stop_cause import StopCause
from workflows.domain.assessment import Verdict
from workflows.domain.routing import Routing
from workflows.domain.rules import Rules
from workflows.domain.status import ReleaseStatus
from workflows.domain.target import Target
from workflows.request import ReleaseRequest

STRICT = Rules.model_validate({"not_worse": [{"margin": 0.01}]})


@pytest.fixture
def shell(temporal: WorkflowEnvironment, harness: Harness) -> Shell:
    return Shell(temporal.client.service_client.config.target_host, harness.queue)


@pytest.fixture
def releases(harness: Harness) -> ReleaseClient:
    return ReleaseClient(harness.client)


def target(harness: Harness) -> Target:
    return Target(function=harness.function)


async def test_it_tells_rules_measurements_verdict_and_end_of_a_release_that_was_rolled_back(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    await harness.release(
        artifact=harness.package("three"),
        requested_by="ci",
        **GUARDED,
        **canary_with(bake_step(duration="1h")),
    )
    told = await releases.explain(target(harness))
    assert told.judged_by == (
        "all the time: error_rate not worse than stable's by 2.5 points (alpha 0.01)",
    )
    assert told.ending is not None
    assert told.ending.outcome == "rolled_back"
    assert told.stopped_by is StopCause.METRICS
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
async def test_releases_that_are_not_measured_are_explained_as_well(
    harness: Harness, releases: ReleaseClient, who: str
) -> None:
    harness.aws.alarms = {"errors": "OK"}
    hooks: dict[str, Any] = {}
    if who == "hook":
        harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "no"})
        hooks = {"hooks": {"after_traffic": "smoke"}}
    handle = await harness.begin(
        artifact=harness.package("three"), guards={"alarms": ["errors"]}, **hooks, **CANARY
    )
    await harness.wait_for_phase("baking")
    under_way = await releases.explain(target(harness))
    assert (under_way.ending, under_way.stopped_by) == (None, None)
    if who == "alarm":
        harness.aws.alarms["errors"] = "ALARM"
    if who == "person":
        await harness.send("abort", reason="wrong build")
    await harness.finish(handle)
    told = await releases.explain(target(harness))
    assert told.stopped_by == (None if who == "promoted" else StopCause(who))
    texts = {(line.kind, line.text) for line in told.lines}
    answer = {
        "alarm": (LineKind.ANSWERED, "Watch errors: alarm errors went off: errors is ALARM"),
        "hook": (LineKind.ANSWERED, "Ask smoke (after_traffic): it refuses: no"),
        "person": (LineKind.CONTROL, "abort by ana: wrong build"),
        "promoted": (LineKind.ANSWERED, "Look at errors: none is red"),
    }
    assert answer[who] in texts
    assert told.judged_by == (
        "alarms: errors",
        *(["hook: smoke (after_traffic)"] if who == "hook" else []),
    )
    moved = [line.percent for line in told.lines if line.kind is LineKind.MOVED]
    assert (
        moved
        == {"alarm": [10, 0], "hook": [10, 100, 0], "person": [10, 0], "promoted": [10, 100]}[who]
    )
    assert told.ending is not None
    assert told.ending.outcome == ("succeeded" if who == "promoted" else "rolled_back")


async def test_a_probe_that_failed_is_who_stopped_it_once_more_have_failed_than_may(
    harness: Harness, releases: ReleaseClient
) -> None:
    answers = iter([{"status": "bad"}, {"status": "ok"}, {"status": "ok"}, {"status": "bad"}])
    harness.aws.handlers[harness.function] = lambda _: next(answers)
    request = {"payload": {}, "expect": [{"path": "$.status", "equals": "ok"}]}
    steps = [
        {"kind": "probe", "requests": [request], "count": 2, "max_failures": most}
        for most in (1, 0)
    ]
    await harness.release(artifact=harness.package("three"), **canary_with(*steps))
    told = await releases.explain(target(harness))
    assert told.stopped_by is StopCause.PROBE
    probed = [line.text.partition(": ")[2] for line in told.lines if line.kind is LineKind.ANSWERED]
    assert [text.endswith("as expected") for text in probed] == [False, True, True, False]


async def test_probes_that_may_fail_stop_nothing(harness: Harness, releases: ReleaseClient) -> None:
    answers = iter([{"status": "bad"}, {"status": "ok"}])
    harness.aws.handlers[harness.function] = lambda _: next(answers)
    request = {"payload": {}, "expect": [{"path": "$.status", "equals": "ok"}]}
    probe = {"kind": "probe", "requests": [request], "count": 2, "max_failures": 1}
    handle = await harness.begin(
        artifact=harness.package("three"), **canary_with(probe, {"kind": "approval"})
    )
    await harness.wait_for_phase("awaiting_approval")
    await harness.send("abort", reason="wrong build")
    await harness.finish(handle)
    assert (await releases.explain(target(harness))).stopped_by is StopCause.PERSON


async def test_a_killed_rollout_is_explained_with_what_mended_it(
    harness: Harness, releases: ReleaseClient
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.rollout.terminate(reason="an accident")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    told = await releases.explain(target(harness))
    assert told.ending is not None
    assert told.ending.outcome == "rolled_back"
    texts = [line.text for line in told.lines]
    assert texts.index("terminated: an accident") < texts.index(
        f"Put {harness.function}:live back on version 2"
    )


async def test_a_release_that_never_had_a_rollout_is_explained_by_its_own_id(
    harness: Harness, releases: ReleaseClient
) -> None:
    handle = await harness.start(
        "Release",
        {"target": {"function": "nowhere"}, "artifact": {"kind": "latest"}, "reason": "PR 1"},
    )
    await read_ending(handle)
    told = await releases.explain(handle.id)
    assert told.ending is not None
    assert (told.ending.outcome, told.reason, told.stopped_by) == ("rejected", "PR 1", None)


async def test_an_older_run_is_explained_by_its_id_or_its_releases(
    harness: Harness, releases: ReleaseClient
) -> None:
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), strategy="AllAtOnce")
    )
    await read_ending(handle)
    older = await releases.explain(target(harness))
    await harness.release(artifact=harness.package("four"), strategy="AllAtOnce")
    assert (await releases.explain(target(harness))).run.run_id != older.run.run_id
    assert await releases.explain(target(harness), run_id=older.run.run_id) == older
    assert await releases.explain(handle.id) == older
    for unknown in ("nonsense", "01a212e5-84a7-77bf-884b-b245962d338e"):
        with pytest.raises(NoSuchRelease, match="releases history --json lists them"):
            await releases.explain(target(harness), run_id=unknown)


async def test_each_measurement_is_told_with_the_verdict_by_the_rules_of_its_step(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    analysis = {
        "kind": "analysis",
        "duration": "5m",
        "limits": [{"metric": "duration_p99", "max": 5000}],
    }
    guards = {
        "guards": {"metrics": {"not_worse": [{"margin": 0.01}], "min_invocations": 1_000_000}}
    }
    await harness.release(
        artifact=harness.package("three"),
        **guards,
        **canary_with({"kind": "set_weight", "percent": 10}, bake_step(), analysis),
    )
    told = await releases.explain(target(harness))
    since = next(line.at for line in told.lines if line.text == "Analysis for 5 min")
    measured = [
        (line.at >= since, line.assessed.verdict)
        for line in told.lines
        if line.kind is LineKind.MEASURED and line.assessed
    ]
    assert set(measured) == {
        (False, Verdict.PENDING),
        (True, Verdict.PASSED),
    }  # what the guards ask for never comes
    assert [
        line.assessed.verdict for line in told.lines if line.kind is LineKind.VERDICT and line.assessed
    ] == [Verdict.PASSED]


async def test_of_a_long_release_measurements_that_changed_nothing_are_left_out_first() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    run = Run(
        id="lambda/1/eu-west-1/checkout:live",
        run_id="1",
        status=ReleaseStatus(target=Target(function="checkout")),
        state="RUNNING",
        started_at=at,
    )
    guards = {"metrics": {"not_worse": [{"margin": 0.01}], "min_invocations": 25_000}}
    request = ReleaseRequest.model_validate(
        {"target": {"function": "checkout"}, "artifact": {"kind": "latest"}, "guards": guards}
    )
    asked = MetricsRequest(
        function_name="checkout", name="live", versions=["2", "1"], since=at, settle=0.0
    )

    async def facts() -> AsyncIterator[Fact]:
        yield ReleaseRequested(at, "", request)
        yield AliasMoved(at, "10% to version 2", Routing(version="1", weights={"2": 0.1}))
        for number in range(300):
            minute = at + number * timedelta(minutes=1)
            series = {version: Series(invocations=[100], errors=[0]) for version in ("2", "1")}
            yield MetricsRead(
                minute + timedelta(minutes=2),
                "Measure",
                asked,
                MetricsResponse(
                    at=minute + timedelta(minutes=2),
                    status="Complete",
                    minutes=[minute],
                    versions=series,
                    digest=str(number),
                ),
            )
        yield ControlReceived(at + timedelta(days=1), "pause by ana", is_stop=False)

    told = await explain(run, facts())
    assert [line.kind for line in told.lines] == [LineKind.MOVED, *[LineKind.MEASURED] * 3, LineKind.CONTROL]
    assert [line.assessed.verdict for line in told.lines if line.assessed] == [
        Verdict.PENDING,
        Verdict.PASSED,
        Verdict.PASSED,
    ]
    assert told.left_out == 297
    assert told.ending is None


STOPPED_BY = {
    "abort": StopCause.PERSON, "alarm": StopCause.ALARM, "cancel": StopCause.PERSON, "foreign": StopCause.OTHER, "foreign_upload": StopCause.OTHER,
    "hook_refusal": StopCause.HOOK, "judged": StopCause.METRICS, "probe_refusal": StopCause.PROBE, "terminated": StopCause.OTHER, "terminated_with_concurrency": StopCause.OTHER,
}  # fmt: skip


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("lambda/1/eu-west-1/checkout:live", path.read_text())


@pytest.mark.parametrize(
    "path", sorted(HISTORIES.glob("*.rollout.json")), ids=lambda path: path.name.split(".")[0]
)
async def test_every_release_that_was_recorded_is_explained(harness: Harness, path: Path) -> None:
    history = recorded(path)

    async def events() -> AsyncIterator[HistoryEvent]:
        for event in history.events:
            yield event

    run = Run(
        id=history.workflow_id,
        run_id="1",
        status=ReleaseStatus(target=Target(function="checkout")),
        state="",
        started_at=datetime.now(UTC),
    )
    told = await explain(
        run, HistoryReader(history.workflow_id, harness.client.data_converter).read_facts(events())
    )
    assert told.ending is not None
    assert told.stopped_by == STOPPED_BY.get(path.name.split(".")[0])
    assert bool(told.lines) is (told.ending.outcome != "rejected")
    assert [line for line in told.lines if "cannot read" in line.text] == []


async def test_rollbacks_and_rejected_releases_are_not_judged(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **GUARDED, **canary_with(bake_step()))
    await harness.roll_back()
    await harness.release(artifact={"kind": "version", "version": "99"})
    await harness.wait_for_closed_runs(3)
    [judged] = await releases.rejudge(target(harness), STRICT)
    assert (judged.was, judged.cause, judged.verdict) == (ReleaseQuality.GOOD, None, Verdict.PASSED)
    assert judged.after is not None
    assert (judged.requests > 0, judged.errors > 0) == (True, True)


async def test_the_same_rules_come_to_the_same_as_the_release_did(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=0.02, stable=0.02, per_minute=300)
    metrics = {"not_worse": [{"margin": 0.02}, {"metric": "slow_rate", "margin": 0.05}]}
    ended = await harness.release(
        artifact=harness.package("three"), guards={"metrics": metrics}, **canary_with(bake_step())
    )
    [judged] = await releases.rejudge(target(harness), Rules.model_validate(metrics))
    assert ended.status is not None
    assert ended.status.analysis is not None
    assert ended.status.analysis.verdict is Verdict.PENDING
    assert (
        "evidence of that" in ended.status.analysis.reason
    )  # with its numbers, so that equal means equal
    assert judged.assessed == ended.status.analysis


async def test_past_releases_are_judged_by_other_rules(
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
    newest, oldest = await releases.rejudge(target(harness), STRICT)
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


async def test_what_was_not_recorded_is_said(harness: Harness, releases: ReleaseClient) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **GUARDED, **canary_with(bake_step()))
    other = Rules.model_validate(
        {"limits": [{"metric": {"namespace": "Shop", "name": "Refused"}, "max": 3}]}
    )
    [judged] = await releases.rejudge(target(harness), other)
    assert judged.missing == ("Sum of Shop Refused at most 3",)
    assert judged.verdict is Verdict.PENDING


async def test_a_release_without_measurements_is_not_judged(
    harness: Harness, releases: ReleaseClient
) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    [judged] = await releases.rejudge(target(harness), STRICT)
    assert judged.verdict is None
    assert "1 without measurements" in summarize([judged])


async def test_the_command_line_explains_and_rejudges(
    harness: Harness, shell: Shell, tmp_path: Path
) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **GUARDED, **canary_with(bake_step()))
    explained = await shell("explain", harness.function)
    assert explained.exit_code == 0
    for words in (
        "judged by: all the time: error_rate not worse",
        "Measured: version 3: ",
        "Verdict: failed",
        "Stopped by: what CloudWatch measured",
    ):
        assert words in explained.stdout
    status = await shell("status", harness.function)
    assert (
        "failed (0% sure that it is not worse, 99." in status.stdout
        or "over 99.9% that it is)" in status.stdout
    )
    older = await shell("explain", harness.function, "--run", "nonsense")
    assert (older.exit_code, older.stderr.count("\n")) == (2, 1)
    told = json.loads((await shell("explain", harness.function, "--json")).stdout)
    assert (told["stopped_by"], told["run"]["ending"]["outcome"], told["lines"][-1]["percent"]) == (
        "metrics",
        "rolled_back",
        0,
    )
    watched = await shell("watch", harness.function)
    assert "Measure versions" not in watched.stdout
    policy = tmp_path / "policy.yaml"
    policy.write_text("not_worse: [{metric: error_rate, margin: 0.01}]")
    rejudged = await shell("rejudge", harness.function, "--policy", str(policy))
    assert rejudged.exit_code == 0
    assert "1 of 1 bad releases would have been stopped, 0 of 0 good ones" in rejudged.stdout
    assert "bad: stopped by what CloudWatch measured" in rejudged.stdout
    [judged] = json.loads(
        (
            await shell(
                "rejudge", harness.function, "--policy", str(policy), "--runs", "5", "--json"
            )
        ).stdout
    )
    assert (judged["was"], judged["verdict"], judged["assessed"]["verdict"]) == (
        "bad",
        "failed",
        "failed",
    )


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
async def test_a_policy_that_is_none_is_refused(
    shell: Shell, harness: Harness, policy: str, problem: str
) -> None:
    refused = await shell("rejudge", harness.function, "--policy", policy)
    assert refused.exit_code == 2
    assert problem in refused.stderr
