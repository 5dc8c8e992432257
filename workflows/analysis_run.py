"""What CloudWatch told of a candidate and of stable, answer by answer, and what that comes to by rules.

A release reads the answers as they come (:mod:`workflows.live_analysis`); whoever explains it later, or judges it by other rules, reads the very same
answers from its history (:mod:`workflows.client.history`) and comes to the same.
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
from workflows.domain.rules import UserMetric, Rules
from workflows.domain.status import AnalysisStatus, VersionMetrics
from workflows.metric_mapping import look_of, points_of

EVER: Final = datetime.max.replace(tzinfo=UTC)
"""When the time for a judgement is over, where it never is."""

_REASON: Final = 500


class AnalysisRun:
    """Answers that were read so far: ``seen`` is what they say, ``slow_above`` (ms) from which duration on a request is slow."""

    def __init__(
        self, rules: Iterable[Rules], others: tuple[UserMetric, ...], *, stable: str, settle: timedelta
    ) -> None:
        """Nothing is read yet. ``others`` are the user's own metrics, in the order in which they were asked for.

        ``settle`` is how long after a minute its numbers may be incomplete: as long as an invocation may last.
        """
        self._others = others
        self._stable = stable
        self._ledger = EvidenceCache()
        self._counted = 0
        self._errors = Contrast(Proportion(), Proportion())
        """Of both versions, over so many contrasts."""
        self.settle = settle
        self.slow_above: float | None = None
        measures: dict[Measure, None] = dict.fromkeys(
            ("error_rate", *(measure for one in rules for measure in one.measures))
        )
        self.seen = Measurements(tuple(measures))

    def before(self, told: MetricsResponse) -> None:
        """Read how stable did in the hour before: what the bets are fitted to, and from which duration on a request is slow.

        Where nothing is told, the judgement takes longer, and durations are not compared.
        """
        points = points_of(told, self._stable).values()
        before = {
            measure: _sum(points, measure)
            for measure in self.seen.measures
            if measure != "slow_rate"
        }
        self.seen = replace(
            self.seen, baseline={measure: share for measure, share in before.items() if share.total}
        )
        slowest = [point.quantiles["p99"] for point in points if point.quantiles.get("p99")]
        self.slow_above = median(slowest) if slowest else None

    def read(self, told: MetricsResponse, *, candidate: str) -> None:
        """Read one more answer about both versions."""
        look = look_of(told, self._others, candidate=candidate, stable=self._stable)
        self.seen = self.seen.with_poll(look, settle=self.settle)
        contrasts = self.seen.contrasts.get("error_rate", ())
        for new in contrasts[self._counted :]:
            self._errors = Contrast(
                self._errors.candidate + new.candidate, self._errors.stable + new.stable
            )
        self._counted = len(contrasts)

    def assess(self, rules: Rules, *, until: datetime = EVER) -> Assessment:
        """What is to be thought of the candidate by these rules, if there is time ``until`` then."""
        return assess(rules, self.seen, deadline=until, cache=self._ledger)

    def assessed(self, judged: Assessment) -> AnalysisStatus:
        """What is thought of the candidate, for the status of the release."""
        found = [finding.evidence for finding in judged.findings if finding.evidence]
        return AnalysisStatus(
            verdict=judged.verdict,
            reason=judged.reason[:_REASON],
            worse=max((_sure(one.worse) for one in found), default=0.0),
            not_worse=min((_sure(one.not_worse) for one in found), default=0.0),
            candidate=_measured(self._errors.candidate, self.seen.candidate),
            stable=_measured(self._errors.stable, self.seen.stable),
            at=self.seen.at,
        )


def _sure(e: float) -> float:
    """How sure an e-value makes: 1 - 1/e, valid at any time."""
    return round(1 - 1 / e, 4) if e > 1 else 0.0


def _sum(points: Iterable[MinuteMetrics], measure: Measure) -> Proportion:
    return sum((share for point in points if (share := point.proportion(measure))), Proportion())


def _measured(errors: Proportion, points: Mapping[datetime, MinuteMetrics]) -> VersionMetrics:
    last = next(
        (
            point.quantiles["p99"]
            for _, point in sorted(points.items(), reverse=True)
            if "p99" in point.quantiles
        ),
        None,
    )
    return VersionMetrics(
        invocations=errors.total, error_rate=round(errors.rate, 6) if errors.total else None, p99=last
    )
