"""Many releases of a case under a policy, and their figures with intervals."""

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
"""Seconds after the start until which the harm of a promoted bad version is counted."""

_SHOWN_ENDS: Final[tuple[End, ...]] = ("rolled back", "promoted")


@dataclass(frozen=True)
class Outcome:
    """One release: its end, its duration, and how many requests the candidate harmed."""

    end: End
    seconds: float
    harmed: int


def simulate_release(
    case: Case, policy: Callable[[Function], Policy], rng: np.random.Generator, delay: Delay
) -> Outcome:
    """Simulate one release."""
    function = Function(case, delay, rng)
    rule, now = policy(function), 0.0
    while True:
        decision = rule.decide(now)
        if decision.end:
            if decision.end == "promoted":
                function.count_harm(now, HORIZON)
            return Outcome(decision.end, now, function.harmed)
        function.serve(now, decision.next_at, decision.percent)
        now = decision.next_at


def simulate_releases(
    case: Case,
    policy: Callable[[Function], Policy],
    *,
    number: int,
    seed: int = 1,
    delay: Delay | None = None,
) -> list[Outcome]:
    """Simulate releases, the same ones for the same seed."""
    rng = np.random.default_rng([seed, zlib.crc32(case.name.encode())])
    return [simulate_release(case, policy, rng, delay or Delay()) for _ in range(number)]


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{_format_number(self.value)} ({_format_number(self.low)}–{_format_number(self.high)})"
        )


def _format_number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def estimate_mean(values: Sequence[float]) -> Figure:
    """Estimate a mean, with the interval of the central limit theorem."""
    centre, half = (
        float(np.mean(values)),
        1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
        if len(values) > 1
        else float("inf"),
    )
    return Figure(centre, max(0.0, centre - half), centre + half)


def estimate_share(hits: int, of: int) -> Figure:
    """Estimate a share in percent, with the exact interval of Clopper and Pearson."""
    low, high = stats.binomtest(hits, of).proportion_ci()
    return Figure(100 * hits / of, 100 * low, 100 * high)


def filter_by_end(outcomes: Iterable[Outcome], end: End) -> list[Outcome]:
    """Return the outcomes with this end."""
    return [outcome for outcome in outcomes if outcome.end == end]


def make_row(case: Case, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the figures of one case under one policy."""
    for end in _SHOWN_ENDS:
        yield str(estimate_share(len(filter_by_end(outcomes, end)), len(outcomes)))
    yield f"{100 * len(filter_by_end(outcomes, 'held')) / len(outcomes):.3g}"
    yield str(estimate_mean([outcome.harmed for outcome in outcomes])) if case.is_bad else "–"
    for end in _SHOWN_ENDS:
        times = [outcome.seconds for outcome in filter_by_end(outcomes, end)]
        yield (
            f"{estimate_mean(times)}, {_format_number(float(np.median(times)))}"
            if len(times) > len(outcomes) // 20
            else "–"
        )


HEAD: Final = (
    "| policy | rolled back, % | promoted, % | held, % | requests harmed "
    "| s to rollback: mean, median | s to full traffic: mean, median |\n"
    "|---|---|---|---|---|---|---|"
)
