"""Many releases of each case under each policy, and what came of them, with how sure we may be of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from tests.bench.judgement.policies import End, Policy
from tests.bench.judgement.traffic import Case, Delay, Function

HORIZON: Final = 1800.0
"""Seconds after its start until which a bad version's harm is counted that was promoted."""


@dataclass(frozen=True)
class Outcome:
    """One release: how it ended, when, and how many of the candidate's requests were bad."""

    end: End
    seconds: float
    harmed: int


def release(
    case: Case, policy: Callable[[Function], Policy], rng: np.random.Generator, delay: Delay
) -> Outcome:
    """Simulate one release."""
    function = Function(case, delay, rng)
    rule, now = policy(function), 0.0
    while True:
        step = rule.next(now)
        if step.end:
            if step.end == "promoted":
                function.harm(now, HORIZON)
            return Outcome(step.end, now, function.harmed)
        function.serve(now, step.again, step.percent)
        now = step.again


def releases(
    case: Case,
    policy: Callable[[Function], Policy],
    *,
    number: int,
    seed: int = 1,
    delay: Delay | None = None,
) -> list[Outcome]:
    """So many releases, the same ones for the same seed."""
    rng = np.random.default_rng([seed, zlib.crc32(case.name.encode())])
    return [release(case, policy, rng, delay or Delay()) for _ in range(number)]


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_short(self.value)} ({_short(self.low)}–{_short(self.high)})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def mean(values: Sequence[float]) -> Figure:
    """The mean, with the interval of the central limit theorem."""
    centre, half = (
        float(np.mean(values)),
        1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
        if len(values) > 1
        else float("inf"),
    )
    return Figure(centre, max(0.0, centre - half), centre + half)


def share(hits: int, of: int) -> Figure:
    """Hits in percent, with the exact interval of Clopper and Pearson."""
    low, high = stats.binomtest(hits, of).proportion_ci()
    return Figure(100 * hits / of, 100 * low, 100 * high)


def ended(outcomes: Iterable[Outcome], end: End) -> list[Outcome]:
    """Those that ended so."""
    return [outcome for outcome in outcomes if outcome.end == end]


def row(case: Case, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The figures of one case under one policy."""
    for end in ("rolled back", "promoted"):
        yield str(share(len(ended(outcomes, end)), len(outcomes)))
    yield f"{100 * len(ended(outcomes, 'held')) / len(outcomes):.3g}"
    yield str(mean([outcome.harmed for outcome in outcomes])) if case.bad else "–"
    for end in ("rolled back", "promoted"):
        times = [outcome.seconds for outcome in ended(outcomes, end)]
        yield (
            f"{mean(times)}, {_short(float(np.median(times)))}"
            if len(times) > len(outcomes) // 20
            else "–"
        )


HEAD: Final = (
    "| policy | rolled back, % | promoted, % | held, % | requests harmed | s to rollback: mean, median | s to full traffic: mean, median |\n"
    "|---|---|---|---|---|---|---|"
)
