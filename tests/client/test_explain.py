"""Explanations of releases, from their histories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse, Series
from tests.client.releases import make_target
from tests.harness import CANARY, Harness, read_ending
from tests.workflows.record import HISTORIES
from tests.workflows.test_live_analysis import (
    BAD_ERROR_RATE,
    GUARDED,
    USUAL_ERROR_RATE,
    bake_step,
    canary_with,
    set_traffic,
)
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
from workflows.client.runs import Run
from workflows.client.stop_cause import StopCause
from workflows.domain.assessment import Verdict
from workflows.domain.routing import Routing
from workflows.domain.status import ReleaseStatus
from workflows.domain.target import Target
from workflows.request import ReleaseRequest

STOPPED_BY = {
    "abort": StopCause.PERSON,
    "alarm": StopCause.ALARM,
    "alarm_blink": StopCause.ALARM,
    "cancel": StopCause.PERSON,
    "cancel_with_status": StopCause.PERSON,
    "edited_description": StopCause.HOOK,
    "foreign": StopCause.OTHER,
    "foreign_code": StopCause.OTHER,
    "foreign_upload": StopCause.OTHER,
    "foreign_setting": StopCause.OTHER,
    "foreign_reserved": StopCause.PERSON,
    "given_up": StopCause.PERSON,
    "handed_controls": StopCause.PERSON,
    "hook_refusal": StopCause.HOOK,
    "judged": StopCause.METRICS,
    "kept": StopCause.OTHER,
    "large_package": StopCause.HOOK,
    "probe_refusal": StopCause.PROBE,
    "refused_first": StopCause.HOOK,
    "refused_upload": StopCause.OTHER,
    "reset_rollout": StopCause.OTHER,
    "shipped_again_unknown": StopCause.OTHER,
    "terminated": StopCause.OTHER,
    "terminated_with_concurrency": StopCause.OTHER,
}
"""By the name of the recorded history; none stopped the others."""


async def test_explanation_has_rules_measurements_verdict_and_ending(
    harness: Harness, releases: ReleaseClient
) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    await harness.release(
        artifact=harness.package("three"),
        requested_by="ci",
        **GUARDED,
        **canary_with(bake_step(duration="1h")),
    )
    explanation = await releases.explain(make_target(harness))
    assert explanation.judged_by == (
        "all the time: error_rate not worse than stable's by 2.5 points (alpha 0.01)",
    )
    assert explanation.ending is not None
    assert explanation.ending.outcome == "rolled_back"
    assert explanation.stopped_by is StopCause.METRICS
    texts = [line.text for line in explanation.lines]
    assert "10% to version 3" in texts
    measured = [
        line.assessed for line in explanation.lines if line.text == "Measured" and line.assessed
    ]
    assert measured[-1].candidate.invocations > 0
    [verdict] = [line for line in explanation.lines if line.text.startswith("Verdict: failed: ")]
    assert verdict.assessed is not None
    assert explanation.ending.status is not None
    assert verdict.assessed == explanation.ending.status.analysis
    assert measured[-1].candidate == verdict.assessed.candidate  # read again, it comes to the same


@pytest.mark.parametrize("cause", ["alarm", "hook", "person", "promoted"])
async def test_release_without_measurements_is_explained(
    harness: Harness, releases: ReleaseClient, cause: str
) -> None:
    harness.aws.alarms = {"errors": "OK"}
    hooks: dict[str, Any] = {}
    if cause == "hook":
        harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "no"})
        hooks = {"hooks": {"after_traffic": "smoke"}}
    handle = await harness.begin(
        artifact=harness.package("three"), guards={"alarms": ["errors"]}, **hooks, **CANARY
    )
    await harness.wait_for_phase("baking")
    running = await releases.explain(make_target(harness))
    assert (running.ending, running.stopped_by) == (None, None)
    if cause == "alarm":
        harness.aws.alarms["errors"] = "ALARM"
    if cause == "person":
        await harness.send("abort", reason="wrong build")
    await harness.finish(handle)
    explanation = await releases.explain(make_target(harness))
    assert explanation.stopped_by == (None if cause == "promoted" else StopCause(cause))
    texts = {(line.kind, line.text) for line in explanation.lines}
    answer = {
        "alarm": (LineKind.ANSWERED, "Watch errors: alarm errors went off: errors is ALARM"),
        "hook": (LineKind.ANSWERED, "Ask smoke (after_traffic): it refuses: no"),
        "person": (LineKind.CONTROL, "abort by ana: wrong build"),
        "promoted": (LineKind.ANSWERED, "Look at errors: none is red"),
    }
    assert answer[cause] in texts
    assert explanation.judged_by == (
        "alarms: errors",
        *(["hook: smoke (after_traffic)"] if cause == "hook" else []),
    )
    moved = [line.percent for line in explanation.lines if line.kind is LineKind.MOVED]
    assert (
        moved
        == {"alarm": [10, 0], "hook": [10, 100, 0], "person": [10, 0], "promoted": [10, 100]}[cause]
    )
    assert explanation.ending is not None
    assert explanation.ending.outcome == ("succeeded" if cause == "promoted" else "rolled_back")


async def test_killed_rollout_is_explained_with_its_rollback(
    harness: Harness, releases: ReleaseClient
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.rollout.terminate(reason="an accident")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    explanation = await releases.explain(make_target(harness))
    assert explanation.ending is not None
    assert explanation.ending.outcome == "rolled_back"
    texts = [line.text for line in explanation.lines]
    assert texts.index("terminated: an accident") < texts.index(
        f"Put {harness.function}:live back on version 2: the rollout was terminated"
    )


async def test_release_without_a_rollout_is_explained_by_its_own_id(
    harness: Harness, releases: ReleaseClient
) -> None:
    handle = await harness.start(
        "Release",
        {"target": {"function": "nowhere"}, "artifact": {"kind": "latest"}, "reason": "PR 1"},
    )
    await read_ending(handle)
    explanation = await releases.explain(handle.id)
    assert explanation.ending is not None
    assert (explanation.ending.outcome, explanation.reason, explanation.stopped_by) == (
        "rejected",
        "PR 1",
        None,
    )


async def test_older_run_is_explained_by_its_id_or_its_release(
    harness: Harness, releases: ReleaseClient
) -> None:
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), strategy="AllAtOnce")
    )
    await read_ending(handle)
    older = await releases.explain(make_target(harness))
    await harness.release(artifact=harness.package("four"), strategy="AllAtOnce")
    assert (await releases.explain(make_target(harness))).run.run_id != older.run.run_id
    assert await releases.explain(make_target(harness), run_id=older.run.run_id) == older
    assert await releases.explain(handle.id) == older
    for unknown in ("nonsense", "01a212e5-84a7-77bf-884b-b245962d338e"):
        with pytest.raises(NoSuchRelease, match="releases history --json lists them"):
            await releases.explain(make_target(harness), run_id=unknown)


async def test_measurement_has_the_verdict_by_the_rules_of_its_step(
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
    explanation = await releases.explain(make_target(harness))
    since = next(line.at for line in explanation.lines if line.text == "Analysis for 5 min")
    measured = [
        (line.at >= since, line.assessed.verdict)
        for line in explanation.lines
        if line.kind is LineKind.MEASURED and line.assessed
    ]
    assert set(measured) == {
        (False, Verdict.PENDING),
        (True, Verdict.PASSED),
    }  # what the guards ask for never comes
    assert [
        line.assessed.verdict
        for line in explanation.lines
        if line.kind is LineKind.VERDICT and line.assessed
    ] == [Verdict.PASSED]


async def test_long_explanation_leaves_out_unchanged_measurements_first() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    run = Run(
        id="lambda:1:eu-west-1:checkout:live",
        run_id="1",
        status=ReleaseStatus(target=Target(function="checkout")),
        state="RUNNING",
        started_at=at,
    )
    guards = {"metrics": {"not_worse": [{"margin": 0.01}], "min_invocations": 25_000}}
    request = ReleaseRequest.model_validate(
        {"target": {"function": "checkout"}, "artifact": {"kind": "latest"}, "guards": guards}
    )
    request_to_cloudwatch = MetricsRequest(
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
                request_to_cloudwatch,
                MetricsResponse(
                    at=minute + timedelta(minutes=2),
                    status="Complete",
                    minutes=[minute],
                    versions=series,
                    digest=str(number),
                ),
            )
        yield ControlReceived(at + timedelta(days=1), "pause by ana", is_stop=False)

    explanation = await explain(run, facts())
    assert [line.kind for line in explanation.lines] == [
        LineKind.MOVED,
        *[LineKind.MEASURED] * 3,
        LineKind.CONTROL,
    ]
    assert [line.assessed.verdict for line in explanation.lines if line.assessed] == [
        Verdict.PENDING,
        Verdict.PASSED,
        Verdict.PASSED,
    ]
    assert explanation.left_out == 297
    assert explanation.ending is None


def read_recorded_history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("lambda:1:eu-west-1:checkout:live", path.read_text())


STILL_RUNS = {"watch_not_ended"}
"""Histories that have no ending yet."""

ENDED = sorted(
    path for path in HISTORIES.glob("*.rollout.json") if path.name.split(".")[0] not in STILL_RUNS
)


@pytest.mark.parametrize("path", ENDED, ids=lambda path: path.name.split(".")[0])
async def test_recorded_release_is_explained(harness: Harness, path: Path) -> None:
    history = read_recorded_history(path)

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
    explanation = await explain(
        run, HistoryReader(history.workflow_id, harness.client.data_converter).read_facts(events())
    )
    assert explanation.ending is not None
    name = path.name.split(".")[0]
    assert explanation.stopped_by == STOPPED_BY.get(name)
    # One that waits before it is rejected has its timer to show, another one what does not exist.
    has_lines = name in {"metrics_denied", "rejection"}
    is_short = explanation.ending.outcome == "rejected" and not has_lines
    assert (explanation.lines == ()) is is_short
    assert [line for line in explanation.lines if "cannot read" in line.text] == []
