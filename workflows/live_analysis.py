"""Reads what CloudWatch measures of candidate and stable while a release runs.

A release has one watch, for everything that needs measurements: guards, analysis steps, a ramp, a
bake with ``min_invocations``. Each report is the result of one activity, so the history holds every
number that a verdict was made from. One call to AWS reads all metrics of both versions, every 5 s
for a ramp and every 15 s otherwise; polls without news add nothing to the history.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse
from activities.errors import Fault
from workflows import actions
from workflows.analysis_run import AnalysisRun, AnalysisRunState
from workflows.call import fault_of
from workflows.domain.adaptive import Adaptive
from workflows.domain.measurement import COMPLETE, MINUTE
from workflows.domain.rules import Rules
from workflows.domain.strategy import Steps
from workflows.domain.target import Target
from workflows.metric_mapping import all_rules, custom_metrics, metric_queries, seconds

POLL_INTERVAL: Final = timedelta(seconds=15)
RAMP_POLL_INTERVAL: Final = timedelta(seconds=5)

_WINDOW: Final = timedelta(minutes=6)
"""How far back each poll reaches, beyond the time in which minutes settle: once to twice this.

What arrives later is not counted."""

_HOUR: Final = timedelta(hours=1)

_DENIED_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (2, 4, 8, 16))

_REPORT_INTERVAL: Final = timedelta(minutes=4)
"""The pause between two reports after the first hour.

A day's bake has some 300 reports with it, not 1,500."""


class AnalysisState(BaseModel):
    """What a :class:`LiveAnalysis` knows, for the next run of its release."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    began: datetime | None
    digest: str | None
    run: AnalysisRunState


class LiveAnalysis:
    """The analysis of one candidate while its release runs.

    ``run`` holds what was reported so far, ``reports`` counts the reports.
    """

    def __init__(
        self,
        target: Target,
        strategy: Steps,
        guards: Rules | None,
        *,
        stable: str,
        settle: timedelta,
    ) -> None:
        """Analyse by the rules of ``strategy`` and ``guards``; ``settle`` as in ``AnalysisRun``."""
        self._rules = all_rules(strategy, guards)
        self._metrics = custom_metrics(self._rules)
        self._target = target
        self._stable = stable
        self._settle = settle
        self._ramps = any(isinstance(step, Adaptive) for step in strategy.steps)
        self._began: datetime | None = None
        self._digest: str | None = None
        self.run = AnalysisRun(self._rules, self._metrics, stable=stable, settle=settle)
        self.reports = 0
        self.is_urgent = False
        """Whether a ramp waits for the next report, and sends no traffic until it is there."""

    def to_state(self) -> AnalysisState:
        """Return all that :meth:`resume` needs."""
        return AnalysisState(began=self._began, digest=self._digest, run=self.run.to_state())

    def resume(self, state: AnalysisState) -> None:
        """Go on where another run of this release stopped."""
        self._began, self._digest = state.began, state.digest
        self.run.resume(state.run)

    async def read_history(self) -> MetricsResponse:
        """Read how stable did in the hour before the release.

        Where CloudWatch denies it, it is read again for half a minute: a permission takes some
        seconds to take effect.
        """
        since = workflow.now() - _HOUR
        request = self._request([self._stable], since=since, candidate=self._stable)
        response = await _read(actions.read_metrics(request))
        for delay in _DENIED_DELAYS:
            if response.status != Fault.DENIED or not workflow.patched("denied-history-is-reread"):
                break
            await workflow.sleep(delay, summary="Until CloudWatch is read again: it was denied")
            response = await _read(actions.read_metrics(request))
        self.run.add_history(response)
        return response

    async def follow(self, candidate: str, on_report: Callable[[], None]) -> None:
        """Take CloudWatch's reports without end; call ``on_report`` after each."""
        while True:
            every = RAMP_POLL_INTERVAL if self.is_urgent else POLL_INTERVAL
            request = self._request_both(candidate)
            watch = actions.watch_metrics(request, every=every, known=self._digest)
            self._take(await _read(watch), candidate)
            on_report()
            if workflow.now() - self._beginning > _HOUR:
                await self._let_gather()

    async def _let_gather(self) -> None:
        """Pause between two reports, unless a ramp waits for them."""
        summary = "Let measurements gather"
        if not self._ramps:
            await workflow.sleep(_REPORT_INTERVAL, summary=summary)
        elif not self.is_urgent and workflow.patched("idle-ramp-looks-seldom"):
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self.is_urgent, timeout=_REPORT_INTERVAL, timeout_summary=summary
                )

    async def poll(self, candidate: str) -> None:
        """Read once, now."""
        self._take(await _read(actions.read_metrics(self._request_both(candidate))), candidate)

    def has_data_since(self, since: datetime) -> bool:
        """Whether CloudWatch answers, and has reported a minute of the candidate after ``since``.

        Only a minute that began after ``since`` counts: a part of one holds little.
        """
        measurements = self.run.measurements
        last = measurements.last_invoked_minute
        return measurements.status == COMPLETE and last is not None and last >= since

    def invocations_since(self, since: datetime) -> float:
        """Return the candidate's invocations in the minutes that ended after ``since``."""
        return sum(
            point.invocations or 0.0
            for minute, point in self.run.measurements.candidate.items()
            if minute + MINUTE > since
        )

    @property
    def no_data_reason(self) -> str:
        """Why there is nothing to judge by."""
        if self.run.measurements.status == COMPLETE:
            return "CloudWatch reported no invocations of the candidate"
        return f"CloudWatch answered {self.run.measurements.status}"

    @property
    def first_rules(self) -> Rules:
        """The rules by which the candidate is judged as long as no step has its own."""
        return self._rules[0] if self._rules else Rules()

    @property
    def _beginning(self) -> datetime:
        """When both versions were first read."""
        self._began = self._began or workflow.now()
        return self._began

    def _request_both(self, candidate: str) -> MetricsRequest:
        """Return the request for both versions.

        Its first minute stays the same for a while, which keeps the responses small and alike.
        """
        began = self._beginning
        windows = max(0, (workflow.now() - self._settle - began) // _WINDOW - 1)
        since = began + windows * _WINDOW
        return self._request([candidate, self._stable], since=since, candidate=candidate)

    def _request(self, versions: list[str], *, since: datetime, candidate: str) -> MetricsRequest:
        names = {
            "function": self._target.name,
            "alias": self._target.alias,
            "candidate": candidate,
            "stable": self._stable,
        }
        return MetricsRequest(
            function_name=self._target.name,
            name=self._target.alias,
            versions=versions,
            since=since,
            settle=seconds(self._settle),
            slow_above=self.run.slow_above,
            others=metric_queries(self._metrics, names),
        )

    def _take(self, response: MetricsResponse, candidate: str) -> None:
        self._digest = response.digest
        self.run.add(response, candidate=candidate)
        self.reports += 1


async def _read(reading: Awaitable[MetricsResponse]) -> MetricsResponse:
    """Return CloudWatch's response; one without data where the activity failed permanently."""
    try:
        return await reading
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return MetricsResponse(at=workflow.now(), status=fault_of(error), digest="")
