"""What CloudWatch has told about two versions: minute by minute, late, and sometimes not at all.

One *look* asks for both versions side by side (one GetMetricData: namespace AWS/Lambda, dimensions FunctionName, Resource=function:alias and
ExecutedVersion) and answers a point a minute for each. What is missing is not zero: a minute counts for a measure once everything that the measure
needs is there for both versions. What arrives later for a minute that has been counted is counted then, by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeFloat

from workflows.domain.evidence import Contrast, Proportion

MINUTE: Final = timedelta(minutes=1)
_KEPT: Final = timedelta(hours=3)
COMPLETE: Final = "Complete"

Measure = Literal["error_rate", "throttle_rate", "slow_rate"]
"""What is compared between versions: always a share of requests. ``slow_rate`` is the share that took longer than a threshold that was fixed
before the candidate had any traffic, such as stable's own p99: so latency is a count as well."""


class MinuteMetrics(BaseModel):
    """One version in one minute. What CloudWatch does not tell is None, and None is not zero.

    ``timed`` and ``slow`` are of Duration: SampleCount, and TC(threshold:), the trimmed count of those above the threshold.
    ``quantiles`` are its p50, p90 and so on, in milliseconds. ``others`` are metrics of the user's own, by their keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    invocations: NonNegativeFloat | None = None
    errors: NonNegativeFloat | None = None
    throttles: NonNegativeFloat | None = None
    timed: NonNegativeFloat | None = None
    slow: NonNegativeFloat | None = None
    quantiles: Mapping[str, NonNegativeFloat] = Field(default_factory=dict[str, float])
    user_metrics: Mapping[str, float] = Field(default_factory=dict[str, float])

    def proportion(self, measure: Measure) -> Proportion | None:
        """The measure in this minute; None where a part of it is missing. Throttles are in neither Invocations nor Errors, so they are added."""
        match measure:
            case "error_rate":
                hits, of = self.errors, self.invocations
            case "throttle_rate":
                hits = self.throttles
                of = (
                    None
                    if self.invocations is None or self.throttles is None
                    else self.invocations + self.throttles
                )
            case "slow_rate":
                hits, of = self.slow, self.timed
        return None if hits is None or of is None else Proportion(min(hits, of), of)


class MetricsPoll(BaseModel):
    """One answer of CloudWatch. Minutes are named by their beginning.

    ``status`` is Complete, or the first StatusCode that was not (PartialData, InternalError, Forbidden), or the fault of a call that failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    status: str = COMPLETE
    candidate: Mapping[AwareDatetime, MinuteMetrics] = Field(default_factory=dict[datetime, MinuteMetrics])
    stable: Mapping[AwareDatetime, MinuteMetrics] = Field(default_factory=dict[datetime, MinuteMetrics])


@dataclass(frozen=True)
class Measurements:
    """Everything told so far.

    ``contrasts`` holds, for each measure, what both versions did, in the order in which it became known: the very numbers that
    :func:`~workflows.domain.evidence.compute_evidence` bets on, each once. ``before`` is how stable did before the release. ``at`` is the last look,
    ``status`` its status. ``candidate`` are the candidate's minutes of the last three hours as they were told last, ``stable`` stable's;
    ``earlier_invocations`` is how often the candidate was invoked before those. ``last_invoked_minute`` is the last minute of the candidate that anything was told of.
    """

    measures: tuple[Measure, ...]
    baseline: Mapping[Measure, Proportion] = field(default_factory=dict["Measure", Proportion])
    at: datetime | None = None
    status: str = COMPLETE
    candidate: Mapping[datetime, MinuteMetrics] = field(default_factory=dict[datetime, MinuteMetrics])
    stable: Mapping[datetime, MinuteMetrics] = field(default_factory=dict[datetime, MinuteMetrics])
    earlier_invocations: float = 0.0
    last_invoked_minute: datetime | None = None
    contrasts: Mapping[Measure, tuple[Contrast, ...]] = field(
        default_factory=dict["Measure", tuple[Contrast, ...]]
    )
    counted: Mapping[tuple[Measure, datetime], Contrast] = field(
        default_factory=dict[tuple["Measure", datetime], Contrast]
    )

    def with_poll(self, look: MetricsPoll, *, settle: timedelta) -> Measurements:
        """What is known after one more look.

        Of a look that is not Complete nothing is taken but its status. A minute is taken from ``settle`` after its end. ``settle`` is at least the
        function's time-out: until then failures may be missing that take longer than successes do (the point has the time of the *start* of
        an invocation, and comes after its end).
        """
        if look.status != COMPLETE:
            return replace(self, at=look.at, status=look.status)
        settled = [
            minute for minute in sorted(look.candidate) if minute + MINUTE + settle <= look.at
        ]
        contrasts, counted = dict(self.contrasts), dict(self.counted)
        for measure in self.measures:
            for minute, total in _compare_minutes(measure, look, settled):
                known = counted.get((measure, minute), Contrast(Proportion(), Proportion()))
                new = Contrast(total.candidate - known.candidate, total.stable - known.stable)
                if new.candidate.total and new.stable.total:
                    contrasts[measure] = (*contrasts.get(measure, ()), new)
                    counted[measure, minute] = Contrast(
                        known.candidate + new.candidate, known.stable + new.stable
                    )
        points = {**self.candidate, **{minute: look.candidate[minute] for minute in settled}}
        old = look.at - _KEPT
        return replace(
            self,
            at=look.at,
            status=look.status,
            candidate={minute: point for minute, point in points.items() if minute > old},
            stable={
                minute: point
                for minute, point in {**self.stable, **look.stable}.items()
                if minute > old
            },
            earlier_invocations=self.earlier_invocations
            + _invocations(point for minute, point in points.items() if minute <= old),
            last_invoked_minute=max(
                (minute for minute in settled if points[minute].invocations), default=self.last_invoked_minute
            ),
            contrasts=contrasts,
            counted={known: contrast for known, contrast in counted.items() if known[1] > old},
        )

    @property
    def invocations(self) -> float:
        """How often the candidate was invoked, as far as told."""
        return self.earlier_invocations + _invocations(self.candidate.values())


def _invocations(points: Iterable[MinuteMetrics]) -> float:
    return sum(point.invocations or 0.0 for point in points)


def _compare_minutes(
    measure: Measure, look: MetricsPoll, minutes: list[datetime]
) -> Iterator[tuple[datetime, Contrast]]:
    """The minutes of which both versions' share is known. One version alone proves nothing about the other: the minute waits."""
    for minute in minutes:
        candidate = look.candidate[minute].proportion(measure)
        stable = look.stable[minute].proportion(measure) if minute in look.stable else None
        if candidate is not None and stable is not None:
            yield minute, Contrast(candidate, stable)
