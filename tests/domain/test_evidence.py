"""The sequential test: no bet wins against the truth, and the truth comes out."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.domain.evidence import (
    Contrast,
    Evidence,
    Proportion,
    SequentialTest,
    compute_evidence,
)

rates = st.floats(0.0, 1.0)
few = st.integers(0, 8)
NOTHING = Proportion()


def binomial(hits: int, of: int, rate: float) -> float:
    return math.comb(of, hits) * rate**hits * (1 - rate) ** (of - hits)


@dataclass(frozen=True)
class Experiment:
    """Two versions that fail at the rates ``p`` and ``q``, and the requests each gets next."""

    candidates: int
    stables: int
    p: float
    q: float
    margin: float = 0.02
    baseline: Proportion = NOTHING
    past: tuple[Contrast, ...] = ()

    def no_worse(self) -> Experiment:
        return replace(self, p=min(self.p, self.q), q=max(self.p, self.q))

    def worse_by_the_margin(self) -> Experiment:
        q = self.q * (1 - self.margin)
        return replace(self, p=max(self.p, q + self.margin), q=q)

    def evidence(self, *more: Contrast) -> Evidence:
        return compute_evidence([*self.past, *more], margin=self.margin, baseline=self.baseline)

    def expected(self, of: str) -> float:
        """The exact mean of a bet after the next contrast, over all its outcomes."""
        return sum(
            binomial(bad, self.candidates, self.p)
            * binomial(worse, self.stables, self.q)
            * getattr(
                self.evidence(
                    Contrast(Proportion(bad, self.candidates), Proportion(worse, self.stables))
                ),
                of,
            )
            for bad in range(self.candidates + 1)
            for worse in range(self.stables + 1)
        )


def contrast(candidates: int, bad: int, stables: int, worse: int) -> Contrast:
    return Contrast(
        Proportion(min(bad, candidates), candidates), Proportion(min(worse, stables), stables)
    )


befores = st.builds(lambda of, part: Proportion(of * part, of), st.integers(0, 5000), rates)
pasts = st.lists(
    st.builds(contrast, st.integers(1, 50), few, st.integers(1, 50), few), max_size=3
).map(tuple)
experiments = st.builds(Experiment, few, few, rates, rates, st.floats(0.001, 0.2), befores, pasts)


@settings(max_examples=150, deadline=None)
@given(experiments)
def test_bet_on_harm_does_not_win_while_the_candidate_is_no_worse(experiment: Experiment) -> None:
    assert experiment.no_worse().expected("harm") <= experiment.evidence().harm * (1 + 1e-9)


@settings(max_examples=150, deadline=None)
@given(experiments)
def test_bet_on_no_harm_does_not_win_while_it_is_worse_by_the_margin(
    experiment: Experiment,
) -> None:
    assert experiment.worse_by_the_margin().expected(
        "not_worse"
    ) <= experiment.evidence().not_worse * (1 + 1e-9)


def test_bet_wins_where_its_hypothesis_is_false() -> None:
    """The two tests above can fail: the same sums, outside of the hypothesis."""
    known = Proportion(5, 1000)
    assert Experiment(8, 8, p=0.5, q=0.005, baseline=known).expected("harm") > 2
    assert Experiment(8, 8, p=0.0, q=0.0, margin=0.2, baseline=known).expected("not_worse") > 2


# --- a poll every minute ---------------------------------------------------------------------


def minutes(rng: random.Random, number: int, excess: float) -> Iterator[Contrast]:
    """Minutes of both versions. Load, error rate and weight change for both alike."""
    for _ in range(number):
        rate, candidates = rng.choice([0.005, 0.02, 0.1]), rng.choice([3, 20, 60])
        stables = candidates * rng.choice([1, 5, 20])
        candidate = sum(rng.random() < rate + excess for _ in range(candidates))
        yield Contrast(
            Proportion(candidate, candidates),
            Proportion(sum(rng.random() < rate for _ in range(stables)), stables),
        )


def ever(reached: float, found: list[Evidence]) -> int:
    return sum(one.worse >= reached for one in found)


def too_many(alpha: float, of: int) -> float:
    """A number of false alarms that chance exceeds once in a thousand times.

    Each of them has the probability alpha.
    """
    return alpha * of + 3.1 * (alpha * (1 - alpha) * of) ** 0.5


def compute_largest_z(contrasts: list[Contrast]) -> float:
    """The largest z of a z-test for two proportions that is repeated at every poll.

    That is the naive way: each test counts as if it were the only one.
    """
    candidate, stable, largest = Proportion(), Proportion(), 0.0
    for contrast in contrasts:
        candidate, stable = candidate + contrast.candidate, stable + contrast.stable
        both = (candidate + stable).rate
        spread = (both * (1 - both) * (1 / candidate.total + 1 / stable.total)) ** 0.5
        largest = max(largest, (candidate.rate - stable.rate) / spread if spread else 0.0)
    return largest


def test_false_alarms_of_polls_every_minute_stay_below_alpha() -> None:
    rng, releases, alpha = random.Random(4), 600, 0.05
    contrasts = [list(minutes(rng, 30, 0.0)) for _ in range(releases)]
    found = [
        compute_evidence(release, margin=0.02, baseline=Proportion(5, 1000))
        for release in contrasts
    ]
    assert ever(1 / alpha, found) <= too_many(alpha, releases)
    assert sum(compute_largest_z(release) > 1.645 for release in contrasts) > too_many(
        alpha, releases
    )  # so that this test can fail


def test_false_passes_of_polls_every_minute_stay_below_alpha() -> None:
    rng, releases, alpha, margin = random.Random(5), 300, 0.05, 0.04
    passed = 0
    for _ in range(releases):
        contrasts = list(minutes(rng, 25, margin))
        passed += any(
            compute_evidence(contrasts[: poll + 1], margin=margin).not_worse >= 1 / alpha
            for poll in range(0, len(contrasts), 4)
        )
    assert passed <= too_many(alpha, releases)


@pytest.mark.parametrize(("excess", "found"), [(0.0, 0), (0.06, 1), (0.3, 1)])
def test_bad_version_is_found(excess: float, found: float) -> None:
    rng = random.Random(6)
    evidence = [compute_evidence(minutes(rng, 120, excess), margin=0.02) for _ in range(20)]
    assert ever(100, evidence) == found * 20


def test_version_that_goes_bad_after_an_hour_is_found() -> None:
    good, bad = (
        Contrast(Proportion(0, 60), Proportion(3, 600)),
        Contrast(Proportion(6, 60), Proportion(3, 600)),
    )
    assert compute_evidence([good] * 60, margin=0.02).worse < 2
    assert compute_evidence([good] * 60 + [bad] * 4, margin=0.02).worse > 100


def test_errors_of_both_versions_are_no_evidence_of_harm() -> None:
    outage = Contrast(Proportion(30, 60), Proportion(2970, 5940))
    assert compute_evidence([outage] * 10, margin=0.02, baseline=Proportion(5, 1000)).worse < 2


# --- parts -----------------------------------------------------------------------------------


def test_evidence_is_neutral_before_the_first_contrast() -> None:
    assert compute_evidence([], margin=0.02) == Evidence(worse=1, harm=1, not_worse=1)


@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_error_of_the_candidate_raises_the_evidence_of_harm(
    candidates: int, stables: int, data: st.DataObject
) -> None:
    bad, stable = (
        data.draw(st.integers(0, candidates - 1)),
        Proportion(data.draw(st.integers(0, stables)), stables),
    )
    fewer, more = (
        compute_evidence([Contrast(Proportion(hits, candidates), stable)], margin=0.02)
        for hits in (bad, bad + 1)
    )
    assert fewer.harm <= more.harm
    assert fewer.not_worse >= more.not_worse


@pytest.mark.parametrize(
    "one",
    [
        Contrast(Proportion(9, 9), Proportion()),
        Contrast(Proportion(), Proportion(9, 9)),
        Contrast(Proportion(), Proportion()),
    ],
)
def test_version_alone_is_no_evidence_of_harm(one: Contrast) -> None:
    assert compute_evidence([one], margin=0.02).harm == pytest.approx(1)


@pytest.mark.parametrize(
    "odd",
    [
        Contrast(Proportion(10**7, 10**7), Proportion(0, 10**7)),
        Contrast(Proportion(0, 10**7), Proportion(10**7, 10**7)),
        Contrast(Proportion(0.4, 3.7), Proportion(1.2, 88.8)),
    ],
)
@pytest.mark.parametrize("margin", [0.0005, 0.02, 0.2])
def test_counts_of_any_size_are_accepted(odd: Contrast, margin: float) -> None:
    found = compute_evidence([odd] * 3, margin=margin)
    assert all(
        0 <= value <= 1e300 and math.isfinite(value)
        for value in (found.worse, found.harm, found.not_worse)
    )


@pytest.mark.parametrize(
    ("now", "known", "new"),
    [
        (Proportion(5, 50), Proportion(), Proportion(5, 50)),
        (Proportion(5, 50), Proportion(5, 45), Proportion(0, 5)),
        (Proportion(4, 40), Proportion(5, 45), Proportion(0, 0)),  # CloudWatch's counts only grow
        (
            Proportion(9, 46),
            Proportion(5, 45),
            Proportion(1, 1),
        ),  # a count that grew without its requests waits for them
    ],
)
def test_contrast_of_new_counts_is_never_negative(
    now: Proportion, known: Proportion, new: Proportion
) -> None:
    assert now - known == new


@pytest.mark.parametrize("baseline", [Proportion(), Proportion(5, 1000), Proportion(500, 10000)])
@pytest.mark.parametrize("margin", [0.01, 0.025, 0.1])
def test_estimated_requests_are_about_those_that_a_good_candidate_needs(
    margin: float, baseline: Proportion
) -> None:
    test = SequentialTest(margin, baseline)
    estimate = test.estimate_missing_requests(100)
    assert estimate is not None
    rate = (baseline.hits + 0.5) / (baseline.total + 100)
    requests = 0.0
    while test.evidence.not_worse < 100:
        requests += estimate / 20
        test = test.with_contrast(
            Contrast(
                Proportion(rate * estimate / 20, estimate / 20),
                Proportion(9 * rate * estimate / 20, 9 * estimate / 20),
            )
        )
    assert requests == pytest.approx(estimate, rel=0.1)
    assert test.estimate_missing_requests(100) == 0


def test_estimate_is_none_without_traffic_to_stable() -> None:
    known = SequentialTest(0.02, Proportion(500, 10000))
    test = known.with_contrast(Contrast(Proportion(5, 100), Proportion()))
    assert test.estimate_missing_requests(100) is None
