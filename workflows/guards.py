"""What may stop a release: hooks, which are invoked, alarms and metrics, which are watched.

:mod:`workflows.hook_guard` has the hooks, :mod:`workflows.alarm_guard` the alarms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from activities.errors import Fault
from workflows.alarm_guard import AlarmGuard, AlarmState
from workflows.call import end_task, root_cause, shield_from_cancel
from workflows.controls import Controls
from workflows.domain.assessment import Assessment, Verdict
from workflows.domain.rules import Rules
from workflows.hook_guard import HookGuard
from workflows.live_analysis import AnalysisState, LiveAnalysis
from workflows.metric_mapping import is_measured
from workflows.past_rollouts import VERDICT_MEMO
from workflows.preflight import PreflightResult
from workflows.preflight_reads import ReleaseRejected
from workflows.progress import Progress
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.stable_watch import StableWatch
from workflows.traffic import Traffic


class GuardsState(BaseModel):
    """What the guards know, for the next run of their release: see :class:`Guards`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    alarms: AlarmState
    analysis: AnalysisState | None
    lost_hook: str | None = None


class Guards:
    """The hooks, alarms and metrics of one release."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        *,
        traffic: Traffic,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Guard ``request``; a guard that watches stops the release through ``controls``."""
        self._request = request
        self._traffic = traffic
        self._controls = controls
        self._progress = progress
        self.stable = StableWatch(progress)
        self.alarms = AlarmGuard(request, traffic=traffic, controls=controls, progress=progress)
        self.hooks = HookGuard(request, traffic=traffic, controls=controls, progress=progress)
        self._step_rules: Rules | None = None
        self._metrics_task: asyncio.Task[None] | None = None
        self.analysis: LiveAnalysis | None = None
        """What CloudWatch measures of both versions; None where nothing is judged by it."""
        self.assessment = Assessment(Verdict.PENDING, ())
        """The last assessment by the rules of the current step."""

    async def prepare(self, found: PreflightResult) -> None:
        """Read how stable did before the release, where metrics are judged.

        Raises :class:`ReleaseRejected` where CloudWatch refuses to be read.
        """
        request = self._request
        self.alarms.prepare(found.alarms)
        if request.hotfix:
            self._ignore_red_alarms(found.alarms)
        self.analysis = self._make_analysis(found)
        if self.analysis is None:
            return
        response = await self.analysis.read_history()
        if response.status in {Fault.DENIED, Fault.INVALID}:
            field = "guards.metrics" if request.judged_by else "strategy"
            reason = response.reason or response.status
            raise ReleaseRejected(f"{field}: CloudWatch cannot be read: {reason}")

    def _make_analysis(self, found: PreflightResult) -> LiveAnalysis | None:
        """Return what reads the metrics of both versions; None where nothing is judged by them."""
        strategy, guards = self._request.strategy, self._request.judged_by
        stable = self._traffic.journal.stable
        if stable is None or not is_measured(strategy, guards):
            return None
        return LiveAnalysis(
            self._traffic.journal.target,
            strategy,
            guards,
            stable=stable,
            settle=timedelta(seconds=found.longest),
        )

    def to_state(self) -> GuardsState:
        """Return all that :meth:`resume` needs."""
        analysis = self.analysis.to_state() if self.analysis else None
        return GuardsState(
            alarms=self.alarms.to_state(), analysis=analysis, lost_hook=self.hooks.lost
        )

    def resume(self, state: GuardsState, found: PreflightResult) -> None:
        """Go on where another run of this release stopped."""
        self.alarms.resume(state.alarms)
        self.hooks.lost = state.lost_hook
        self.analysis = self._make_analysis(found)
        if self.analysis is not None and state.analysis is not None:
            self.analysis.resume(state.analysis)

    def _ignore_red_alarms(self, states: dict[str, str]) -> None:
        """Ignore the alarms that were red before a hotfix began: they cannot speak against it."""
        names = ", ".join(self.alarms.ignore_red(states))
        ignored = f"; red already, so ignored: {names}" if names else ""
        self._progress.report(note=f"Hotfix: {self._request.reason}{ignored}", hotfix=True)

    # --- metrics ---------------------------------------------------------------------------------

    def watch_metrics(self, candidate: str) -> None:
        """Start to judge what CloudWatch measures, as soon as traffic moves."""
        if self.analysis is not None:
            self._metrics_task = asyncio.create_task(self._judge(self.analysis, candidate))

    async def end(self) -> None:
        """End the watches on metrics and on the stable version."""
        await self.stable.end()
        if self._metrics_task is not None:
            await shield_from_cancel(end_task(self._metrics_task))

    async def _judge(self, analysis: LiveAnalysis, candidate: str) -> None:
        try:
            await workflow.wait_condition(lambda: self._traffic.journal.shifting)
            await analysis.follow(candidate, self._assess)
        except Exception as error:  # noqa: BLE001 - whatever it is, metrics are not judged any more
            if not is_cancelled_exception(error):
                self._controls.break_off(f"the metrics cannot be judged: {root_cause(error)}")

    def _assess(self) -> None:
        """Assess the candidate; stop the release if the guards fail, or the rules of its step."""
        analysis, guards = self.analysis, self._request.judged_by
        if analysis is None:
            return
        self.assessment = analysis.run.assess(self._step_rules or analysis.first_rules)
        self._progress.report(analysis=analysis.run.to_status(self.assessment))
        binding = [analysis.run.assess(guards)] if guards else []
        if self._step_rules:
            binding.append(self.assessment)
        for assessment in binding:
            if assessment.verdict is Verdict.FAILED and not self._controls.stop_reason:
                self.record(assessment)
                candidate = self._traffic.journal.candidate
                self._controls.stop(
                    f"version {candidate} does worse than it may: {assessment.reason}"
                )

    @contextmanager
    def step_rules(self, rules: Rules) -> Generator[None]:
        """Judge by these rules as well, as long as a step lasts."""
        self._step_rules = rules
        self._assess()
        try:
            yield
        finally:
            self._step_rules = None

    def record(self, assessment: Assessment) -> None:
        """Record a verdict, with its numbers, in the memo."""
        if self.analysis is not None:
            workflow.upsert_memo({VERDICT_MEMO: self.analysis.run.to_status(assessment)})

    @property
    def required_analysis(self) -> LiveAnalysis:
        """The analysis, for a step that is judged by it: preflight made sure that there is one."""
        if self.analysis is None:
            raise RuntimeError("nothing is measured")
        return self.analysis
