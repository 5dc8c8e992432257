"""The analysis of recorded metrics, by the rules of the release or by others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from workflows.analysis_run import AnalysisRun
from workflows.client.facts import MetricsRead
from workflows.domain.assessment import Verdict
from workflows.domain.measurement import COMPLETE
from workflows.domain.rules import Rules, metric_key
from workflows.domain.status import AnalysisStatus
from workflows.metric_mapping import all_rules, custom_metrics
from workflows.request import ReleaseRequest, RollbackRequest


class RecordedAnalysis:
    """Assesses recorded responses of CloudWatch by ``rules``, one after the other.

    They are read as the release itself read them (:mod:`workflows.analysis_run`).
    """

    def __init__(self, rules: Rules, recorded: Iterable[Rules]) -> None:
        """``recorded`` are the rules that the responses were requested for."""
        self.rules = rules
        """May be replaced between two responses, as the steps of a release have their own."""

        self.latest: AnalysisStatus | None = None
        """The result so far; None before the first response about the candidate."""

        self._recorded = tuple(recorded)
        self._previous: object = None
        self._slow_above: float | None = None
        self._run: AnalysisRun | None = None
        self._baseline: MetricsRead | None = None

    @classmethod
    def from_request(
        cls, rules: Rules, request: ReleaseRequest | RollbackRequest
    ) -> RecordedAnalysis:
        """Make the analysis by ``rules`` for a release with this request."""
        return cls(rules, all_rules(request.strategy, request.judged_by))

    def add(self, fact: MetricsRead) -> AnalysisStatus | None:
        """Take the next response; returns the result if it differs from the one before."""
        if fact.is_baseline:
            self._baseline = fact
            return None
        candidate, stable = fact.request.versions[0], fact.request.versions[-1]
        if self._run is None:
            self._run = AnalysisRun(
                (self.rules, *self._recorded),
                custom_metrics(self._recorded),
                stable=stable,
                settle=timedelta(seconds=fact.request.settle),
            )
            if self._baseline:
                self._run.add_history(self._baseline.response)
        self._slow_above = fact.request.slow_above
        self._run.add(fact.response, candidate=candidate)
        self.latest = latest = self._run.to_status(self._run.assess(self.rules))
        result = (
            latest.verdict,
            latest.candidate,
            latest.stable,
            latest.worse,
            latest.not_worse,
            fact.response.status,
        )
        is_empty = (
            fact.response.status == COMPLETE
            and not self._run.measurements.candidate
            and latest.verdict is Verdict.PENDING
        )
        previous, self._previous = self._previous, result
        return None if is_empty or result == previous else latest

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of the rules that nothing was recorded for."""
        recorded = {metric_key(other) for other in custom_metrics(self._recorded)}
        missing = [
            str(limit)
            for limit in self.rules.limits
            if not isinstance(limit.metric, str) and metric_key(limit.metric) not in recorded
        ]
        if self._slow_above is None:
            missing += [str(rule) for rule in self.rules.not_worse if rule.metric == "slow_rate"]
            missing += [str(limit) for limit in self.rules.limits if limit.metric == "slow_rate"]
        return tuple(missing)
