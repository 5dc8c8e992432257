"""How releases look in 80 columns: long floats, what is not known, and huge reasons included."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from workflows.cli.explanation_page import render_explanation
from workflows.cli.render import render_status
from workflows.cli.tables import make_rejudgements_table
from workflows.cli.watch import LinePrinter, select_entries
from workflows.client.explanation import Explanation, ExplanationLine, LineKind
from workflows.client.rejudge import Rejudgement, ReleaseQuality
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.client.stop_cause import StopCause
from workflows.client.timeline import TimelineEntry
from workflows.client.watch import WatchUpdate
from workflows.domain.assessment import Verdict as Judged
from workflows.domain.status import AnalysisStatus, Phase, ReleaseStatus, VersionMetrics
from workflows.domain.target import Target

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
HUGE = "why " * 2000
MANY = VersionMetrics(invocations=123456789.0, error_rate=1 / 3, p99=123456.789)
ASSESSED = (
    AnalysisStatus(verdict=Judged.PENDING, reason=""),
    AnalysisStatus(
        verdict=Judged.FAILED, reason=HUGE, worse=0.99995, candidate=MANY, stable=MANY, at=NOW
    ),
    AnalysisStatus(
        verdict=Judged.UNMEASURABLE, reason="CloudWatch answered Forbidden", candidate=MANY
    ),
)


def status(analysis: AnalysisStatus | None = None) -> ReleaseStatus:
    return ReleaseStatus(
        phase=Phase.BAKING,
        target=Target(function="checkout"),
        stable="7",
        candidate="8",
        analysis=analysis,
    )


def run(ending: RunEnding | None = None) -> Run:
    return Run(
        id="lambda/1/eu-west-1/checkout:live",
        run_id="1",
        status=status(),
        state="RUNNING",
        started_at=NOW,
        ending=ending,
    )


def drawn(page: RenderableType) -> list[str]:
    console = Console(file=io.StringIO(), width=80, markup=False, highlight=False, no_color=True)
    console.print(page)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def small(lines: Sequence[str], *, most: int) -> None:
    assert len(lines) <= most
    assert max(map(len, lines)) <= 80
    for strange in ("None", "e+0", "nan"):
        assert strange not in "\n".join(lines)


@pytest.mark.parametrize("assessed", ASSESSED, ids=["nothing", "huge", "silence"])
def test_a_status_with_measurements_is_read_in_80_columns(assessed: AnalysisStatus) -> None:
    lines = drawn(render_status(status(assessed), None, now=NOW))
    small(lines, most=14)
    assert any(line.startswith(f"  {assessed.verdict}") for line in lines)
    assert any(line.startswith("    version 8: ") for line in lines)


def test_a_hotfix_is_named_so() -> None:
    assert (
        drawn(render_status(status().model_copy(update={"hotfix": True}), None, now=NOW))[0]
        == "checkout:live  hotfix  baking"
    )


def test_an_explanation_is_read_in_80_columns() -> None:
    lines = (
        ExplanationLine(NOW, LineKind.MOVED, "10% to version 8", percent=10),
        *(ExplanationLine(NOW, LineKind.MEASURED, "Measured", percent=10, assessed=one) for one in ASSESSED),
        ExplanationLine(NOW, LineKind.VERDICT, f"Verdict: failed: {HUGE}", percent=10, assessed=ASSESSED[1]),
        ExplanationLine(NOW + timedelta(days=1), LineKind.CONTROL, f"abort by ana: {HUGE}", percent=0),
    )
    ending = RunEnding(outcome=RunOutcome.ROLLED_BACK, note="metrics", status=status())
    told = Explanation(
        run(ending), HUGE, True, (f"all the time: {HUGE}",), lines, 3, ending, StopCause.METRICS
    )
    page = drawn(render_explanation(told))
    small(page, most=70)
    assert page[0].startswith("checkout:live  hotfix")
    assert "3 lines are left out, measurements that changed nothing first" in page
    assert page[-1] == "Stopped by: what CloudWatch measured"
    assert any(line.startswith("11-25 ") and "10%  →  10% to version 8" in line for line in page)


def test_an_explanation_of_what_has_not_begun_says_so() -> None:
    page = drawn(render_explanation(Explanation(run(), "", False, (), ())))
    small(page, most=5)
    assert page[-1] == "It is still under way: baking."


def test_rejudged_releases_are_read_in_80_columns() -> None:
    rejudged = [
        Rejudgement(run(), ReleaseQuality.GOOD, None),
        Rejudgement(
            run(),
            ReleaseQuality.BAD,
            StopCause.ALARM,
            Judged.FAILED,
            timedelta(seconds=45),
            ASSESSED[1],
            ("Sum of Shop Refused at most 3",),
        ),
        Rejudgement(run(), ReleaseQuality.NEITHER, StopCause.OTHER, Judged.PENDING, None, ASSESSED[0]),
    ]
    page = drawn(make_rejudgements_table(rejudged))
    small(page, most=20)
    text = " ".join(" ".join(page).split())
    for words in ("nothing was measured", "failed after 45 s", "undecided", "stopped by an error"):
        assert all(word in text for word in words.split())


def test_a_watch_in_a_pipe_tells_each_measurement_once_and_no_looks() -> None:
    console = Console(file=io.StringIO(), width=180, markup=False, highlight=False, no_color=True)
    lines = LinePrinter(console)
    looked = (TimelineEntry(NOW, "measurement", "Measure versions 8 and 7"),)
    for assessed in (
        ASSESSED[0],
        ASSESSED[1],
        ASSESSED[1].model_copy(update={"at": NOW + timedelta(minutes=1)}),
    ):
        lines.show(WatchUpdate(entries=looked, status=status(assessed)))
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert (
        told.count("version 8: 123456789 invocations, 33.33% errors, p99 123456.79 ms; version 7: ")
        == 1
    )
    assert "failed (0% sure that it is not worse, over 99.9% that it is)" in told
    assert "Measure versions" not in told
    assert list(select_entries(looked)) == []
