"""A function that two versions share, second by second, and what CloudWatch has told about it at a given moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

Curve = Callable[[float], float]
"""Something that changes with the seconds since the release began."""

MINUTE: Final = 60.0
_PIECE: Final = 15.0
"""Curves are held constant for so long at most."""


@dataclass(frozen=True)
class Delay:
    """When CloudWatch tells of a minute, in seconds after its end: most of the requests first, the rest later."""

    first: tuple[float, float] = (30.0, 90.0)
    rest: tuple[float, float] = (90.0, 150.0)
    share: float = 0.9


@dataclass(frozen=True)
class Case:
    """What a policy is shown: the load in requests a second, and how often each version's requests are bad.

    ``usual`` and ``usual_load`` are what was known about stable before.
    """

    name: str
    bad: bool
    candidate: Curve
    stable: Curve
    load: Curve
    usual: float
    usual_load: float
    measure: Literal["error_rate", "slow_rate"] = "error_rate"


@dataclass(frozen=True)
class Counts:
    """Requests, and bad ones, of the candidate and of stable."""

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
    """One release's traffic. Time is in seconds since the release began, at a random moment of CloudWatch's minute number 0."""

    case: Case
    delay: Delay
    rng: np.random.Generator
    harmed: int = 0
    _first: dict[int, Counts] = field(default_factory=dict[int, Counts])
    _rest: dict[int, Counts] = field(default_factory=dict[int, Counts])
    _told: dict[int, tuple[float, float]] = field(default_factory=dict[int, tuple[float, float]])
    _known: Mapping[int, Counts] = field(default_factory=dict[int, Counts])
    _news: float = 0.0
    _minute: int = -1

    def __post_init__(self) -> None:
        self.phase = float(self.rng.uniform(0, MINUTE))

    def serve(self, begin: float, end: float, percent: int) -> None:
        """Traffic from ``begin`` to ``end``, this percent of it to the candidate."""
        while begin < end - 1e-9:
            minute = int((begin + self.phase) // MINUTE)
            until = min(end, begin + _PIECE, (minute + 1) * MINUTE - self.phase)
            self._serve(minute, begin, until, percent)
            begin = until

    def _serve(self, minute: int, begin: float, end: float, percent: int) -> None:
        candidate, bad, stable, stable_bad = self._requests((begin + end) / 2, end - begin, percent)
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
            self._told[minute] = (
                over + self.rng.uniform(*self.delay.first),
                over + self.rng.uniform(*self.delay.rest),
            )
            self._news = min(self._news, self._told[minute][0])

    def _requests(self, at: float, seconds: float, percent: int) -> tuple[int, int, int, int]:
        share, load = percent / 100, max(0.0, self.case.load(at)) * seconds
        candidate, stable = (
            int(self.rng.poisson(load * share)),
            int(self.rng.poisson(load * (1 - share))),
        )
        bad = int(self.rng.binomial(candidate, self.case.candidate(at)))
        return candidate, bad, stable, int(self.rng.binomial(stable, self.case.stable(at)))

    def harm(self, begin: float, end: float) -> None:
        """A bad candidate with all the traffic and nobody looking."""
        for minute in range(int(begin // MINUTE), int(end // MINUTE)):
            self.harmed += self._requests(minute * MINUTE, MINUTE, 100)[1]

    def read_minutes(self, now: float) -> Mapping[int, Counts]:
        """CloudWatch's minutes, as far as it tells of them by now: the same object until there is news."""
        if now >= self._news:
            self._known = {**self._known, **dict(self._telling(now))}
            self._told = {minute: times for minute, times in self._told.items() if max(times) > now}
            self._news = self.news(now)
        return self._known

    def news(self, now: float) -> float:
        """When CloudWatch next has something new to tell, as far as that is decided; ``now`` if it is not."""
        return min(
            (time for times in self._told.values() for time in times if time > now), default=now
        )

    def _telling(self, now: float) -> Iterator[tuple[int, Counts]]:
        for minute, (first, rest) in self._told.items():
            if first <= now:
                yield (
                    minute,
                    self._first[minute] + (self._rest[minute] if rest <= now else Counts()),
                )

    def before(self, seconds: float = 3600.0) -> tuple[int, int]:
        """Requests, and bad ones, in the hour before the release."""
        requests = int(self.rng.poisson(self.case.usual_load * seconds))
        return requests, int(self.rng.binomial(requests, self.case.usual))
