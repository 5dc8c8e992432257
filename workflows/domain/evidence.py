"""The sequential test: whether a candidate fails more often than stable.

Two versions serve the same traffic side by side. Of each version we know how many requests it
served, and how many of them failed, were throttled, or took too long. Evidence is an *e-value*: the
capital of a bet against a hypothesis that started with 1. If the hypothesis is true, no strategy of
betting has an expected gain. So the capital ever reaches 100 in at most one release of a hundred
(Ville's inequality). This holds at any time, for any number of assessments, and for any reason to
stop. Two hypotheses are bet against:

- **"the candidate is no worse than stable"**: when the capital reaches ``1/alpha``, the candidate
  is worse, and the release stops;
- **"the candidate is worse by the margin, or more"**: when the capital reaches ``1/alpha``, the
  candidate is good enough to promote.

Between the two (worse, but by less than the margin) either may happen, or neither. ``alpha`` bounds
each of the two errors by itself.

The bet on one contrast (both versions' counts of the same period) is a likelihood ratio. The
numerator is an alternative (``c``, ``s``): the failure rates of candidate and stable. The
denominator is the point of the hypothesis that is nearest to that alternative (``c0``, ``s0``).
Sources:

- Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests", JSPI 230, 2024
- for differences: Turner and Grünwald, Statistics & Probability Letters 198, 2023

Why it has no expected gain: a request that fails with probability ``p`` multiplies the capital by
``p·c/c0 + (1-p)(1-c)/(1-c0)`` on average, which is linear in ``p``. So the logarithm of the mean
over the whole contrast is a concave function of both versions' true failure rates. It is 0 at the
nearest point, and there its gradient points straight out of the hypothesis. So nowhere inside the
hypothesis is it more than 0. The bets on consecutive contrasts multiply.

What this needs: requests fail independently of each other, given their minute. Within a contrast,
both versions serve under the same conditions. What it does *not* need: constant rates. Load and
errors may rise and fall for both versions together. The share of the traffic may change from
contrast to contrast, for any reason that is known before. ``docs/judgement.md`` has the rest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NEAREST_ALTERNATIVE: Final = 2.0
"""The smallest excess that the bet for harm assumes, in margins.

The bet gains from a third of it on where errors are rare, and from a half of it on where they are
not: from 0.6 to 1 margin. A candidate that is worse by a margin or more is certainly detected,
given enough requests.
"""

_ALTERNATIVE_FACTOR: Final = 10.0
"""Each further alternative assumes so many times the excess, for half the stake."""

_MAX_EXCESS: Final = 0.5
"""Half of all requests: alternatives stay below it."""

_INITIAL_STAKE: Final = 0.95
"""The share of the stake on a candidate that is bad from its first request.

The rest is kept for a candidate that becomes bad later.
"""

_USUAL_STABLE_SHARE: Final = 9.0
"""Requests of stable for each one of the candidate, before any is known: a canary of 10%."""

_MAX_CAPITAL: Final = 1e300
_MAX_EXPONENT: Final = 690.0
_MIN_GAIN: Final = 1e-9


@dataclass(frozen=True)
class Proportion:
    """``hits`` of ``total`` requests, such as those that failed.

    Not always whole numbers: CloudWatch interpolates some of its counts.
    """

    hits: float = 0
    total: float = 0

    @property
    def rate(self) -> float:
        """The share of hits; 0 of 0 is 0."""
        return self.hits / self.total if self.total else 0.0

    def __add__(self, other: Proportion) -> Proportion:
        return Proportion(self.hits + other.hits, self.total + other.total)

    def __sub__(self, other: Proportion) -> Proportion:
        """What is new since ``other``.

        CloudWatch's counts only grow: one that seems to have shrunk counts as unchanged.
        """
        total = max(0.0, self.total - other.total)
        return Proportion(min(total, max(0.0, self.hits - other.hits)), total)


@dataclass(frozen=True)
class Contrast:
    """Both versions' counts of the same period."""

    candidate: Proportion
    stable: Proportion


@dataclass(frozen=True)
class Evidence:
    """The capital of both bets, and the counts that they were made on.

    A capital starts at 1: no evidence. ``harm`` is the capital of the bet against "no worse than
    stable", and ``worse`` the highest that it ever was: evidence that has once been sufficient
    stays sufficient. ``not_worse`` is the capital of the bet against "worse by the margin".
    """

    worse: float = 1.0
    harm: float = 1.0
    not_worse: float = 1.0
    candidate: Proportion = Proportion()
    stable: Proportion = Proportion()


@dataclass(frozen=True)
class SequentialTest:
    """The state of both bets of one rule after some contrasts.

    Each bet depends only on what was known before its contrast. ``known`` is what is known of
    stable: at the start, its counts before the release. That only makes the alternatives fit
    better. A wrong alternative costs time, never the guarantee, since every alternative is fixed
    before the contrast that it is bet on.

    ``reserve`` is the stake that is not bet yet, ``capitals`` the capital on each alternative.
    """

    margin: float
    known: Proportion = Proportion()
    contrast_count: int = 0
    reserve: float = 1.0
    capitals: tuple[float, ...] = ()
    log_not_worse: float = 0.0
    evidence: Evidence = Evidence()

    def with_contrast(self, contrast: Contrast) -> SequentialTest:
        """The state after one more contrast."""
        known, before, alternatives = self.known, self.evidence, _list_alternatives(self.margin)
        usual = self._usual_rate
        stake = (
            _INITIAL_STAKE
            if self.contrast_count == 0
            else (1 - _INITIAL_STAKE) / (self.contrast_count * (self.contrast_count + 1))
        )
        reserve = self.reserve - stake
        capitals: list[float] = []
        for capital, (excess, part) in zip(
            self.capitals or [0.0] * len(alternatives), alternatives, strict=True
        ):
            bet = Contrast(
                Proportion(min(usual + excess, (1 + usual) / 2), 1), Proportion(usual, 1)
            )
            gain = _exp(_log_gain(contrast, bet, margin=0.0))
            capitals.append(min((capital + part * stake) * gain, _MAX_CAPITAL))
        harm = min(sum(capitals) + max(reserve, 0.0), _MAX_CAPITAL)
        log_not_worse = self.log_not_worse + _log_gain(
            contrast, Contrast(Proportion(usual, 1), Proportion(usual, 1)), margin=self.margin
        )
        evidence = Evidence(
            worse=max(before.worse, harm),
            harm=harm,
            not_worse=_exp(log_not_worse),
            candidate=before.candidate + contrast.candidate,
            stable=before.stable + contrast.stable,
        )
        return SequentialTest(
            margin=self.margin,
            known=known + contrast.stable,
            contrast_count=self.contrast_count + 1,
            reserve=reserve,
            capitals=tuple(capitals),
            log_not_worse=log_not_worse,
            evidence=evidence,
        )

    @property
    def _usual_rate(self) -> float:
        """Stable's rate, by what is known of it; with nothing known, one in two hundred."""
        return (self.known.hits + 0.5) / (self.known.total + 100.0)

    def estimate_missing_requests(self, threshold: float) -> float | None:
        """Estimate how many more requests of the candidate "not worse" needs to be certain.

        That is, until its capital is ``threshold``, if the candidate does as well as stable from
        now on, with the share of the traffic that it has had. None where no number would do.
        """
        counts, usual = self.evidence, self._usual_rate
        share = _USUAL_STABLE_SHARE
        if counts.candidate.total:
            share = counts.stable.total / counts.candidate.total
        alike = Contrast(Proportion(usual, 1), Proportion(usual * share, share))
        rates = Contrast(Proportion(usual, 1), Proportion(usual, 1))
        gain = _log_gain(alike, rates, margin=self.margin)
        missing = max(0.0, math.log(threshold) - self.log_not_worse)
        return missing / gain if gain > _MIN_GAIN else None


def compute_evidence(
    contrasts: Iterable[Contrast], *, margin: float, baseline: Proportion | None = None
) -> Evidence:
    """Bet on contrasts, in the order in which they became known.

    ``baseline`` are stable's counts before the release.
    """
    start = SequentialTest(margin, baseline or Proportion())
    return functools.reduce(SequentialTest.with_contrast, contrasts, start).evidence


@functools.lru_cache
def _list_alternatives(margin: float) -> tuple[tuple[float, float], ...]:
    """List the excesses of a bad candidate's rate, each with its part of the stake."""
    excesses = [NEAREST_ALTERNATIVE * margin]
    while excesses[-1] * _ALTERNATIVE_FACTOR < _MAX_EXCESS:
        excesses.append(excesses[-1] * _ALTERNATIVE_FACTOR)
    weights = [0.5**index for index in range(len(excesses))]
    return tuple(
        (excess, weight / sum(weights)) for excess, weight in zip(excesses, weights, strict=True)
    )


def _log_gain(counts: Contrast, bet: Contrast, *, margin: float) -> float:
    """The logarithm of what a bet on the rates ``bet`` gains.

    The hypothesis is "the candidate's rate is stable's plus ``margin``, or further away from
    ``bet``".
    """
    c, s = bet.candidate.rate, bet.stable.rate
    candidates, stables = counts.candidate.total, counts.stable.total
    s0 = _find_nearest_rate(c, s, candidates=candidates, stables=stables, margin=margin)
    return _log_ratio(counts.candidate, c, s0 + margin) + _log_ratio(counts.stable, s, s0)


def _find_nearest_rate(
    c: float, s: float, *, candidates: float, stables: float, margin: float
) -> float:
    """Find stable's rate at the hypothesis' point that is nearest to (``c``, ``s``).

    The nearest point of the line ``c0 = s0 + margin``, by the Kullback-Leibler divergence: the root
    of the derivative, which rises with ``s0`` and changes its sign between ``s`` and ``c -
    margin``. Found by bisection, to the last bit.
    """
    low, high = max(0.0, min(s, c - margin)), min(1.0 - margin, max(s, c - margin))
    while low < (middle := (low + high) / 2) < high:
        c0 = middle + margin
        slope = candidates * (c0 - c) * middle * (1 - middle) + stables * (middle - s) * c0 * (
            1 - c0
        )
        low, high = (middle, high) if slope < 0 else (low, middle)
    return high


def _log_ratio(counts: Proportion, rate: float, other: float) -> float:
    """The log likelihood ratio of ``counts`` at ``rate`` against ``other``."""
    misses = counts.total - counts.hits
    return (counts.hits * math.log(rate / other) if counts.hits else 0.0) + (
        misses * math.log((1 - rate) / (1 - other)) if misses else 0.0
    )


def _exp(exponent: float) -> float:
    return math.exp(min(exponent, _MAX_EXPONENT))
