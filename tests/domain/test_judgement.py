"""Every rule of the assessment, and which of them wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflows.domain.evidence import Contrast, Share
from workflows.domain.judgement import Limit, NotWorse, Outcome, Rules, assess
from workflows.domain.measurement import Measure, Measurements, Point

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
END = NINE + timedelta(hours=1)

GOOD = Contrast(Share(5, 1000), Share(5, 1000))
BAD = Contrast(Share(100, 1000), Share(5, 1000))
THIN = Contrast(Share(0, 10), Share(0, 100))


def seen(
    *errors: Contrast, points: tuple[Point, ...] = (), status: str = "Complete", at: datetime = NINE, slow: tuple[Contrast, ...] = ()
) -> Measurements:
    contrasts: dict[Measure, tuple[Contrast, ...]] = {"error_rate": errors, "slow_rate": slow}
    minutes = {NINE + timedelta(minutes=number): point for number, point in enumerate(points)}
    return Measurements(("error_rate", "slow_rate"), at=at, status=status, candidate=minutes, contrasts=contrasts)


def of(rules: Rules, measured: Measurements) -> Outcome:
    return assess(rules, measured, until=END).outcome


RELATIVE = Rules(not_worse=(NotWorse(margin=0.02),))


# --- relative to stable --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "outcome"),
    [
        (seen(), Outcome.PENDING),
        (seen(THIN), Outcome.PENDING),
        (seen(GOOD), Outcome.PASSED),
        (seen(BAD), Outcome.FAILED),
        (seen(BAD, *[GOOD] * 50), Outcome.FAILED),  # once is enough, whatever follows
        (seen(*[GOOD] * 50, BAD), Outcome.FAILED),  # passed and failed: failed
        (seen(THIN, at=END), Outcome.INCONCLUSIVE),
        (seen(GOOD, at=END), Outcome.PASSED),
        (seen(BAD, at=END), Outcome.FAILED),
        (seen(at=END), Outcome.INCONCLUSIVE),
        (seen(THIN, at=END - timedelta(microseconds=1)), Outcome.PENDING),
        (seen(THIN, status="PartialData"), Outcome.UNMEASURABLE),
        (seen(status="Forbidden"), Outcome.UNMEASURABLE),
        (seen(GOOD, status="PartialData"), Outcome.UNMEASURABLE),  # never promoted on silence
        (seen(GOOD, status="InternalError", at=END), Outcome.UNMEASURABLE),
        (seen(BAD, status="Throttled"), Outcome.FAILED),  # what was seen is not unseen
    ],
)
def test_a_rule_relative_to_stable(measured: Measurements, outcome: Outcome) -> None:
    assert of(RELATIVE, measured) is outcome


def test_before_the_first_look_everything_is_pending() -> None:
    assert of(RELATIVE, Measurements(("error_rate",))) is Outcome.PENDING


def test_alpha_is_divided_among_the_rules_that_may_stop_a_release_and_not_among_those_that_must_pass() -> None:
    one, two = RELATIVE, Rules(not_worse=(NotWorse(margin=0.02), NotWorse(metric="slow_rate", margin=0.02)))
    assert (one.harmful, one.convincing) == (100, 100)
    assert (two.harmful, two.convincing) == (200, 100)
    just = Contrast(Share(4, 64), Share(33, 5000))
    (finding,) = assess(one, seen(just), until=END).findings
    assert finding.evidence is not None
    assert 100 <= finding.evidence.worse < 200
    assert of(one, seen(just)) is Outcome.FAILED
    assert of(two, seen(just)) is Outcome.PENDING


def test_every_measure_must_pass_and_any_may_fail() -> None:
    both = Rules(not_worse=(NotWorse(margin=0.02), NotWorse(metric="slow_rate", margin=0.02)))
    assert of(both, seen(GOOD)) is Outcome.PENDING
    assert of(both, seen(GOOD, slow=(GOOD,))) is Outcome.PASSED
    assert of(both, seen(GOOD, slow=(BAD,))) is Outcome.FAILED


@given(st.floats(0.001, 0.5))
def test_a_stricter_alpha_never_decides_sooner(alpha: float) -> None:
    strict, loose = (Rules(not_worse=(NotWorse(margin=0.02),), alpha=one) for one in (alpha / 2, alpha))
    for measured in (seen(THIN), seen(GOOD), seen(BAD), seen(Contrast(Share(3, 60), Share(25, 5000)))):
        assert of(strict, measured) in {of(loose, measured), Outcome.PENDING}


# --- limits --------------------------------------------------------------------------------------------------------------------


def errors(*rates: float | None) -> tuple[Point, ...]:
    return tuple(Point() if rate is None else Point(invocations=100, errors=100 * rate) for rate in rates)


@pytest.mark.parametrize(
    ("minutes", "rates", "outcome"),
    [
        (1, (), Outcome.PENDING),
        (1, (0.02,), Outcome.PASSED),  # the bound itself is within
        (1, (0.03,), Outcome.FAILED),
        (1, (0.03, 0.01), Outcome.PASSED),  # it speaks of now
        (1, (0.03, None), Outcome.FAILED),  # a minute without data is no good minute
        (1, (None,), Outcome.PENDING),
        (2, (0.03,), Outcome.PENDING),
        (2, (0.03, 0.03), Outcome.FAILED),
        (2, (0.03, 0.01), Outcome.PASSED),
        (2, (0.01, 0.03), Outcome.PASSED),
        (2, (0.03, None, 0.03), Outcome.FAILED),
        (2, (0.01, 0.03, 0.03), Outcome.FAILED),
    ],
)
def test_a_limit_is_broken_by_the_last_minutes_that_were_measured(minutes: int, rates: tuple[float | None, ...], outcome: Outcome) -> None:
    rules = Rules(limits=(Limit(metric="error_rate", max=0.02, minutes=minutes),))
    assert of(rules, seen(points=errors(*rates))) is outcome


@pytest.mark.parametrize(
    ("limit", "point", "outcome"),
    [
        ({"metric": "duration_p99", "max": 800}, Point(invocations=9, quantiles={"p99": 801}), Outcome.FAILED),
        ({"metric": "duration_p99", "max": 800}, Point(invocations=9, quantiles={"p99": 799}), Outcome.PASSED),
        ({"metric": "duration_p99", "max": 800}, Point(invocations=9, quantiles={"p50": 9000}), Outcome.PENDING),
        ({"metric": "duration_p99", "max": 800, "of": 10}, Point(invocations=9, quantiles={"p99": 801}), Outcome.PENDING),
        ({"metric": "throttle_rate", "max": 0.01}, Point(invocations=0, throttles=5), Outcome.FAILED),
        ({"metric": "throttle_rate", "max": 0.01}, Point(invocations=5, throttles=0), Outcome.PASSED),
        ({"metric": "slow_rate", "max": 0.1}, Point(timed=10, slow=2), Outcome.FAILED),
        ({"metric": "error_rate", "max": 0.1}, Point(invocations=0, errors=0), Outcome.PENDING),  # 0 of 0 is no rate
        ({"metric": "error_rate", "max": 0.1, "of": 3}, Point(invocations=2, errors=1), Outcome.PENDING),
        ({"metric": "error_rate", "max": 0.1, "of": 3}, Point(invocations=3, errors=1), Outcome.FAILED),
        ({"metric": "invocations", "min": 10}, Point(invocations=9), Outcome.FAILED),
        ({"metric": "invocations", "min": 10}, Point(invocations=0), Outcome.FAILED),
        ({"metric": "invocations", "min": 10}, Point(), Outcome.PENDING),  # missing is not zero
        ({"metric": "invocations", "min": 10, "max": 20}, Point(invocations=15), Outcome.PASSED),
        ({"metric": "invocations", "min": 10, "max": 20}, Point(invocations=21), Outcome.FAILED),
    ],
)
def test_a_limit_reads_its_metric(limit: dict[str, Any], point: Point, outcome: Outcome) -> None:
    assert of(Rules(limits=(Limit.model_validate(limit),)), seen(points=(point,))) is outcome


# --- all together --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "measured", "outcome"),
    [
        (Rules(), seen(GOOD), Outcome.PENDING),
        (Rules(), seen(GOOD, at=END), Outcome.INCONCLUSIVE),
        (Rules(min_invocations=100), seen(points=errors(0.0)), Outcome.PASSED),
        (Rules(min_invocations=101), seen(points=errors(0.0)), Outcome.PENDING),
        (Rules(min_invocations=101), seen(points=errors(0.0), at=END), Outcome.INCONCLUSIVE),
        (Rules(min_invocations=1), seen(points=errors(None)), Outcome.PENDING),
        (Rules(limits=(Limit(metric="error_rate", max=0.1),), min_invocations=200), seen(points=errors(0.5)), Outcome.FAILED),
        (Rules(limits=(Limit(metric="error_rate", max=0.1),), min_invocations=200), seen(points=errors(0.0)), Outcome.PENDING),
        (RELATIVE.model_copy(update={"limits": (Limit(metric="error_rate", max=0.1),)}), seen(GOOD, points=errors(0.5)), Outcome.FAILED),
        (RELATIVE.model_copy(update={"limits": (Limit(metric="error_rate", max=0.1),)}), seen(THIN, points=errors(0.0)), Outcome.PENDING),
    ],
)
def test_the_worst_of_all_findings_counts(rules: Rules, measured: Measurements, outcome: Outcome) -> None:
    assert of(rules, measured) is outcome


def test_a_judgement_says_why_with_its_numbers() -> None:
    rules = Rules(limits=(Limit(metric="duration_p99", max=800),), not_worse=(NotWorse(margin=0.02),))
    failed = assess(rules, seen(BAD, points=(Point(invocations=9, quantiles={"p99": 950}),)), until=END)
    assert failed.reason == (
        "duration_p99 at most 800: 950; error_rate not worse than stable's by 2 points: 100 of 1000 against 5 of 1000; "
        "evidence of harm over 10000, 100 stop a release"
    )
    late = assess(RELATIVE, seen(THIN, at=END), until=END)
    assert late.reason == (
        "error_rate not worse than stable's by 2 points: 0 of 10 against 0 of 100; evidence of that 1.2 of 100, of harm 0.79 of 100"
    )
    silent = assess(RELATIVE, seen(THIN, status="Forbidden"), until=END)
    assert silent.reason == "CloudWatch answered Forbidden"


@pytest.mark.parametrize(
    "wrong",
    [
        {"limits": [{"metric": "error_rate"}]},
        {"limits": [{"metric": "errors", "max": 1}]},
        {"limits": [{"metric": "duration_p999", "max": 1}]},
        {"limits": [{"metric": "error_rate", "max": 1, "minutes": 0}]},
        {"not_worse": [{"margin": 0}]},
        {"not_worse": [{"margin": 0.5}]},
        {"not_worse": [{"metric": "invocations"}]},
        {"not_worse": [{}, {"margin": 0.01}]},
        {"alpha": 0},
        {"alpha": 0.6},
        {"beta": 0.1},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(wrong)
