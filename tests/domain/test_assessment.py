"""Assessments: every rule, and which finding wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.assessment import Verdict, assess
from workflows.domain.evidence import Contrast, Proportion
from workflows.domain.measurement import Measure, Measurements, MinuteMetrics
from workflows.domain.rules import Limit, NotWorse, Rules

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
END = NINE + timedelta(hours=1)

GOOD = Contrast(Proportion(5, 1000), Proportion(5, 1000))
BAD = Contrast(Proportion(100, 1000), Proportion(5, 1000))
THIN = Contrast(Proportion(0, 10), Proportion(0, 100))


def measure(
    *errors: Contrast,
    points: tuple[MinuteMetrics, ...] = (),
    status: str = "Complete",
    at: datetime = NINE,
    slow: tuple[Contrast, ...] = (),
) -> Measurements:
    contrasts: dict[Measure, tuple[Contrast, ...]] = {"error_rate": errors, "slow_rate": slow}
    minutes = {NINE + timedelta(minutes=number): point for number, point in enumerate(points)}
    return Measurements(
        ("error_rate", "slow_rate"), at=at, status=status, candidate=minutes, contrasts=contrasts
    )


def get_verdict(rules: Rules, measured: Measurements) -> Verdict:
    return assess(rules, measured, deadline=END).verdict


RELATIVE = Rules(not_worse=(NotWorse(margin=0.02),))


# --- relative to stable ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "outcome"),
    [
        (measure(), Verdict.PENDING),
        (measure(THIN), Verdict.PENDING),
        (measure(GOOD), Verdict.PASSED),
        (measure(BAD), Verdict.FAILED),
        (measure(BAD, *[GOOD] * 50), Verdict.FAILED),  # once is enough, whatever follows
        (measure(*[GOOD] * 50, BAD), Verdict.FAILED),  # passed and failed: failed
        (measure(THIN, at=END), Verdict.INCONCLUSIVE),
        (measure(GOOD, at=END), Verdict.PASSED),
        (measure(BAD, at=END), Verdict.FAILED),
        (measure(at=END), Verdict.INCONCLUSIVE),
        (measure(THIN, at=END - timedelta(microseconds=1)), Verdict.PENDING),
        (measure(THIN, status="PartialData"), Verdict.UNMEASURABLE),
        (measure(status="Forbidden"), Verdict.UNMEASURABLE),
        (measure(GOOD, status="PartialData"), Verdict.UNMEASURABLE),  # never promoted without data
        (measure(GOOD, status="InternalError", at=END), Verdict.UNMEASURABLE),
        (measure(BAD, status="Throttled"), Verdict.FAILED),  # harm that was measured stays
    ],
)
def test_relative_rule_gives_this_verdict(measured: Measurements, outcome: Verdict) -> None:
    assert get_verdict(RELATIVE, measured) is outcome


def test_verdict_is_pending_before_the_first_poll() -> None:
    assert get_verdict(RELATIVE, Measurements(("error_rate",))) is Verdict.PENDING


def test_alpha_is_divided_among_rules_that_may_stop_a_release() -> None:
    one, two = (
        RELATIVE,
        Rules(not_worse=(NotWorse(margin=0.02), NotWorse(metric="slow_rate", margin=0.02))),
    )
    assert (one.harm_threshold, one.pass_threshold) == (100, 100)
    assert (two.harm_threshold, two.pass_threshold) == (200, 100)
    just = Contrast(Proportion(4, 64), Proportion(33, 5000))
    (finding,) = assess(one, measure(just), deadline=END).findings
    assert finding.evidence is not None
    assert 100 <= finding.evidence.worse < 200
    assert get_verdict(one, measure(just)) is Verdict.FAILED
    assert get_verdict(two, measure(just)) is Verdict.PENDING


def test_measures_must_all_pass_and_any_may_fail() -> None:
    both = Rules(not_worse=(NotWorse(margin=0.02), NotWorse(metric="slow_rate", margin=0.02)))
    assert get_verdict(both, measure(GOOD)) is Verdict.PENDING
    assert get_verdict(both, measure(GOOD, slow=(GOOD,))) is Verdict.PASSED
    assert get_verdict(both, measure(GOOD, slow=(BAD,))) is Verdict.FAILED


@given(st.floats(0.001, 0.5))
def test_alpha_that_is_stricter_never_decides_sooner(alpha: float) -> None:
    strict, loose = (
        Rules(not_worse=(NotWorse(margin=0.02),), alpha=one) for one in (alpha / 2, alpha)
    )
    for measured in (
        measure(THIN),
        measure(GOOD),
        measure(BAD),
        measure(Contrast(Proportion(3, 60), Proportion(25, 5000))),
    ):
        assert get_verdict(strict, measured) in {get_verdict(loose, measured), Verdict.PENDING}


# --- limits ----------------------------------------------------------------------------------


def errors(*rates: float | None) -> tuple[MinuteMetrics, ...]:
    return tuple(
        MinuteMetrics() if rate is None else MinuteMetrics(invocations=100, errors=100 * rate)
        for rate in rates
    )


@pytest.mark.parametrize(
    ("minutes", "rates", "outcome"),
    [
        (1, (), Verdict.PENDING),
        (1, (0.02,), Verdict.PASSED),  # the bound itself is within
        (1, (0.03,), Verdict.FAILED),
        (1, (0.03, 0.01), Verdict.PASSED),  # only the last minutes count
        (1, (0.03, None), Verdict.FAILED),  # a minute without data is no good minute
        (1, (None,), Verdict.PENDING),
        (2, (0.03,), Verdict.PENDING),
        (2, (0.03, 0.03), Verdict.FAILED),
        (2, (0.03, 0.01), Verdict.PASSED),
        (2, (0.01, 0.03), Verdict.PASSED),
        (2, (0.03, None, 0.03), Verdict.FAILED),
        (2, (0.01, 0.03, 0.03), Verdict.FAILED),
    ],
)
def test_limit_is_broken_by_the_last_minutes_that_were_measured(
    minutes: int, rates: tuple[float | None, ...], outcome: Verdict
) -> None:
    rules = Rules(limits=(Limit(metric="error_rate", max=0.02, minutes=minutes),))
    assert get_verdict(rules, measure(points=errors(*rates))) is outcome


@pytest.mark.parametrize(
    ("limit", "point", "outcome"),
    [
        (
            {"metric": "duration_p99", "max": 800},
            MinuteMetrics(invocations=9, quantiles={"p99": 801}),
            Verdict.FAILED,
        ),
        (
            {"metric": "duration_p99", "max": 800},
            MinuteMetrics(invocations=9, quantiles={"p99": 799}),
            Verdict.PASSED,
        ),
        (
            {"metric": "duration_p99", "max": 800},
            MinuteMetrics(invocations=9, quantiles={"p50": 9000}),
            Verdict.PENDING,
        ),
        (
            {"metric": "duration_p99", "max": 800, "of": 10},
            MinuteMetrics(invocations=9, quantiles={"p99": 801}),
            Verdict.PENDING,
        ),
        (
            {"metric": "throttle_rate", "max": 0.01},
            MinuteMetrics(invocations=0, throttles=5),
            Verdict.FAILED,
        ),
        (
            {"metric": "throttle_rate", "max": 0.01},
            MinuteMetrics(invocations=5, throttles=0),
            Verdict.PASSED,
        ),
        ({"metric": "slow_rate", "max": 0.1}, MinuteMetrics(timed=10, slow=2), Verdict.FAILED),
        (
            {"metric": "error_rate", "max": 0.1},
            MinuteMetrics(invocations=0, errors=0),
            Verdict.PENDING,
        ),  # 0 of 0 is no rate
        (
            {"metric": "error_rate", "max": 0.1, "of": 3},
            MinuteMetrics(invocations=2, errors=1),
            Verdict.PENDING,
        ),
        (
            {"metric": "error_rate", "max": 0.1, "of": 3},
            MinuteMetrics(invocations=3, errors=1),
            Verdict.FAILED,
        ),
        ({"metric": "invocations", "min": 10}, MinuteMetrics(invocations=9), Verdict.FAILED),
        ({"metric": "invocations", "min": 10}, MinuteMetrics(invocations=0), Verdict.FAILED),
        (
            {"metric": "invocations", "min": 10},
            MinuteMetrics(),
            Verdict.PENDING,
        ),  # missing is not zero
        (
            {"metric": "invocations", "min": 10, "max": 20},
            MinuteMetrics(invocations=15),
            Verdict.PASSED,
        ),
        (
            {"metric": "invocations", "min": 10, "max": 20},
            MinuteMetrics(invocations=21),
            Verdict.FAILED,
        ),
    ],
)
def test_limit_reads_its_metric(
    limit: dict[str, Any], point: MinuteMetrics, outcome: Verdict
) -> None:
    assert (
        get_verdict(Rules(limits=(Limit.model_validate(limit),)), measure(points=(point,)))
        is outcome
    )


# --- all together ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "measured", "outcome"),
    [
        (Rules(), measure(GOOD), Verdict.PENDING),
        (Rules(), measure(GOOD, at=END), Verdict.INCONCLUSIVE),
        (Rules(min_invocations=100), measure(points=errors(0.0)), Verdict.PASSED),
        (Rules(min_invocations=101), measure(points=errors(0.0)), Verdict.PENDING),
        (Rules(min_invocations=101), measure(points=errors(0.0), at=END), Verdict.INCONCLUSIVE),
        (Rules(min_invocations=1), measure(points=errors(None)), Verdict.PENDING),
        (
            Rules(limits=(Limit(metric="error_rate", max=0.1),), min_invocations=200),
            measure(points=errors(0.5)),
            Verdict.FAILED,
        ),
        (
            Rules(limits=(Limit(metric="error_rate", max=0.1),), min_invocations=200),
            measure(points=errors(0.0)),
            Verdict.PENDING,
        ),
        (
            RELATIVE.model_copy(update={"limits": (Limit(metric="error_rate", max=0.1),)}),
            measure(GOOD, points=errors(0.5)),
            Verdict.FAILED,
        ),
        (
            RELATIVE.model_copy(update={"limits": (Limit(metric="error_rate", max=0.1),)}),
            measure(THIN, points=errors(0.0)),
            Verdict.PENDING,
        ),
    ],
)
def test_worst_of_all_findings_counts(
    rules: Rules, measured: Measurements, outcome: Verdict
) -> None:
    assert get_verdict(rules, measured) is outcome


def test_reason_has_the_numbers() -> None:
    rules = Rules(
        limits=(Limit(metric="duration_p99", max=800),), not_worse=(NotWorse(margin=0.02),)
    )
    failed = assess(
        rules,
        measure(BAD, points=(MinuteMetrics(invocations=9, quantiles={"p99": 950}),)),
        deadline=END,
    )
    assert failed.reason == (
        "duration_p99 at most 800: 950; "
        "error_rate not worse than stable's by 2 points: 100 of 1000 against 5 of 1000; "
        "evidence of harm over 10000, 100 stop a release"
    )
    late = assess(RELATIVE, measure(THIN, at=END), deadline=END)
    assert late.reason == (
        "error_rate not worse than stable's by 2 points: 0 of 10 against 0 of 100; "
        "about 310 more requests of the candidate are needed, if it does as well as stable "
        "(evidence of that 1.2 of 100, of harm 0.79 of 100)"
    )
    early = assess(RELATIVE, measure(), deadline=END)
    assert early.reason == (
        "error_rate not worse than stable's by 2 points: nothing measured yet; "
        "about 390 more requests of the candidate are needed, if it does as well as stable"
    )
    silent = assess(RELATIVE, measure(THIN, status="Forbidden"), deadline=END)
    assert silent.reason == "CloudWatch answered Forbidden"
