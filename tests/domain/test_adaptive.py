"""The ramp: which move follows from what was measured, and how large a dose the evidence allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from workflows.domain.adaptive import (
    MAX_PERCENT,
    Adaptive,
    Dose,
    Ramp,
    RampAction,
    RampDecision,
    decide_next_action,
)
from workflows.domain.assessment import Assessment, Finding, Verdict
from workflows.domain.evidence import Contrast, Evidence, Proportion
from workflows.domain.measurement import Measurements

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ADAPTIVE = Adaptive()


def second(number: float) -> datetime:
    return NINE + timedelta(seconds=number)


def judged(outcome: Verdict = Verdict.PENDING, *found: Evidence) -> Assessment:
    return Assessment(
        outcome, tuple(Finding("a rule", outcome, "numbers", one) for one in found or (Evidence(),))
    )


def measure(*minutes: float, status: str = "Complete") -> Measurements:
    """Measurements of the minutes that begin at these seconds."""
    any_contrast = Contrast(Proportion(0, 1), Proportion(0, 1))
    return Measurements(
        ("error_rate",),
        status=status,
        counted={("error_rate", second(minute)): any_contrast for minute in minutes},
    )


def next_move(
    now: float,
    judgement: Assessment,
    measurements: Measurements,
    dose: tuple[int, float, float] | None = None,
    adaptive: Adaptive = ADAPTIVE,
) -> RampDecision:
    sent = Dose(dose[0], second(dose[1]), second(dose[2])) if dose else None
    return decide_next_action(
        adaptive,
        assessment=judgement,
        measurements=measurements,
        ramp=Ramp(NINE, dose=sent),
        now=second(now),
    )


FIRST = (1, 0.0, 60.0)
OVER = 7200.0


@pytest.mark.parametrize(
    ("now", "judgement", "measurements", "dose", "expected"),
    [
        (0, judged(), measure(), None, (RampAction.SEND, 1)),
        (30, judged(), measure(), FIRST, (RampAction.SEND, 1)),  # under way
        (
            30,
            judged(Verdict.UNMEASURABLE),
            measure(status="Forbidden"),
            FIRST,
            (RampAction.SEND, 1),
        ),  # ends by itself within a minute
        (60, judged(), measure(), FIRST, (RampAction.WAIT, 0)),  # no metrics of it yet
        (239, judged(), measure(), FIRST, (RampAction.WAIT, 0)),
        (240, judged(), measure(), FIRST, (RampAction.SEND, 1)),  # it had no callers
        (100, judged(), measure(0), FIRST, (RampAction.SEND, 3)),
        (110, judged(), measure(0), FIRST, (RampAction.WAIT, 0)),  # ten seconds are no dose
        (
            100,
            judged(Verdict.UNMEASURABLE),
            measure(0, status="PartialData"),
            FIRST,
            (RampAction.WAIT, 0),
        ),
        (0, judged(Verdict.UNMEASURABLE), measure(status="Throttled"), None, (RampAction.WAIT, 0)),
        (
            30,
            judged(Verdict.FAILED),
            measure(),
            FIRST,
            (RampAction.ROLL_BACK, 0),
        ),  # even in the middle of a dose
        (30, judged(Verdict.PASSED), measure(0), FIRST, (RampAction.PROMOTE, 100)),
        (OVER, judged(Verdict.INCONCLUSIVE), measure(0), FIRST, (RampAction.HOLD, 0)),
        (
            OVER,
            judged(Verdict.UNMEASURABLE),
            measure(status="Forbidden"),
            FIRST,
            (RampAction.HOLD, 0),
        ),
        (OVER, judged(Verdict.FAILED), measure(), FIRST, (RampAction.ROLL_BACK, 0)),
        (OVER, judged(Verdict.PASSED), measure(), FIRST, (RampAction.PROMOTE, 100)),
        (OVER - 1, judged(), measure(0), FIRST, (RampAction.WAIT, 0)),
    ],
)
def test_first_rule_that_applies_decides(
    now: float,
    judgement: Assessment,
    measurements: Measurements,
    dose: tuple[int, float, float] | None,
    expected: tuple[RampAction, int],
) -> None:
    advice = next_move(now, judgement, measurements, dose)
    assert (advice.action, advice.percent) == expected


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden", "Throttled"])
@given(now=st.floats(60, 3 * OVER), not_worse=st.floats(0, 99))
def test_missing_data_never_widens_or_promotes(status: str, now: float, not_worse: float) -> None:
    advice = next_move(
        now,
        judged(Verdict.UNMEASURABLE, Evidence(not_worse=not_worse)),
        measure(0, status=status),
        FIRST,
    )
    assert advice.percent == 0
    assert advice.action in {RampAction.WAIT, RampAction.HOLD}


@pytest.mark.parametrize(
    ("found", "size"),
    [
        ((Evidence(),), 1),
        ((Evidence(not_worse=4),), 8),  # factor 2, times 4
        ((Evidence(not_worse=4, harm=3),), 8),
        ((Evidence(not_worse=0.8, harm=0.5),), 1),  # nothing against it either: the same again
        ((Evidence(not_worse=0.8, harm=3),), 0.8),
        ((Evidence(not_worse=0.01, harm=3),), 0.5),  # half is the least
        ((Evidence(not_worse=9), Evidence(not_worse=3)), 6),  # the least certain measure decides
        ((Evidence(not_worse=9), Evidence(not_worse=0.2, harm=2)), 0.5),
    ],
)
def test_dose_is_as_large_as_the_evidence(found: tuple[Evidence, ...], size: float) -> None:
    dose = next_move(60, judged(Verdict.PENDING, *found), measure(0), FIRST).ramp.dose
    assert dose is not None
    assert dose.percent * (dose.end - dose.start).total_seconds() / 60 == pytest.approx(size)


@given(
    st.floats(0, 48 * 3600),
    st.floats(0, 1e9),
    st.floats(0, 99),
    st.integers(1, MAX_PERCENT),
    st.floats(1, 100),
)
def test_dose_stays_within_its_minute_and_half_of_the_traffic(
    now: float, not_worse: float, harm: float, start: int, factor: float
) -> None:
    adaptive = Adaptive.model_validate({"from": start, "factor": factor, "max_duration": "3d"})
    advice = next_move(
        now,
        judged(Verdict.PENDING, Evidence(not_worse=not_worse, harm=harm)),
        measure(),
        None,
        adaptive,
    )
    if advice.action is RampAction.SEND:
        dose = advice.ramp.dose
        assert dose is not None
        assert 1 <= advice.percent == dose.percent <= MAX_PERCENT
        assert second(now) == dose.start < dose.end <= dose.minute + timedelta(minutes=1)
        allowed = start * max(1.0, factor * not_worse)
        assert (
            dose.percent * (dose.end - dose.start).total_seconds()
            <= 60 * allowed * (1 + 1e-6) + 1e-3
        )
    else:
        assert (advice.action, advice.percent) == (RampAction.WAIT, 0)
    assert second(now) < advice.review_at <= second(now) + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("now", "judgement", "measurements", "dose", "again"),
    [
        (10, judged(), measure(), FIRST, 60),  # the dose ends
        (60, judged(), measure(), FIRST, 240),  # it is waited for no longer
        (170, judged(), measure(0), FIRST, 180),  # the next minute begins
        (
            100,
            judged(Verdict.UNMEASURABLE),
            measure(0, status="Forbidden"),
            FIRST,
            OVER,
        ),  # until CloudWatch answers
        (OVER - 2, judged(), measure(), FIRST, OVER),  # the time is over
    ],
)
def test_decision_names_the_next_poll(
    now: float,
    judgement: Assessment,
    measurements: Measurements,
    dose: tuple[int, float, float],
    again: float,
) -> None:
    assert next_move(now, judgement, measurements, dose).review_at == second(again)


def test_minutes_that_settle_late_are_waited_for_longer() -> None:
    ramp = Ramp(NINE, settle=timedelta(minutes=15), dose=Dose(1, second(0), second(60)))
    advice = decide_next_action(
        ADAPTIVE, assessment=judged(), measurements=measure(), ramp=ramp, now=second(300)
    )
    assert (advice.action, advice.review_at) == (RampAction.WAIT, second(240 + 15 * 60))


@pytest.mark.parametrize(
    ("now", "judgement", "measurements", "dose", "reason"),
    [
        (0, judged(), measure(), None, "1% for 1 min, 1% of a minute's requests: no evidence yet"),
        (
            80,
            judged(Verdict.PENDING, Evidence(not_worse=4.2)),
            measure(0),
            FIRST,
            "12% for 40 s, 8.4% of a minute's requests: the evidence for it is 4.2",
        ),
        (
            60,
            judged(Verdict.PENDING, Evidence(0, 2.6, 0.1)),
            measure(0),
            FIRST,
            "1% for 30 s, 0.5% of a minute's requests: the evidence is against it (2.6)",
        ),
        (60, judged(), measure(), FIRST, "waiting for CloudWatch's metrics of 09:00"),
        (30, judged(), measure(), FIRST, "1% until 09:01:00"),
        (OVER, judged(Verdict.INCONCLUSIVE), measure(), FIRST, "no certainty within 2 h: numbers"),
        (9, judged(Verdict.FAILED), measure(), FIRST, "numbers"),
    ],
)
def test_decision_has_a_reason(
    now: float,
    judgement: Assessment,
    measurements: Measurements,
    dose: tuple[int, float, float] | None,
    reason: str,
) -> None:
    assert next_move(now, judgement, measurements, dose).reason == reason


def test_adaptive_is_written_as_in_the_contract_and_shows_its_plan() -> None:
    written = TypeAdapter(Adaptive).validate_python(
        {"from": 1, "factor": 2, "margin": 0.005, "max_duration": "PT2H"}
    )
    assert written == Adaptive(margin=0.005)
    assert Adaptive.model_validate_json(written.model_dump_json(by_alias=True)) == written
    assert written.rules.not_worse[0].margin == 0.005
    assert str(written) == (
        "1% of a minute's requests, then 2 times that for each 1 of evidence, "
        "at most 50% of the traffic; 100% when errors are surely "
        "not 0.5 points above stable's (alpha 0.01); a person after 2 h"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": 0},
        {"from": 51},
        {"from": 1.5},
        {"factor": 0.5},
        {"margin": 0},
        {"margin": 1},
        {"max_duration": "0s"},
        {"alpha": 1},
        {"to": 9},
    ],
)
def test_invalid_ramp_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="validation error for Adaptive"):
        Adaptive.model_validate(wrong)
