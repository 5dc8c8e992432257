"""The simulated traffic of two versions, and what CloudWatch returns of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

Curve = Callable[[float], float]
"""A value that changes with the seconds since the release started."""

MINUTE: Final = 60.0
_STEP_SECONDS: Final = 15.0
"""How long a curve is held constant at most."""


@dataclass(frozen=True)
class Delay:
    """When CloudWatch returns a minute, in seconds after its end.

    ``share`` of the requests come first, the rest later.
    """

    first: tuple[float, float] = (30.0, 90.0)
    rest: tuple[float, float] = (90.0, 150.0)
    share: float = 0.9


@dataclass(frozen=True)
class Case:
    """A case: requests a second, and the share of bad ones of each version.

    ``usual`` and ``usual_load`` are what was known about stable before.
    """

    name: str
    is_bad: bool
    candidate: Curve
    stable: Curve
    load: Curve
    usual: float
    usual_load: float
    measure: Literal["error_rate", "slow_rate"] = "error_rate"


@dataclass(frozen=True)
class Counts:
    """The requests, and the bad ones, of the candidate and of stable."""

    candidate: int = 0
    candidate_bad: int = 0
    stable: int = 0
    stable_bad: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.candidate + other.candidate,
            self.candidate_bad + other.candidate_bad,
            self.stable + other.stable,
            self.stable_bad + other.stable_bad,
        )


@dataclass
class Function:
    """The traffic of one release.

    Time is in seconds since the release started, at a random moment of CloudWatch's minute 0.
    """

    case: Case
    delay: Delay
    rng: np.random.Generator
    harmed: int = 0
    _first: dict[int, Counts] = field(default_factory=dict[int, Counts])
    _rest: dict[int, Counts] = field(default_factory=dict[int, Counts])
    _returned_at: dict[int, tuple[float, float]] = field(
        default_factory=dict[int, tuple[float, float]]
    )
    _known: Mapping[int, Counts] = field(default_factory=dict[int, Counts])
    _next_change: float = 0.0
    _minute: int = -1

    def __post_init__(self) -> None:
        self.phase = float(self.rng.uniform(0, MINUTE))

    def serve(self, begin: float, end: float, percent: int) -> None:
        """Add traffic from ``begin`` to ``end``, this percent of it to the candidate."""
        while begin < end - 1e-9:
            minute = int((begin + self.phase) // MINUTE)
            until = min(end, begin + _STEP_SECONDS, (minute + 1) * MINUTE - self.phase)
            self._serve(minute, begin, until, percent)
            begin = until

    def _serve(self, minute: int, begin: float, end: float, percent: int) -> None:
        candidate, bad, stable, stable_bad = self._draw_requests(
            (begin + end) / 2, end - begin, percent
        )
        self.harmed += bad
        keep = self.rng.binomial(
            [bad, candidate - bad, stable_bad, stable - stable_bad], self.delay.share
        ).tolist()
        first = Counts(keep[0] + keep[1], keep[0], keep[2] + keep[3], keep[2])
        rest = Counts(
            candidate - first.candidate, bad - keep[0], stable - first.stable, stable_bad - keep[2]
        )
        self._first[minute] = self._first.get(minute, Counts()) + first
        self._rest[minute] = self._rest.get(minute, Counts()) + rest
        if minute > self._minute:
            self._minute = minute
            over = (minute + 1) * MINUTE - self.phase
            self._returned_at[minute] = (
                over + self.rng.uniform(*self.delay.first),
                over + self.rng.uniform(*self.delay.rest),
            )
            self._next_change = min(self._next_change, self._returned_at[minute][0])

    def _draw_requests(self, at: float, seconds: float, percent: int) -> tuple[int, int, int, int]:
        share, load = percent / 100, max(0.0, self.case.load(at)) * seconds
        candidate, stable = (
            int(self.rng.poisson(load * share)),
            int(self.rng.poisson(load * (1 - share))),
        )
        bad = int(self.rng.binomial(candidate, self.case.candidate(at)))
        return candidate, bad, stable, int(self.rng.binomial(stable, self.case.stable(at)))

    def count_harm(self, begin: float, end: float) -> None:
        """Count the harm of a promoted candidate, which gets all traffic without a guard."""
        for minute in range(int(begin // MINUTE), int(end // MINUTE)):
            self.harmed += self._draw_requests(minute * MINUTE, MINUTE, 100)[1]

    def read_minutes(self, now: float) -> Mapping[int, Counts]:
        """Return CloudWatch's minutes by now; the same object until one changes."""
        if now >= self._next_change:
            self._known = {**self._known, **dict(self._read_known(now))}
            self._returned_at = {
                minute: times for minute, times in self._returned_at.items() if max(times) > now
            }
            self._next_change = self.find_next_change(now)
        return self._known

    def find_next_change(self, now: float) -> float:
        """Find when the next minute changes; ``now`` where that is not known yet."""
        return min(
            (time for times in self._returned_at.values() for time in times if time > now),
            default=now,
        )

    def _read_known(self, now: float) -> Iterator[tuple[int, Counts]]:
        for minute, (first, rest) in self._returned_at.items():
            if first <= now:
                yield (
                    minute,
                    self._first[minute] + (self._rest[minute] if rest <= now else Counts()),
                )

    def draw_history(self, seconds: float = 3600.0) -> tuple[int, int]:
        """Draw the requests, and the bad ones, in the hour before the release."""
        requests = int(self.rng.poisson(self.case.usual_load * seconds))
        return requests, int(self.rng.binomial(requests, self.case.usual))
