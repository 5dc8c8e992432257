"""How sure we may be that a new version fails more often than the trusted one, however often somebody looks.

Two versions serve the same traffic side by side; of each we know how many requests it served and how many of them failed, were throttled, or
took too long. Evidence is an *e-value*: what a bet against a hypothesis has made of one coin. If the hypothesis is true, no way of betting is
expected to gain anything, so the bet ever reaches 100 coins in at most one release of a hundred (Ville's inequality) – whenever one looks,
however often, and whatever made one stop. Two hypotheses are bet against:

- **"the candidate is no worse than stable"**: when the bet reaches ``1/alpha``, it is worse: stop for harm;
- **"the candidate is worse by the margin, or more"**: when that bet reaches ``1/alpha``, it is good enough: promote.

Between the two (worse, but by less than the margin) either may happen, or neither; ``alpha`` bounds the two errors that matter, each by itself.

The bet on one contrast (what both versions did in the same stretch of time) is that of Turner, Ly and Grünwald ("Generic E-variables for exact
sequential k-sample tests", JSPI 230, 2024; for differences Turner and Grünwald, Statistics & Probability Letters 198, 2023): how much likelier
it is under an alternative (``c``, ``s``: how often candidate and stable fail) than under the point of the hypothesis that is nearest to that
alternative (``c0``, ``s0``). Why it cannot gain: a request that fails with probability ``p`` multiplies the bet by ``p·c/c0 + (1-p)(1-c)/(1-c0)``
on average, which is linear in ``p``; so the logarithm of the whole contrast's mean is a concave function of how often either version truly
fails, it is 0 at the nearest point, and there its gradient points straight out of the hypothesis: nowhere inside it is more than 0. Bets on
contrasts that follow one another multiply.

What this needs: requests fail independently of each other, given the minute they fall into; within a contrast both versions meet the same
conditions. What it does *not* need: that rates stand still. Load and errors may rise and fall for both versions together, and the
share of the traffic may change from contrast to contrast, for any reason that is known before. ``docs/judgement.md`` has the rest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NEAREST_ALTERNATIVE: Final = 2.0
"""The smallest difference that the bet for harm looks for, in margins. It pays from a third of that (where errors are rare) to a half of it
(where they are not), so from 0.6 to 1 margin: a candidate that is worse by a margin or more is found for certain, given requests enough."""

_STEP: Final = 10.0
"""Each further alternative is so many times as far away, short of half of all requests, and has half of the stake."""

_FROM_THE_START: Final = 0.95
"""The share of the stake that is bet on a candidate being bad from its first request; the rest waits for one that goes bad later."""

_LARGEST: Final = 1e300


@dataclass(frozen=True)
class Proportion:
    """``hits`` requests of ``of`` that had it: an error, say. Not always whole numbers: CloudWatch interpolates some of its counts."""

    hits: float = 0
    total: float = 0

    @property
    def rate(self) -> float:
        """How often; 0 of 0 is 0."""
        return self.hits / self.total if self.total else 0.0

    def __add__(self, other: Proportion) -> Proportion:
        return Proportion(self.hits + other.hits, self.total + other.total)

    def __sub__(self, other: Proportion) -> Proportion:
        """What is new since ``other``. CloudWatch's counts only grow: one that seems to have shrunk counts as unchanged."""
        of = max(0.0, self.total - other.total)
        return Proportion(min(of, max(0.0, self.hits - other.hits)), of)


@dataclass(frozen=True)
class Contrast:
    """What both versions did in the same stretch of time."""

    candidate: Proportion
    stable: Proportion


@dataclass(frozen=True)
class Evidence:
    """What the two bets stand at, and what they were on. 1 is where they begin: nothing is known.

    ``worse`` is the highest that the bet against "no worse than stable" ever stood at: one that has once been enough stays enough.
    ``harm`` is what it stands at now, ``not_worse`` the same of the bet against "worse by the margin".
    """

    worse: float = 1.0
    harm: float = 1.0
    not_worse: float = 1.0
    candidate: Proportion = Proportion()
    stable: Proportion = Proportion()


@dataclass(frozen=True)
class SequentialTest:
    """The bets of one rule, contrast by contrast: what is bet next depends on what was known before, and on nothing else.

    ``known`` is what is known of stable; to begin with, how it did before the release. That only makes the alternatives fit better: a wrong one
    costs time, never the guarantee, since every alternative is fixed before the contrast that it is bet on.
    """

    margin: float
    known: Proportion = Proportion()
    turn: int = 0
    waiting: float = 1.0
    stakes: tuple[float, ...] = ()
    log_not_worse: float = 0.0
    evidence: Evidence = Evidence()

    def with_contrast(self, contrast: Contrast) -> SequentialTest:
        """What they stand at when one more contrast is known."""
        known, told, alternatives = self.known, self.evidence, _alternatives(self.margin)
        usual = (known.hits + 0.5) / (known.total + 100.0)  # with nothing known: one in two hundred
        stake = (
            _FROM_THE_START
            if self.turn == 0
            else (1 - _FROM_THE_START) / (self.turn * (self.turn + 1))
        )
        waiting = self.waiting - stake
        stakes: list[float] = []
        for had, (excess, part) in zip(
            self.stakes or [0.0] * len(alternatives), alternatives, strict=True
        ):
            bet = Contrast(Proportion(min(usual + excess, (1 + usual) / 2), 1), Proportion(usual, 1))
            gain = _exp(_log_gain(contrast, bet, margin=0.0))
            stakes.append(min((had + part * stake) * gain, _LARGEST))
        harm = min(sum(stakes) + max(waiting, 0.0), _LARGEST)
        log_not_worse = self.log_not_worse + _log_gain(
            contrast, Contrast(Proportion(usual, 1), Proportion(usual, 1)), margin=self.margin
        )
        found = Evidence(
            worse=max(told.worse, harm),
            harm=harm,
            not_worse=_exp(log_not_worse),
            candidate=told.candidate + contrast.candidate,
            stable=told.stable + contrast.stable,
        )
        return SequentialTest(
            self.margin,
            known + contrast.stable,
            self.turn + 1,
            waiting,
            tuple(stakes),
            log_not_worse,
            found,
        )


def compute_evidence(
    contrasts: Iterable[Contrast], *, margin: float, baseline: Proportion | None = None
) -> Evidence:
    """Bet on contrasts, in the order in which they became known. ``before`` is how stable did before the release."""
    return functools.reduce(SequentialTest.with_contrast, contrasts, SequentialTest(margin, baseline or Proportion())).evidence


@functools.lru_cache
def _alternatives(margin: float) -> tuple[tuple[float, float], ...]:
    """How much worse a bad candidate may be, and which part of the stake is on that."""
    excesses = [NEAREST_ALTERNATIVE * margin]
    while excesses[-1] * _STEP < 0.5:  # noqa: PLR2004 - half of all requests
        excesses.append(excesses[-1] * _STEP)
    weights = [0.5**index for index in range(len(excesses))]
    return tuple(
        (excess, weight / sum(weights)) for excess, weight in zip(excesses, weights, strict=True)
    )


def _log_gain(seen: Contrast, bet: Contrast, *, margin: float) -> float:
    """What a bet on the rates ``bet`` gains, against "the candidate's rate is stable's plus ``margin``, or further away from ``bet``"."""
    c, s = bet.candidate.rate, bet.stable.rate
    s0 = _nearest(c, s, candidates=seen.candidate.total, stables=seen.stable.total, margin=margin)
    return _log_ratio(seen.candidate, c, s0 + margin) + _log_ratio(seen.stable, s, s0)


def _nearest(c: float, s: float, *, candidates: float, stables: float, margin: float) -> float:
    """Stable's rate at the point of the line ``c0 = s0 + margin`` from which (``c``, ``s``) is hardest to tell (Kullback-Leibler).

    The root of the derivative, which rises with ``s0`` and changes its sign between ``s`` and ``c - margin``; by bisection, to the last bit.
    """
    low, high = max(0.0, min(s, c - margin)), min(1.0 - margin, max(s, c - margin))
    while low < (middle := (low + high) / 2) < high:
        c0 = middle + margin
        slope = candidates * (c0 - c) * middle * (1 - middle) + stables * (middle - s) * c0 * (
            1 - c0
        )
        low, high = (middle, high) if slope < 0 else (low, middle)
    return high


def _log_ratio(seen: Proportion, rate: float, other: float) -> float:
    """How much likelier ``seen`` is at ``rate`` than at ``other``, as a logarithm."""
    missed = seen.total - seen.hits
    return (seen.hits * math.log(rate / other) if seen.hits else 0.0) + (
        missed * math.log((1 - rate) / (1 - other)) if missed else 0.0
    )


def _exp(exponent: float) -> float:
    return math.exp(min(exponent, 690.0))
