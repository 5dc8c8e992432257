"""Explanations on 80 columns."""

from __future__ import annotations

from datetime import timedelta

from tests.cli.pages import (
    ANALYSES,
    HUGE,
    NOW,
    assert_readable,
    make_run,
    make_status,
    render_lines,
)
from workflows.cli.explanation_page import render_explanation
from workflows.client.explanation import Explanation, ExplanationLine, LineKind
from workflows.client.runs import RunEnding, RunOutcome
from workflows.client.stop_cause import StopCause


def test_explanation_fits_80_columns() -> None:
    lines = (
        ExplanationLine(NOW, LineKind.MOVED, "10% to version 8", percent=10),
        *(
            ExplanationLine(NOW, LineKind.MEASURED, "Measured", percent=10, assessed=one)
            for one in ANALYSES
        ),
        ExplanationLine(
            NOW, LineKind.VERDICT, f"Verdict: failed: {HUGE}", percent=10, assessed=ANALYSES[1]
        ),
        ExplanationLine(
            NOW + timedelta(days=1), LineKind.CONTROL, f"abort by ana: {HUGE}", percent=0
        ),
    )
    ending = RunEnding(outcome=RunOutcome.ROLLED_BACK, note="metrics", status=make_status())
    explanation = Explanation(
        make_run(ending),
        HUGE,
        True,
        (f"all the time: {HUGE}",),
        lines,
        3,
        ending,
        StopCause.METRICS,
    )
    page = render_lines(render_explanation(explanation))
    assert_readable(page, most=70)
    assert page[0].startswith("checkout:live  hotfix")
    assert "3 lines are left out, measurements that changed nothing first" in page
    assert page[-1] == "Stopped by: what CloudWatch measured"
    assert any(line.startswith("11-25 ") and "10%  →  10% to version 8" in line for line in page)


def test_explanation_of_a_running_release_ends_with_its_phase() -> None:
    page = render_lines(render_explanation(Explanation(make_run(), "", False, (), ())))
    assert_readable(page, most=5)
    assert page[-1] == "It is still under way: baking."
