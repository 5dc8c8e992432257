"""The simulator of ``make bench-judgement``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.bench.judgement.cases import CASES, always
from tests.bench.judgement.comparison import (
    Outcome,
    estimate_mean,
    estimate_share,
    filter_by_end,
    make_row,
    simulate_releases,
)
from tests.bench.judgement.policies import (
    POLICIES,
    Policy,
    compute_threshold,
    make_adaptive,
    make_canary_with_count,
    make_canary_with_rate,
)
from tests.bench.judgement.traffic import MINUTE, Counts, Delay, Function

BAD, GOOD = CASES[:2]


def harm(outcomes: list[Outcome]) -> float:
    return estimate_mean([outcome.harmed for outcome in outcomes]).value


def test_adaptive_harms_a_tenth_of_what_a_canary_does() -> None:
    ours, theirs = (
        simulate_releases(BAD, policy, number=150)
        for policy in (make_adaptive, make_canary_with_count)
    )
    assert len(filter_by_end(ours, "rolled back")) == 150
    assert len(filter_by_end(theirs, "rolled back")) == 150
    assert harm(ours) < 0.12 * harm(theirs)  # 0.09 with a thousand releases; the rest is noise


def test_adaptive_promotes_a_good_version_about_as_fast() -> None:
    outcomes = simulate_releases(GOOD, make_adaptive, number=100)
    assert len(filter_by_end(outcomes, "promoted")) >= 97
    # 295 with a thousand releases.
    assert (
        estimate_mean([outcome.seconds for outcome in filter_by_end(outcomes, "promoted")]).value
        < 345
    )


def test_adaptive_promotes_twenty_of_twenty_good_versions() -> None:
    assert len(filter_by_end(simulate_releases(GOOD, make_adaptive, number=20), "promoted")) == 20


def test_seed_determines_the_releases() -> None:
    assert simulate_releases(BAD, make_adaptive, number=5, seed=7) == simulate_releases(
        BAD, make_adaptive, number=5, seed=7
    )
    assert simulate_releases(BAD, make_adaptive, number=5, seed=7) != simulate_releases(
        BAD, make_adaptive, number=5, seed=8
    )


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_policy_ends_every_case(policy: Callable[[Function], Policy]) -> None:
    for case in CASES:
        (outcome,) = simulate_releases(case, policy, number=1)
        assert outcome.end in {"promoted", "rolled back", "held"}
        assert outcome.seconds <= 7230  # polls that would return nothing new are skipped
        assert len(list(make_row(case, [outcome]))) == 6


def function(delay: Delay | None = None) -> Function:
    return Function(BAD, delay or Delay(), np.random.default_rng(3))


def test_counts_arrive_late_in_two_parts_and_completely() -> None:
    one = function()
    one.serve(0, 600, 10)
    over = MINUTE - one.phase  # the end of minute 0
    assert one.read_minutes(over + 29) == {}
    first, whole = one.read_minutes(over + 90)[0], one.read_minutes(over + 151)[0]
    assert 0.85 < first.stable / whole.stable < 0.95
    minutes = one.read_minutes(1000)
    assert sum(counts.candidate_bad for counts in minutes.values()) == one.harmed
    assert sum(counts.candidate + counts.stable for counts in minutes.values()) == pytest.approx(
        60_000, rel=0.02
    )
    assert sum(counts.candidate for counts in minutes.values()) == pytest.approx(6000, rel=0.1)


def test_counts_of_a_minute_only_grow() -> None:
    one, before = function(), dict[int, Counts]()
    for second in range(0, 900, 15):
        one.serve(second, second + 15, 20)
        now = one.read_minutes(second + 15)
        assert all(now[minute].candidate >= counts.candidate for minute, counts in before.items())
        before = dict(now)
    assert len(before) > 10


def test_alarm_reads_only_what_cloudwatch_returns() -> None:
    at_once, slow = Delay((0, 0), (0, 0)), Delay((100, 100), (100, 100))
    early, late = (
        simulate_releases(BAD, make_canary_with_rate, number=40, delay=delay)
        for delay in (at_once, slow)
    )
    assert (
        estimate_mean([outcome.seconds for outcome in early]).value + 80
        < estimate_mean([outcome.seconds for outcome in late]).value
    )
    assert harm(early) < harm(late)


def test_harm_goes_on_after_a_bad_version_is_promoted() -> None:
    (outcome,) = simulate_releases(
        replace(BAD, candidate=always(0.011)), make_canary_with_rate, number=1
    )
    assert outcome.end == "promoted"
    assert outcome.harmed > 1000


def test_threshold_is_the_lowest_that_good_releases_allow() -> None:
    def stopped(threshold: int) -> float:
        rng = np.random.default_rng(1)
        return float(np.mean([max(rng.poisson(3.0, 5)) >= threshold for _ in range(20_000)]))

    threshold = compute_threshold(3.0)
    assert stopped(threshold) <= 0.01 < stopped(threshold - 1)


def test_figures_carry_their_uncertainty() -> None:
    assert str(estimate_share(0, 1000)) == "0 (0–0.368)"
    assert str(estimate_mean([10.0, 20.0] * 50)) == "15 (14–16)"


def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 8
