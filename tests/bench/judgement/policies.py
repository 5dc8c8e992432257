"""The rules that are compared. Each is asked what to do now, knows only what CloudWatch has told, and says when to ask again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol

from scipy import stats

from tests.bench.judgement.traffic import MINUTE, Counts, Function
from workflows.domain import adaptive as ramps
from workflows.domain.adaptive import Adaptive, RampAction, decide_next_action
from workflows.domain.assessment import Assessment, EvidenceCache, assess
from workflows.domain.evidence import Proportion
from workflows.domain.measurement import Measurements, MetricsPoll, MinuteMetrics
from workflows.domain.rules import NotWorse, Rules

End = Literal["promoted", "rolled back", "held"]

LOOK_EVERY: Final = 10.0
"""Seconds between two looks at an alarm: what our own watch does. For CodeDeploy it is a guess in its favour: AWS names no number."""


_LOOK: Final = 5.0
"""Seconds between two looks at what CloudWatch measured: what the product's watch does for a ramp."""

_IDLE: Final = 30.0
_LOOK_BACK: Final = 8
_SETTLE: Final = timedelta(seconds=3)


@dataclass(frozen=True)
class Next:
    """What to do: this percent until ``again``, or the end."""

    percent: int
    again: float
    end: End | None = None


class Policy(Protocol):
    """A rule at work on one release."""

    def next(self, now: float) -> Next:
        """What to do now."""
        ...


class Alarm:
    """A CloudWatch alarm on the candidate, one minute, one datapoint of one: evaluated once a minute, on the newest minute that has data."""

    def __init__(self, function: Function, red: Callable[[Counts], bool]) -> None:
        self._function = function
        self._red = red
        self._evaluation = float(function.rng.uniform(0, MINUTE))

    def is_red(self, now: float) -> bool:
        """Its state, as of its last evaluation."""
        if now < self._evaluation:
            return False
        at = self._evaluation + (now - self._evaluation) // MINUTE * MINUTE
        told = [
            counts
            for _, counts in sorted(self._function.read_minutes(at).items())
            if counts.candidate
        ]
        return bool(told) and self._red(told[-1])


def lowest_threshold(expected: float, minutes: int = 5, false: float = 0.01) -> int:
    """The lowest number of bad requests a minute that an alarm may be set to so that at most so many good releases are stopped."""
    return max(1, int(stats.poisson.isf(1 - (1 - false) ** (1 / minutes), expected)) + 1)


@dataclass
class Canary:
    """CodeDeploy's Canary10Percent5Minutes: ten percent for five minutes, then everything, unless the alarm goes off."""

    alarm: Alarm
    percent: int = 10
    seconds: float = 300.0

    def next(self, now: float) -> Next:
        """Look at the alarm, then at the clock."""
        if self.alarm.is_red(now):
            return Next(0, now, "rolled back")
        if now >= self.seconds:
            return Next(100, now, "promoted")
        return Next(self.percent, min(now + LOOK_EVERY, self.seconds))


def canary_with_count(function: Function) -> Policy:
    """The alarm of AWS SAM's documentation (Errors of the new version, Sum over a minute), its threshold as low as good releases allow."""
    least = lowest_threshold(function.case.usual * function.case.usual_load * MINUTE * 0.1)
    return Canary(Alarm(function, lambda counts: counts.candidate_bad >= least))


def canary_with_rate(function: Function) -> Policy:
    """An alarm on a rate, by metric math: above 2.5 %, or twice stable's usual rate where that is more."""
    most = max(0.025, 2 * function.case.usual)
    return Canary(Alarm(function, lambda counts: counts.candidate_bad > most * counts.candidate))


@dataclass
class MannWhitney:
    """A judge as Kayenta and PipeCD have it: ten percent for 50 minutes, and every ten minutes a Mann-Whitney U test of the rates of single minutes.

    Kayenta's defaults: 98 % confidence, two-sided (so 1 % in the direction that matters), and the 50 points that its documentation asks for.
    """

    function: Function
    percent: int = 10
    seconds: float = 3000.0
    every: float = 600.0
    significance: float = 0.01

    def next(self, now: float) -> Next:
        """Judge what was told of the minutes so far."""
        if now and self._is_worse(now):
            return Next(0, now, "rolled back")
        if now >= self.seconds:
            return Next(100, now, "promoted")
        return Next(self.percent, now + self.every)

    def _is_worse(self, now: float) -> bool:
        minutes = [
            counts
            for counts in self.function.read_minutes(now).values()
            if counts.candidate and counts.stable
        ]
        candidate = [counts.candidate_bad / counts.candidate for counts in minutes]
        stable = [counts.stable_bad / counts.stable for counts in minutes]
        if len({*candidate, *stable}) < 2:
            return False
        return bool(
            stats.mannwhitneyu(candidate, stable, alternative="greater").pvalue < self.significance
        )


class Ramp:
    """Ours: the product's own code, fed with what CloudWatch tells."""

    def __init__(self, function: Function, adaptive: Adaptive) -> None:
        self._function = function
        self._adaptive = adaptive
        measure = function.case.measure
        self._rules = Rules(
            not_worse=(NotWorse(metric=measure, margin=adaptive.margin),), alpha=adaptive.alpha
        )
        requests, bad = function.before()
        self._seen = Measurements((measure,), baseline={measure: Proportion(bad, requests)})
        self._epoch = datetime(2026, 1, 1, tzinfo=UTC)
        self._began = self._epoch + timedelta(seconds=function.phase)
        self._ramp = ramps.Ramp(self._began, settle=_SETTLE)
        self._told: object = None
        self._ledger = EvidenceCache()
        self._judgement = self._judge()

    def next(self, now: float) -> Next:
        """Look, judge, and do what the ramp advises."""
        at = self._began + timedelta(seconds=now)
        told = self._function.read_minutes(now)
        if told is not self._told:
            self._told = told
            self._seen = self._seen.with_poll(self._look(at, told), settle=_SETTLE)
            self._judgement = self._judge()
        advice = decide_next_action(
            self._adaptive,
            assessment=self._judgement,
            measurements=self._seen,
            ramp=self._ramp,
            now=at,
        )
        self._ramp = advice.ramp
        again = min((advice.review_at - self._began).total_seconds(), now + _LOOK)
        if (
            advice.action is RampAction.WAIT
            and advice.ramp.dose
            and now + _IDLE > (news := self._function.news(now)) > again
        ):
            again += (
                math.ceil((news - again) / _LOOK) * _LOOK
            )  # looks in between would see nothing new
        ends: dict[RampAction, End] = {
            RampAction.PROMOTE: "promoted",
            RampAction.ROLL_BACK: "rolled back",
            RampAction.HOLD: "held",
        }
        return Next(advice.percent, again, ends.get(advice.action))

    def _judge(self) -> Assessment:
        return assess(
            self._rules,
            self._seen,
            deadline=self._began + self._adaptive.max_duration,
            cache=self._ledger,
        )

    def _look(self, at: datetime, told: Mapping[int, Counts]) -> MetricsPoll:
        recent = list(told)[-_LOOK_BACK:]
        minutes = [(self._epoch + timedelta(minutes=minute), told[minute]) for minute in recent]
        return MetricsPoll(
            at=at,
            candidate={
                minute: _point(counts.candidate, counts.candidate_bad)
                for minute, counts in minutes
                if counts.candidate
            },
            stable={
                minute: _point(counts.stable, counts.stable_bad)
                for minute, counts in minutes
                if counts.stable
            },
        )


def _point(requests: int, bad: int) -> MinuteMetrics:
    return MinuteMetrics(invocations=requests, errors=bad, timed=requests, slow=bad)


def adaptive(function: Function) -> Policy:
    """The preset ``Adaptive``."""
    return Ramp(function, Adaptive())


def adaptive_fine(function: Function) -> Policy:
    """A finer margin: half a point more errors than stable already matter."""
    return Ramp(function, Adaptive(margin=0.005))


POLICIES: Final[dict[str, Callable[[Function], Policy]]] = {
    "Adaptive": adaptive,
    "Adaptive, margin 0.005": adaptive_fine,
    "Canary10Percent5Minutes, alarm on count": canary_with_count,
    "Canary10Percent5Minutes, alarm on rate": canary_with_rate,
    "Mann-Whitney, 10 % for 50 min": MannWhitney,
}
