"""Statuses with long floats, unknown metrics and huge reasons, in 80 columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import RenderableType

from workflows.cli.console import PageConsole
from workflows.client.runs import Run, RunEnding
from workflows.domain.assessment import Verdict
from workflows.domain.status import AnalysisStatus, Phase, ReleaseStatus, VersionMetrics
from workflows.domain.target import Target

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
HUGE = "why " * 2000
MANY = VersionMetrics(invocations=123456789.0, error_rate=1 / 3, p99=123456.789)
ANALYSES = (
    AnalysisStatus(verdict=Verdict.PENDING, reason=""),
    AnalysisStatus(
        verdict=Verdict.FAILED, reason=HUGE, worse=0.99995, candidate=MANY, stable=MANY, at=NOW
    ),
    AnalysisStatus(
        verdict=Verdict.UNMEASURABLE, reason="CloudWatch answered Forbidden", candidate=MANY
    ),
)


def make_status(analysis: AnalysisStatus | None = None) -> ReleaseStatus:
    return ReleaseStatus(
        phase=Phase.BAKING,
        target=Target(function="checkout"),
        stable="7",
        candidate="8",
        analysis=analysis,
    )


def make_run(ending: RunEnding | None = None) -> Run:
    return Run(
        id="lambda:1:eu-west-1:checkout:live",
        run_id="1",
        status=make_status(),
        state="RUNNING",
        started_at=NOW,
        ending=ending,
    )


def render_lines(page: RenderableType) -> list[str]:
    console = PageConsole(
        file=io.StringIO(),
        width=80,
        markup=False,
        highlight=False,
        force_terminal=True,
        color_system=None,
    )
    console.print(page)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def assert_readable(lines: Sequence[str], *, most: int) -> None:
    assert len(lines) <= most
    assert max(map(len, lines)) <= 80
    for strange in ("None", "e+0", "nan"):
        assert strange not in "\n".join(lines)
