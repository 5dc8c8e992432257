"""What CloudWatch reported of candidate and stable, response by response, and how it is assessed.

A release adds the responses as they come (:mod:`workflows.live_analysis`). ``releases explain`` and
``rejudge`` add the same responses from its history, and come to the same assessments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from pydantic import BaseModel, ConfigDict

from activities.cloudwatch.metrics import MetricsResponse
from workflows.domain.assessment import Assessment, EvidenceCache, assess
from workflows.domain.evidence import Contrast, Proportion, SequentialTest
from workflows.domain.measurement import Measure, Measurements, MinuteMetrics
from workflows.domain.rules import Rules, UserMetric
from workflows.domain.status import AnalysisStatus, VersionMetrics
from workflows.metric_mapping import to_look, to_points

NO_DEADLINE: Final = datetime.max.replace(tzinfo=UTC)
"""The deadline of an assessment that has none."""

_REASON_LENGTH: Final = 500


class AnalysisRunState(BaseModel):
    """What an analysis knows, for the next run of its release: see ``Measurements``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    slow_above: float | None
    errors: Contrast
    tests: list[tuple[Measure, SequentialTest]]
    dropped: dict[Measure, int]
    baseline: dict[Measure, Proportion]
    at: datetime | None
    status: str
    candidate: dict[datetime, MinuteMetrics]
    stable: dict[datetime, MinuteMetrics]
    earlier_invocations: float
    last_invoked_minute: datetime | None
    counted: list[tuple[Measure, datetime, Contrast]]


class AnalysisRun:
    """The responses so far, and their assessment.

    ``measurements`` holds what they report. ``slow_above`` is the duration in milliseconds above
    which a request is slow; None where stable's is not known.
    """

    def __init__(
        self,
        rules: Iterable[Rules],
        metrics: tuple[UserMetric, ...],
        *,
        stable: str,
        settle: timedelta,
    ) -> None:
        """Begin with no responses.

        ``metrics`` are the user's own, in the order in which they are requested. ``settle`` is how
        long after a minute its numbers may be incomplete: as long as an invocation may last.
        """
        self._rules = tuple(rules)
        self._metrics = metrics
        self._stable = stable
        self._cache = EvidenceCache()
        self._errors = Contrast(Proportion(), Proportion())
        self.settle = settle
        self.slow_above: float | None = None
        measures: dict[Measure, None] = dict.fromkeys(("error_rate",))
        measures |= dict.fromkeys(measure for each in self._rules for measure in each.measures)
        self.measurements = Measurements(tuple(measures))

    def add_history(self, response: MetricsResponse) -> None:
        """Add how stable did in the hour before the release.

        The bets are fitted to it, and it sets ``slow_above``. Without it an assessment takes
        longer, and durations are not compared.
        """
        points = to_points(response, self._stable).values()
        sums: dict[Measure, Proportion] = {
            measure: _sum(points, measure)
            for measure in self.measurements.measures
            if measure != "slow_rate"
        }
        baseline = {measure: share for measure, share in sums.items() if share.total}
        self.measurements = replace(self.measurements, baseline=baseline)
        slowest = [point.quantiles["p99"] for point in points if point.quantiles.get("p99")]
        self.slow_above = median(slowest) if slowest else None

    def add(self, response: MetricsResponse, *, candidate: str) -> None:
        """Add one more response about both versions. Every rule bets on what is new."""
        look = to_look(response, self._metrics, candidate=candidate, stable=self._stable)
        measurements = self.measurements.with_poll(look, settle=self.settle)
        for new in measurements.contrasts.get("error_rate", ()):
            self._errors = Contrast(
                self._errors.candidate + new.candidate, self._errors.stable + new.stable
            )
        for rule in (rule for rules in self._rules for rule in rules.not_worse):
            self._cache.update_test(rule, measurements)
        self.measurements = self._cache.drop_contrasts(measurements)

    def to_state(self) -> AnalysisRunState:
        """Return all that :meth:`resume` needs."""
        found = self.measurements
        return AnalysisRunState(
            slow_above=self.slow_above,
            errors=self._errors,
            tests=self._cache.tests,
            dropped=self._cache.dropped,
            baseline=dict(found.baseline),
            at=found.at,
            status=found.status,
            candidate=dict(found.candidate),
            stable=dict(found.stable),
            earlier_invocations=found.earlier_invocations,
            last_invoked_minute=found.last_invoked_minute,
            counted=[(*known, contrast) for known, contrast in found.counted.items()],
        )

    def resume(self, state: AnalysisRunState) -> None:
        """Go on where another run of this release stopped."""
        self.slow_above, self._errors = state.slow_above, state.errors
        self._cache = EvidenceCache(state.tests, state.dropped)
        self.measurements = replace(
            self.measurements,
            baseline=state.baseline,
            at=state.at,
            status=state.status,
            candidate=state.candidate,
            stable=state.stable,
            earlier_invocations=state.earlier_invocations,
            last_invoked_minute=state.last_invoked_minute,
            counted={(measure, minute): new for measure, minute, new in state.counted},
        )

    def assess(self, rules: Rules, *, deadline: datetime = NO_DEADLINE) -> Assessment:
        """Assess the candidate by these rules; ``deadline`` ends the time for it."""
        return assess(rules, self.measurements, deadline=deadline, cache=self._cache)

    def to_status(self, assessment: Assessment) -> AnalysisStatus:
        """Return an assessment as the status of a release has it."""
        evidence = [finding.evidence for finding in assessment.findings if finding.evidence]
        return AnalysisStatus(
            verdict=assessment.verdict,
            reason=assessment.reason[:_REASON_LENGTH],
            worse=max((_confidence(each.worse) for each in evidence), default=0.0),
            not_worse=min((_confidence(each.not_worse) for each in evidence), default=0.0),
            candidate=_version_metrics(self._errors.candidate, self.measurements.candidate),
            stable=_version_metrics(self._errors.stable, self.measurements.stable),
            at=self.measurements.at,
        )


def _confidence(e_value: float) -> float:
    """Return the confidence that an e-value gives: 1 - 1/e, valid at any time."""
    return round(1 - 1 / e_value, 4) if e_value > 1 else 0.0


def _sum(points: Iterable[MinuteMetrics], measure: Measure) -> Proportion:
    return sum((share for point in points if (share := point.proportion(measure))), Proportion())


def _version_metrics(
    errors: Proportion, points: Mapping[datetime, MinuteMetrics]
) -> VersionMetrics:
    latest_first = sorted(points.items(), reverse=True)
    p99 = next((p.quantiles["p99"] for _, p in latest_first if "p99" in p.quantiles), None)
    error_rate = round(errors.rate, 6) if errors.total else None
    return VersionMetrics(invocations=errors.total, error_rate=error_rate, p99=p99)
