"""The simulator of ``make bench-judgement``, in small: it is what it says, and the figures of ``docs/judgement.md`` still hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.bench.judgement.cases import CASES, always
from tests.bench.judgement.comparison import Outcome, ended, mean, releases, row, share
from tests.bench.judgement.policies import (
    POLICIES,
    Policy,
    adaptive,
    canary_with_count,
    canary_with_rate,
    lowest_threshold,
)
from tests.bench.judgement.traffic import MINUTE, Counts, Delay, Function

BAD, GOOD = CASES[:2]


def harm(outcomes: list[Outcome]) -> float:
    return mean([outcome.harmed for outcome in outcomes]).value


def test_adaptive_harms_a_tenth_of_what_a_canary_does() -> None:
    ours, theirs = (releases(BAD, policy, number=150) for policy in (adaptive, canary_with_count))
    assert len(ended(ours, "rolled back")) == 150
    assert len(ended(theirs, "rolled back")) == 150
    assert harm(ours) < 0.12 * harm(theirs)  # 0.09 with a thousand releases; the rest is chance


def test_adaptive_promotes_a_good_version_about_as_fast() -> None:
    outcomes = releases(GOOD, adaptive, number=100)
    assert len(ended(outcomes, "promoted")) >= 97
    assert (
        mean([outcome.seconds for outcome in ended(outcomes, "promoted")]).value < 345
    )  # 295 with a thousand


def test_of_twenty_good_versions_twenty_are_promoted() -> None:
    assert len(ended(releases(GOOD, adaptive, number=20), "promoted")) == 20


def test_the_same_seed_makes_the_same_releases() -> None:
    assert releases(BAD, adaptive, number=5, seed=7) == releases(BAD, adaptive, number=5, seed=7)
    assert releases(BAD, adaptive, number=5, seed=7) != releases(BAD, adaptive, number=5, seed=8)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_policy_ends_every_case(policy: Callable[[Function], Policy]) -> None:
    for case in CASES:
        (outcome,) = releases(case, policy, number=1)
        assert outcome.end in {"promoted", "rolled back", "held"}
        assert outcome.seconds <= 7230  # the simulator skips looks that would see nothing new
        assert len(list(row(case, [outcome]))) == 6


# --- CloudWatch ----------------------------------------------------------------------------------------------------------------


def function(delay: Delay | None = None) -> Function:
    return Function(BAD, delay or Delay(), np.random.default_rng(3))


def test_cloudwatch_tells_late_and_in_two_parts_and_in_the_end_everything() -> None:
    one = function()
    one.serve(0, 600, 10)
    over = MINUTE - one.phase  # the end of minute 0
    assert one.read_minutes(over + 29) == {}
    first, whole = one.read_minutes(over + 90)[0], one.read_minutes(over + 151)[0]
    assert 0.85 < first.stable / whole.stable < 0.95
    told = one.read_minutes(1000)
    assert sum(counts.candidate_bad for counts in told.values()) == one.harmed
    assert sum(counts.candidate + counts.stable for counts in told.values()) == pytest.approx(
        60_000, rel=0.02
    )
    assert sum(counts.candidate for counts in told.values()) == pytest.approx(6000, rel=0.1)


def test_what_was_told_only_grows() -> None:
    one, before = function(), dict[int, Counts]()
    for second in range(0, 900, 15):
        one.serve(second, second + 15, 20)
        now = one.read_minutes(second + 15)
        assert all(now[minute].candidate >= counts.candidate for minute, counts in before.items())
        before = dict(now)
    assert len(before) > 10


def test_an_alarm_sees_no_more_than_cloudwatch_tells() -> None:
    at_once, slow = Delay((0, 0), (0, 0)), Delay((100, 100), (100, 100))
    early, late = (
        releases(BAD, canary_with_rate, number=40, delay=delay) for delay in (at_once, slow)
    )
    assert (
        mean([outcome.seconds for outcome in early]).value + 80
        < mean([outcome.seconds for outcome in late]).value
    )
    assert harm(early) < harm(late)


def test_a_bad_version_that_was_promoted_goes_on_harming() -> None:
    (outcome,) = releases(replace(BAD, candidate=always(0.011)), canary_with_rate, number=1)
    assert outcome.end == "promoted"
    assert outcome.harmed > 1000


# --- figures -------------------------------------------------------------------------------------------------------------------


def test_the_threshold_of_an_alarm_is_the_lowest_that_good_releases_allow() -> None:
    def stopped(threshold: int) -> float:
        rng = np.random.default_rng(1)
        return float(np.mean([max(rng.poisson(3.0, 5)) >= threshold for _ in range(20_000)]))

    threshold = lowest_threshold(3.0)
    assert stopped(threshold) <= 0.01 < stopped(threshold - 1)


def test_figures_carry_their_uncertainty() -> None:
    assert str(share(0, 1000)) == "0 (0–0.368)"
    assert str(mean([10.0, 20.0] * 50)) == "15 (14–16)"


def test_no_two_cases_share_a_seed() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 8
