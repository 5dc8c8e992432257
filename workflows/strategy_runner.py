"""Takes the steps of a strategy, one after the other, and watches the candidate after the last.

Weights, bakes and approvals; analyses of what CloudWatch measures. The ramp is in
:mod:`workflows.ramp_runner`, probes of the candidate itself in :mod:`workflows.probe_runner`.
Whatever speaks against the candidate raises :class:`~workflows.guards.ReleaseStopped`, and the
release is rolled back.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from workflows.controls import Controls, ReleaseStopped
from workflows.domain.adaptive import Adaptive
from workflows.domain.assessment import Verdict
from workflows.domain.formatting import format_duration, format_number
from workflows.domain.probe import Probe
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, SkippedSteps
from workflows.domain.strategy import Analysis, Approval, Bake, OnNoData, SetWeight, Step
from workflows.guards import Guards
from workflows.live_analysis import LiveAnalysis
from workflows.past_rollouts import STEP_MEMO
from workflows.probe_runner import ProbeRunner
from workflows.progress import Progress
from workflows.ramp_runner import RampRunner
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.step_state import StepState
from workflows.timer import SHORTEST, Timer
from workflows.traffic import Traffic


class StrategyRunner:
    """Takes the steps of one release."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        *,
        traffic: Traffic,
        guards: Guards,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Run the strategy of ``request``."""
        self._request = request
        self._traffic = traffic
        self._guards = guards
        self._controls = controls
        self._progress = progress
        self._timer = Timer(controls, progress)
        self.state = self._next_step(1)
        """How far the current step is."""
        self._is_resumed = False

    def resume(self, state: StepState) -> None:
        """Go on in the step in which another run of this release stopped."""
        self.state, self._is_resumed = state, state.is_begun

    async def run(self, stable: str, candidate: str) -> None:
        """Take all steps, or as many as there are before a person promotes."""
        steps = self._request.strategy.steps
        for number, step in enumerate(steps[self.state.number - 1 :], self.state.number):
            await self._controls.wait_while_paused()
            if self._controls.promoted:
                self._report_skipped(number)
                break
            self._begin_step(number)
            await self._take(step, stable, candidate)
            if self._is_cut_short(step):
                self._report_skipped(number)
            else:
                self._progress.report(step=number)
            self.state, self._is_resumed = self._next_step(number + 1), False
        self._record_step(len(steps) + 1)

    def _next_step(self, number: int) -> StepState:
        return StepState(number=number, since=workflow.now(), began=self._controls.clock.read())

    def _is_cut_short(self, step: Step) -> bool:
        """Whether a person has promoted before this step, which is the current one, was over."""
        if not self._controls.promoted:
            return False
        match step:
            case SetWeight():
                return False
            case Approval():
                return not self._controls.approved
            case Probe():
                return self.state.sent < step.request_count
            case Bake(duration=duration):
                return self._controls.clock.read() < self.state.began + duration
            case Analysis() | Adaptive():
                return True

    def _report_skipped(self, first: int) -> None:
        """Report that the steps are skipped from this one on, unless they are already."""
        if self._progress.status.skipped is None:
            by = self._controls.promoted_by or "unknown"
            self._progress.report(skipped=SkippedSteps(first=first, by=by))

    def _begin_step(self, number: int) -> None:
        """Begin a step, unless another run of this release has begun it."""
        if not self._is_resumed:
            self.state = self._next_step(number)
            self.state.is_begun = True
            self._record_step(number)

    def _announce(self, note: str) -> None:
        """Report what a step that waits does, unless another run has reported it."""
        if not self._is_resumed:
            self._progress.report(Phase.BAKING, note)

    def _time_left(self, longest: timedelta) -> timedelta:
        """Return what is left of a time that began with the step. Pauses do not count."""
        state = self.state
        left = state.began + longest - self._controls.clock.read()
        with_pauses = state.since + longest - workflow.now()
        if left != with_pauses and not workflow.patched("pauses-cost-no-time"):
            return with_pauses
        return left

    async def _wait_for_approval(self, reason: str, *, at_most: timedelta | None = None) -> None:
        state = self.state
        if state.is_approved:
            return
        is_new, state.held = state.held is None, reason
        left = at_most and max(self._time_left(at_most), SHORTEST)
        await self._timer.wait_for_approval(reason, at_most=at_most, left=left, is_new=is_new)
        state.is_approved = True

    def _record_step(self, number: int) -> None:
        """Record which step begins, for ``releases explain``: its rules apply from now on."""
        if self._guards.analysis is not None and workflow.patched("step-in-memo"):
            workflow.upsert_memo({STEP_MEMO: number})

    async def _take(self, step: Step, stable: str, candidate: str) -> None:
        match step:
            case SetWeight(percent=percent):
                await self._shift(percent, stable, candidate)
                return
            case Bake():
                await self._bake(step, candidate)
            case Analysis():
                with self._guards.step_rules(step):
                    await self._analyse(step, candidate)
            case Adaptive():
                with self._guards.step_rules(step.rules):
                    await self._ramp(step, stable, candidate)
            case Approval(timeout=timeout):
                limit = f", at most {format_duration(timeout)}" if timeout else ""
                await self._wait_for_approval(f"Waiting for approval{limit}", at_most=timeout)
            case Probe():
                await self._probe(step, candidate)
        await self._guards.alarms.check()

    async def _shift(self, percent: int, stable: str, candidate: str) -> None:
        note = f"Moving {percent}% of the traffic to version {candidate}"
        self._progress.report(Phase.SHIFTING, note)
        routing = Routing.split(stable=stable, candidate=candidate, percent=percent)
        await self._traffic.route(routing, f"{percent}% to version {candidate}")
        self._progress.report(routing=self._traffic.split(candidate, percent))

    async def _ramp(self, step: Adaptive, stable: str, candidate: str) -> None:
        ramp = RampRunner(
            step,
            traffic=self._traffic,
            guards=self._guards,
            controls=self._controls,
            progress=self._progress,
        )
        question = self.state.held or await ramp.run(self.state, stable, candidate)
        if question is not None:
            await self._wait_for_approval(question)

    async def watch_promoted(self, candidate: str) -> None:
        """Guard the candidate for ``guards.after``, stable ready; ``promote`` ends it early."""
        duration, stable = self._request.guards.after, self._traffic.journal.stable
        if duration is None:
            return
        if not self._is_resumed:
            self._controls.promoted, self._controls.is_watch = False, True
            self.state = self._next_step(len(self._request.strategy.steps) + 1)
            self.state.is_begun = True
        length = format_duration(duration)
        ready = f"; version {stable} stays ready" if stable else ""
        note = f"All traffic is on version {candidate}, watched for {length}{ready}"
        self._announce(note)
        summary = f"Watch over version {candidate} for {length}"
        alarms, stable_watch = self._guards.alarms, self._guards.stable
        stable_watch.begin(self._traffic.journal, alarms.names)
        await self._timer.wait(self._time_left(duration), summary=summary)
        await alarms.check()
        await stable_watch.end()
        self._controls.is_watch = False

    async def _probe(self, step: Probe, candidate: str) -> None:
        self._announce(f"Probing version {candidate} {step.summary}")
        runner = ProbeRunner(
            self._request,
            traffic=self._traffic,
            controls=self._controls,
            progress=self._progress,
        )
        await runner.run(step, self.state, candidate, wait_for_approval=self._wait_for_approval)

    # --- bake and analysis -----------------------------------------------------------------------

    async def _bake(self, step: Bake, candidate: str) -> None:
        percent, length = self._traffic.percent, format_duration(step.duration)
        self._announce(f"{percent}% to version {candidate} for {length}")
        left = self._time_left(step.duration)
        await self._timer.wait(left, summary=f"Bake at {percent}% for {length}")
        analysis, minimum = self._guards.analysis, step.min_invocations or 0
        if analysis is None or self._controls.promoted or not self._traffic.percent:
            return
        if minimum or self._request.judged_by:
            await self._extend_bake(step, analysis, minimum)

    async def _extend_bake(self, step: Bake, analysis: LiveAnalysis, minimum: int) -> None:
        """Extend a bake until CloudWatch has measured it: ``minimum`` invocations, or any."""
        since = self.state.since

        def is_measured() -> bool:
            return analysis.has_data_since(since) and analysis.invocations_since(since) >= minimum

        longest = format_duration(step.effective_max_duration)
        if not is_measured():
            enough = f"{minimum} invocations" if minimum else "what CloudWatch measured"
            note = f"The bake goes on until there is {enough}, at most {longest} in all"
            self._progress.report(note=note)
            left = self._time_left(step.effective_max_duration)
            await self._timer.wait(left, summary=f"Bake on for {enough}", until=is_measured)
        if not is_measured():
            count = format_number(analysis.invocations_since(since))
            found = f"{count} invocations were measured"
            reason = found if analysis.has_data_since(since) else analysis.no_data_reason
            await self._on_no_data(
                step.effective_on_no_data, f"not enough to judge by within {longest}: {reason}"
            )

    async def _analyse(self, step: Analysis, candidate: str) -> None:
        """Judge the candidate until the step's time is over, or until it passes where it may early.

        If it fails meanwhile, the guards stop the release.
        """
        analysis, since = self._guards.required_analysis, self.state.since

        def has_passed() -> bool:
            passed = self._guards.assessment.verdict is Verdict.PASSED
            return passed and analysis.has_data_since(since)

        self._announce(f"Judging version {candidate}: {step.summary}")
        await self._timer.wait(
            self._time_left(step.duration),
            summary=f"Analysis for {format_duration(step.duration)}",
            until=has_passed if step.early else lambda: False,
        )
        left = self._time_left(step.effective_max_duration)
        await self._timer.wait(left, summary="Wait for more to judge by", until=has_passed)
        if self._controls.promoted:
            return
        assessment = analysis.run.assess(step, deadline=workflow.now())
        self._guards.record(assessment)
        if has_passed():
            self._progress.report(note=f"Version {candidate} passed: {assessment.reason}")
            return
        reason = assessment.reason or analysis.no_data_reason
        longest = format_duration(step.effective_max_duration)
        await self._on_no_data(step.effective_on_no_data, f"no verdict within {longest}: {reason}")

    async def _on_no_data(self, policy: OnNoData, reason: str) -> None:
        """Do what the user requested for the case that too little was measured."""
        if self._controls.promoted:
            return
        match policy:
            case "pass":
                self._progress.report(note=f"Going on all the same: {reason}")
            case "fail":
                raise ReleaseStopped(reason)
            case "hold":
                await self._wait_for_approval(
                    f"A person has to decide: {reason}. "
                    "Approve to go on, abort to put the alias back"
                )
