"""The policies: each knows only what CloudWatch has returned so far."""

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

_ALARM_POLL_SECONDS: Final = 10.0
"""Between two polls of an alarm, as in the product.

For CodeDeploy this is an assumption in its favour: AWS documents no number.
"""


_METRICS_POLL_SECONDS: Final = 5.0
"""Between two polls of metrics during a ramp, as in the product."""

_IDLE_POLL_SECONDS: Final = 30.0
_RECENT_MINUTES: Final = 8
_SETTLE: Final = timedelta(seconds=3)


@dataclass(frozen=True)
class Decision:
    """This percent of the traffic until the next decision, or the end."""

    percent: int
    next_at: float
    end: End | None = None


class Policy(Protocol):
    """A rule that is applied to one release."""

    def decide(self, now: float) -> Decision:
        """Decide what to do now."""
        ...


class Alarm:
    """A CloudWatch alarm on the candidate: one minute, one datapoint of one.

    It is evaluated once a minute, on the newest minute that has data.
    """

    def __init__(self, function: Function, breaches: Callable[[Counts], bool]) -> None:
        self._function = function
        self._breaches = breaches
        self._evaluation = float(function.rng.uniform(0, MINUTE))

    def is_in_alarm(self, now: float) -> bool:
        """Whether the state of the last evaluation is ALARM."""
        if now < self._evaluation:
            return False
        at = self._evaluation + (now - self._evaluation) // MINUTE * MINUTE
        minutes = sorted(self._function.read_minutes(at).items())
        returned = [counts for _, counts in minutes if counts.candidate]
        return bool(returned) and self._breaches(returned[-1])


def compute_threshold(expected: float, minutes: int = 5, false_alarms: float = 0.01) -> int:
    """Compute the lowest threshold, in bad requests a minute, with few false alarms.

    At most the share ``false_alarms`` of good releases is stopped by it.
    """
    return max(1, int(stats.poisson.isf(1 - (1 - false_alarms) ** (1 / minutes), expected)) + 1)


@dataclass
class Canary:
    """CodeDeploy's Canary10Percent5Minutes with an alarm.

    10 % of the traffic for five minutes, then all of it, unless the alarm goes off.
    """

    alarm: Alarm
    percent: int = 10
    seconds: float = 300.0

    def decide(self, now: float) -> Decision:
        """Roll back on the alarm; promote when the time is over."""
        if self.alarm.is_in_alarm(now):
            return Decision(0, now, "rolled back")
        if now >= self.seconds:
            return Decision(100, now, "promoted")
        return Decision(self.percent, min(now + _ALARM_POLL_SECONDS, self.seconds))


def make_canary_with_count(function: Function) -> Policy:
    """Make a canary with the alarm of AWS SAM's documentation: errors in a minute.

    Its threshold is as low as good releases allow.
    """
    least = compute_threshold(function.case.usual * function.case.usual_load * MINUTE * 0.1)
    return Canary(Alarm(function, lambda counts: counts.candidate_bad >= least))


def make_canary_with_rate(function: Function) -> Policy:
    """Make a canary with an alarm on a rate, by metric math.

    The threshold is 2.5 %, or twice stable's usual rate where that is higher.
    """
    most = max(0.025, 2 * function.case.usual)
    return Canary(Alarm(function, lambda counts: counts.candidate_bad > most * counts.candidate))


@dataclass
class MannWhitney:
    """A Mann-Whitney U test of the rates of single minutes, as in Kayenta and PipeCD.

    10 % of the traffic for 50 minutes, and a test every ten minutes. It has Kayenta's defaults:
    98 % confidence, two-sided (so 1 % in the direction that matters), and the 50 points that its
    documentation requires.
    """

    function: Function
    percent: int = 10
    seconds: float = 3000.0
    every: float = 600.0
    significance: float = 0.01

    def decide(self, now: float) -> Decision:
        """Test the minutes that CloudWatch has returned so far."""
        if now and self._is_worse(now):
            return Decision(0, now, "rolled back")
        if now >= self.seconds:
            return Decision(100, now, "promoted")
        return Decision(self.percent, now + self.every)

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
    """Our ramp: the product's own code, with what CloudWatch returns."""

    def __init__(self, function: Function, adaptive: Adaptive) -> None:
        self._function = function
        self._adaptive = adaptive
        measure = function.case.measure
        self._rules = Rules(
            not_worse=(NotWorse(metric=measure, margin=adaptive.margin),), alpha=adaptive.alpha
        )
        requests, bad = function.draw_history()
        self._measurements = Measurements((measure,), baseline={measure: Proportion(bad, requests)})
        self._epoch = datetime(2026, 1, 1, tzinfo=UTC)
        self._started = self._epoch + timedelta(seconds=function.phase)
        self._ramp = ramps.Ramp(self._started, settle=_SETTLE)
        self._minutes: object = None
        self._cache = EvidenceCache()
        self._assessment = self._assess()

    def decide(self, now: float) -> Decision:
        """Poll, assess, and do what the ramp advises."""
        at = self._started + timedelta(seconds=now)
        minutes = self._function.read_minutes(now)
        if minutes is not self._minutes:
            self._minutes = minutes
            self._measurements = self._measurements.with_poll(
                self._build_poll(at, minutes), settle=_SETTLE
            )
            self._assessment = self._assess()
        advice = decide_next_action(
            self._adaptive,
            assessment=self._assessment,
            measurements=self._measurements,
            ramp=self._ramp,
            now=at,
        )
        self._ramp = advice.ramp
        review_at = (advice.review_at - self._started).total_seconds()
        next_at = min(review_at, now + _METRICS_POLL_SECONDS)
        change_at = self._function.find_next_change(now)
        if (
            advice.action is RampAction.WAIT
            and advice.ramp.dose
            and now + _IDLE_POLL_SECONDS > change_at > next_at
        ):
            # Polls in between would return nothing new.
            polls = math.ceil((change_at - next_at) / _METRICS_POLL_SECONDS)
            next_at += polls * _METRICS_POLL_SECONDS
        ends: dict[RampAction, End] = {
            RampAction.PROMOTE: "promoted",
            RampAction.ROLL_BACK: "rolled back",
            RampAction.HOLD: "held",
        }
        return Decision(advice.percent, next_at, ends.get(advice.action))

    def _assess(self) -> Assessment:
        return assess(
            self._rules,
            self._measurements,
            deadline=self._started + self._adaptive.max_duration,
            cache=self._cache,
        )

    def _build_poll(self, at: datetime, counted: Mapping[int, Counts]) -> MetricsPoll:
        recent = list(counted)[-_RECENT_MINUTES:]
        minutes = [(self._epoch + timedelta(minutes=minute), counted[minute]) for minute in recent]
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


def make_adaptive(function: Function) -> Policy:
    """Make the preset ``Adaptive``."""
    return Ramp(function, Adaptive())


def make_adaptive_fine(function: Function) -> Policy:
    """Make a ramp with a finer margin: half a point more errors than stable."""
    return Ramp(function, Adaptive(margin=0.005))


POLICIES: Final[dict[str, Callable[[Function], Policy]]] = {
    "Adaptive": make_adaptive,
    "Adaptive, margin 0.005": make_adaptive_fine,
    "Canary10Percent5Minutes, alarm on count": make_canary_with_count,
    "Canary10Percent5Minutes, alarm on rate": make_canary_with_rate,
    "Mann-Whitney, 10 % for 50 min": MannWhitney,
}
