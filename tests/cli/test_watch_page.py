"""What a watch shows on a small terminal: the current step, both versions, and room for the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.cli.pages import NOW, make_status, render_lines
from workflows.cli.watch_page import render_update
from workflows.client.watch import Retry, WatchUpdate
from workflows.domain.assessment import Verdict
from workflows.domain.status import AnalysisStatus, Phase, TrafficSplit, VersionMetrics
from workflows.domain.strategy import parse_preset

LINEAR = parse_preset("Linear5PercentEvery10Minutes")
COUNT = len(LINEAR.steps)
ANALYSIS = AnalysisStatus(
    verdict=Verdict.PENDING,
    reason="error_rate not worse than stable's by 2 points: nothing measured yet; " * 4,
    candidate=VersionMetrics(invocations=600, error_rate=0.05, p99=100),
    stable=VersionMetrics(invocations=54000, error_rate=0.0048),
)


def show(*, height: int = 24, step: int = 20, **changes: Any) -> list[str]:
    """The page of a release with many steps that is in one of them, on 80 columns."""
    known = {
        "note": "50% to version 8 for 10 min",
        "account": "123456789012",
        "region": "eu-central-1",
        "routing": TrafficSplit(stable="7", canary="8", percent=50),
        "step": step,
        "steps": COUNT,
        "ends_at": NOW + timedelta(minutes=7),
        **changes,
    }
    update = WatchUpdate(status=make_status().model_copy(update=known), strategy=LINEAR)
    return render_lines(render_update(update, now=NOW, width=80, height=height))


@pytest.mark.parametrize("step", [0, 1, 19, 20, COUNT - 1, COUNT])
@pytest.mark.parametrize("changes", [{}, {"analysis": ANALYSIS}, {"notes": ("why " * 50,) * 9}])
def test_current_step_is_shown_with_room_for_the_log(step: int, changes: dict[str, Any]) -> None:
    lines = show(step=step, **changes)
    assert len(lines) <= 24 - 7
    [current] = [line for line in lines if line.startswith("  ▶")]
    assert current.endswith("7 min left")
    before, after = (
        [int(line.split()[1]) for line in lines if line.endswith(word)]
        for word in (" before", " after")
    )
    shown = sum(line.startswith(("  ✓", "  ▶", "  ·")) for line in lines)
    assert sum(before) + shown + sum(after) == COUNT + 1


def test_tall_terminal_shows_every_step() -> None:
    lines = show(height=70)
    assert sum(line.startswith(("  ✓", "  ▶", "  ·")) for line in lines) == COUNT + 1


def test_versions_stand_side_by_side() -> None:
    lines = show(analysis=ANALYSIS)
    assert "                 version 8  version 7" in lines
    assert "    invocations  600        54000" in lines
    assert "    errors       5.00%      0.48%" in lines
    assert "    p99          100 ms     –" in lines


def test_pause_and_what_ends_it_are_shown() -> None:
    lines = show(paused=True)
    assert lines[1] == "checkout:live  paused"
    assert next(line for line in lines if line.startswith("  ▶")).endswith("  paused")
    assert "  to go on: releases resume checkout:live" in lines
    assert "  to put the alias back: releases abort checkout:live" in show(
        paused=True, analysis=ANALYSIS
    )


def test_notes_that_do_not_fit_are_counted() -> None:
    assert "  9 notes: releases status checkout:live shows what to know" in show(
        notes=("why " * 50,) * 9
    )


def test_narrow_terminal_shows_retries_and_outages() -> None:
    retry = Retry("Read where checkout:live points", 3, "Throttled: slow down")
    update = WatchUpdate(status=make_status(), retries=(retry,), connected=False)
    lines = render_lines(render_update(update, now=NOW, width=40, height=10))
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 40
    assert any("attempt 3" in line for line in lines)
    assert "  Temporal does not answer; retrying" in lines


def test_step_in_which_a_release_was_stopped_is_in_the_window() -> None:
    lines = show(phase=Phase.ROLLING_BACK, stopped_step=22, step=21)
    assert any(line.startswith("  ✗ ") for line in lines)
