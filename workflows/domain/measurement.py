"""What CloudWatch has reported of two versions, minute by minute.

It reports late, and with gaps. One *poll* requests the metrics of both versions side by side. It is
one GetMetricData: namespace AWS/Lambda, dimensions FunctionName, Resource=function:alias and
ExecutedVersion. It returns one point a minute for each version. A missing number is not zero. A
minute counts for a measure once all its numbers are there for both versions. What arrives later for
a minute that has been counted is counted then, by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeFloat

from workflows.domain.evidence import Contrast, Proportion

MINUTE: Final = timedelta(minutes=1)
_RETENTION: Final = timedelta(hours=3)
COMPLETE: Final = "Complete"

Measure = Literal["error_rate", "throttle_rate", "slow_rate"]
"""What is compared between versions: always a share of requests.

``slow_rate`` is the share of requests that took longer than a threshold. The threshold is fixed
before the candidate has any traffic, such as stable's own p99. So latency is a count as well.
"""


class MinuteMetrics(BaseModel):
    """The metrics of one version in one minute.

    A missing number is None, which is not zero.

    - ``timed``: SampleCount of Duration.
    - ``slow``: TC(threshold:) of Duration, the trimmed count of those above the threshold.
    - ``quantiles``: p50, p90 and p99 of Duration, in milliseconds.
    - ``user_metrics``: the values of metrics that the user named, by their keys
      (:func:`~workflows.domain.rules.metric_key`).
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
        """The measure in this minute; None where one of its numbers is missing.

        CloudWatch counts throttled requests neither as Invocations nor as Errors, so they are
        added: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        match measure:
            case "error_rate":
                hits, total = self.errors, self.invocations
            case "throttle_rate":
                hits = self.throttles
                total = (
                    None
                    if self.invocations is None or self.throttles is None
                    else self.invocations + self.throttles
                )
            case "slow_rate":
                hits, total = self.slow, self.timed
        return None if hits is None or total is None else Proportion(min(hits, total), total)


class MetricsPoll(BaseModel):
    """One answer of CloudWatch at ``at``. The key of a minute is its start.

    ``status`` is Complete, or the first StatusCode that was not (PartialData, InternalError,
    Forbidden), or the fault of a call that failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    status: str = COMPLETE
    candidate: Mapping[AwareDatetime, MinuteMetrics] = Field(
        default_factory=dict[datetime, MinuteMetrics]
    )
    stable: Mapping[AwareDatetime, MinuteMetrics] = Field(
        default_factory=dict[datetime, MinuteMetrics]
    )


@dataclass(frozen=True)
class Measurements:
    """Everything that CloudWatch has reported so far.

    - ``baseline``: stable's proportions before the release.
    - ``at``, ``status``: time and status of the last poll.
    - ``candidate``, ``stable``: the minutes of the last three hours, as they were last reported.
    - ``earlier_invocations``: how often the candidate was invoked before those.
    - ``last_invoked_minute``: the last minute in which the candidate was invoked.
    - ``contrasts``: for each measure, both versions' counts, in the order in which they became
      known. These are the numbers that :func:`~workflows.domain.evidence.compute_evidence` bets on,
      each once.
    - ``counted``: for each measure and minute, what the contrasts hold of it.
    """

    measures: tuple[Measure, ...]
    baseline: Mapping[Measure, Proportion] = field(default_factory=dict["Measure", Proportion])
    at: datetime | None = None
    status: str = COMPLETE
    candidate: Mapping[datetime, MinuteMetrics] = field(
        default_factory=dict[datetime, MinuteMetrics]
    )
    stable: Mapping[datetime, MinuteMetrics] = field(default_factory=dict[datetime, MinuteMetrics])
    earlier_invocations: float = 0.0
    last_invoked_minute: datetime | None = None
    contrasts: Mapping[Measure, tuple[Contrast, ...]] = field(
        default_factory=dict["Measure", tuple[Contrast, ...]]
    )
    counted: Mapping[tuple[Measure, datetime], Contrast] = field(
        default_factory=dict[tuple["Measure", datetime], Contrast]
    )

    def with_poll(self, poll: MetricsPoll, *, settle: timedelta) -> Measurements:
        """The measurements after one more poll.

        Of a poll that is not Complete only the status is used. A minute is used from ``settle``
        after its end. ``settle`` is at least the function's time-out: a point has the time of the
        *start* of an invocation, and is published after its end. Failures that take longer than
        successes may be missing until then.
        """
        if poll.status != COMPLETE:
            return replace(self, at=poll.at, status=poll.status)
        settled = [
            minute for minute in sorted(poll.candidate) if minute + MINUTE + settle <= poll.at
        ]
        contrasts, counted = dict(self.contrasts), dict(self.counted)
        for measure in self.measures:
            for minute, total in _pair_minutes(measure, poll, settled):
                known = counted.get((measure, minute), Contrast(Proportion(), Proportion()))
                new = Contrast(total.candidate - known.candidate, total.stable - known.stable)
                if new.candidate.total and new.stable.total:
                    contrasts[measure] = (*contrasts.get(measure, ()), new)
                    counted[measure, minute] = Contrast(
                        known.candidate + new.candidate, known.stable + new.stable
                    )
        candidate = {**self.candidate, **{minute: poll.candidate[minute] for minute in settled}}
        stable = {**self.stable, **poll.stable}
        oldest = poll.at - _RETENTION
        return replace(
            self,
            at=poll.at,
            status=poll.status,
            candidate={minute: metrics for minute, metrics in candidate.items() if minute > oldest},
            stable={minute: metrics for minute, metrics in stable.items() if minute > oldest},
            earlier_invocations=self.earlier_invocations
            + _count_invocations(
                metrics for minute, metrics in candidate.items() if minute <= oldest
            ),
            last_invoked_minute=max(
                (minute for minute in settled if candidate[minute].invocations),
                default=self.last_invoked_minute,
            ),
            contrasts=contrasts,
            counted={known: contrast for known, contrast in counted.items() if known[1] > oldest},
        )

    @property
    def invocations(self) -> float:
        """How often the candidate was invoked, as far as CloudWatch has reported it."""
        return self.earlier_invocations + _count_invocations(self.candidate.values())


def _count_invocations(minutes: Iterable[MinuteMetrics]) -> float:
    return sum(metrics.invocations or 0.0 for metrics in minutes)


def _pair_minutes(
    measure: Measure, poll: MetricsPoll, minutes: list[datetime]
) -> Iterator[tuple[datetime, Contrast]]:
    """The minutes of which both versions' proportions are known.

    One version alone proves nothing about the other, so its minute waits.
    """
    for minute in minutes:
        candidate = poll.candidate[minute].proportion(measure)
        stable = poll.stable[minute].proportion(measure) if minute in poll.stable else None
        if candidate is not None and stable is not None:
            yield minute, Contrast(candidate, stable)
