"""The page of a release, and the parts it shares with the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.samples import BAKING, NOW
from workflows.domain.assessment import Verdict
from workflows.domain.markdown import describe_confidence, describe_metrics, draw_bar, render_page
from workflows.domain.probe import Probe, ProbeRequest
from workflows.domain.status import (
    AnalysisStatus,
    Phase,
    VersionMetrics,
)
from workflows.domain.strategy import Approval, Steps, parse_preset


@given(st.integers(0, 100))
def test_bar_is_as_full_as_the_traffic(percent: int) -> None:
    drawn = draw_bar(percent)
    assert len(drawn) == 20
    assert abs(drawn.count("█") / 20 - percent / 100) <= 0.025


def test_page_shows_traffic_time_left_and_steps() -> None:
    page = render_page(
        BAKING,
        parse_preset("Canary10Percent5Minutes"),
        [(NOW, "The candidate is version 8")],
        now=NOW,
    )
    assert "checkout:live: baking" in page
    assert "`██░░░░░░░░░░░░░░░░░░` **10%** to version 8, the rest to version 7" in page
    assert "Ends at 10:05:00 UTC, 5 min from 10:00:00." in page
    assert (
        "1. ✅ 10% to the candidate\n2. ▶️ Bake for 5 min\n3. ▫️ All traffic to the candidate" in page
    )
    assert "- 10:00:00 The candidate is version 8" in page


def test_page_of_a_paused_release_shows_no_time_left() -> None:
    page = render_page(
        BAKING.model_copy(update={"paused": True}), parse_preset("AllAtOnce"), [], now=NOW
    )
    assert "⏸️ checkout:live: paused" in page
    assert "- to go on: `releases resume checkout:live`" in page
    assert "Ends at" not in page


def test_page_of_an_ended_release_has_every_step_done() -> None:
    done = BAKING.model_copy(update={"phase": Phase.SUCCEEDED, "ends_at": None})
    page = render_page(done, Steps(steps=(Approval(timeout=timedelta(hours=6)),)), [], now=NOW)
    assert "1. ✅ Wait for approval, at most 6 h\n2. ✅ All traffic to the candidate" in page


def test_page_stays_short() -> None:
    notes = [(NOW, f"note {number}") for number in range(100)]
    page = render_page(BAKING, parse_preset("AllAtOnce"), notes, now=NOW)
    assert "note 99" in page
    assert "note 50" not in page


def test_page_shows_how_often_the_candidate_is_probed() -> None:
    strategy = Steps(
        steps=(Probe(requests=(ProbeRequest(),), count=20), Probe(requests=(ProbeRequest(),)))
    )
    page = render_page(BAKING.model_copy(update={"step": 0, "steps": 2}), strategy, [], now=NOW)
    assert "1. ▶️ Probe the candidate 20 times, every 1 s\n2. ▫️ Probe the candidate once\n" in page


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        (VersionMetrics(), "0 invocations"),
        (
            VersionMetrics(invocations=5948750.0, error_rate=0.005, p99=123456.789),
            "5948750 invocations, 0.50% errors, p99 123456.79 ms",
        ),
        (
            VersionMetrics(invocations=0.1 + 0.2, error_rate=1 / 3, p99=0.004),
            "0.3 invocations, 33.33% errors, p99 0 ms",
        ),
    ],
)
def test_metrics_have_all_digits_of_counts_and_few_of_rates(
    metrics: VersionMetrics, text: str
) -> None:
    assert describe_metrics(metrics) == text


@pytest.mark.parametrize(
    ("not_worse", "worse", "text"),
    [
        (0, 0, ""),
        (0.99, 0, " (99% sure that it is not worse, 0% that it is)"),
        (0.9899, 0.001, " (98.9% sure that it is not worse, 0.1% that it is)"),
        (0, 1, " (0% sure that it is not worse, over 99.9% that it is)"),
    ],
)
def test_confidence_is_never_rounded_up(not_worse: float, worse: float, text: str) -> None:
    assert (
        describe_confidence(
            AnalysisStatus(verdict=Verdict.PENDING, reason="", not_worse=not_worse, worse=worse)
        )
        == text
    )


def test_page_names_the_account_once_it_is_known() -> None:
    located = BAKING.model_copy(update={"account": "123456789012", "region": "eu-central-1"})
    strategy = parse_preset("AllAtOnce")
    assert "Account 123456789012, eu-central-1." in render_page(located, strategy, [], now=NOW)
    assert "Account" not in render_page(BAKING, strategy, [], now=NOW)
