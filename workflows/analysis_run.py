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

from activities.cloudwatch.metrics import MetricsResponse
from workflows.domain.assessment import Assessment, EvidenceCache, assess
from workflows.domain.evidence import Contrast, Proportion
from workflows.domain.measurement import Measure, Measurements, MinuteMetrics
from workflows.domain.rules import Rules, UserMetric
from workflows.domain.status import AnalysisStatus, VersionMetrics
from workflows.metric_mapping import to_look, to_points

NO_DEADLINE: Final = datetime.max.replace(tzinfo=UTC)
"""The deadline of an assessment that has none."""

_REASON_LENGTH: Final = 500


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
        self._metrics = metrics
        self._stable = stable
        self._cache = EvidenceCache()
        self._counted = 0
        self._errors = Contrast(Proportion(), Proportion())
        """The errors of both versions, over the first ``_counted`` contrasts."""
        self.settle = settle
        self.slow_above: float | None = None
        measures: dict[Measure, None] = dict.fromkeys(("error_rate",))
        measures |= dict.fromkeys(measure for each in rules for measure in each.measures)
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
        """Add one more response about both versions."""
        look = to_look(response, self._metrics, candidate=candidate, stable=self._stable)
        self.measurements = self.measurements.with_poll(look, settle=self.settle)
        contrasts = self.measurements.contrasts.get("error_rate", ())
        for new in contrasts[self._counted :]:
            self._errors = Contrast(
                self._errors.candidate + new.candidate, self._errors.stable + new.stable
            )
        self._counted = len(contrasts)

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
