"""Takes the steps of a strategy, one after the other, and watches the candidate after the last.

Weights, bakes and approvals; probes of the candidate itself; analyses of what CloudWatch measures;
the ramp is in :mod:`workflows.ramp_runner`. Whatever speaks against the candidate raises
:class:`~workflows.guards.ReleaseStopped`, and the release is rolled back.
"""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

from workflows.controls import Controls, ReleaseStopped
from workflows.domain.adaptive import Adaptive
from workflows.domain.assessment import Verdict
from workflows.domain.formatting import format_duration, format_number
from workflows.domain.probe import Probe
from workflows.domain.routing import Routing
from workflows.domain.status import Phase
from workflows.domain.strategy import Analysis, Approval, Bake, OnNoData, SetWeight, Step
from workflows.guards import Guards
from workflows.invocations import send_probe
from workflows.live_analysis import LiveAnalysis
from workflows.past_rollouts import STEP_MEMO
from workflows.progress import Progress
from workflows.ramp_runner import RampRunner
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.timer import Timer
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

    async def run(self, stable: str, candidate: str) -> None:
        """Take all steps, or as many as there are before a person promotes."""
        steps = self._request.strategy.steps
        for number, step in enumerate(steps, 1):
            await self._controls.wait_while_paused()
            if self._controls.promoted:
                break
            self._record_step(number)
            await self._take(step, stable, candidate)
            self._progress.report(step=number)
        self._record_step(len(steps) + 1)

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
                    await self._ramp(step).run(stable, candidate)
            case Approval(timeout=timeout):
                limit = f", at most {format_duration(timeout)}" if timeout else ""
                await self._timer.wait_for_approval(f"Waiting for approval{limit}", at_most=timeout)
            case Probe():
                await self._probe(step, candidate)
        await self._guards.alarms.check()

    async def _shift(self, percent: int, stable: str, candidate: str) -> None:
        note = f"Moving {percent}% of the traffic to version {candidate}"
        self._progress.report(Phase.SHIFTING, note)
        routing = Routing.split(stable=stable, candidate=candidate, percent=percent)
        await self._traffic.route(routing, f"{percent}% to version {candidate}")
        self._progress.report(routing=self._traffic.split(candidate, percent))

    def _ramp(self, step: Adaptive) -> RampRunner:
        return RampRunner(
            step,
            traffic=self._traffic,
            guards=self._guards,
            controls=self._controls,
            progress=self._progress,
        )

    async def watch_promoted(self, candidate: str) -> None:
        """Guard the candidate for ``guards.after``, stable ready; ``promote`` ends it early."""
        duration, stable = self._request.guards.after, self._traffic.journal.stable
        if duration is None:
            return
        self._controls.promoted = False
        length = format_duration(duration)
        ready = f"; version {stable} stays ready" if stable else ""
        note = f"All traffic is on version {candidate}, watched for {length}{ready}"
        self._progress.report(Phase.BAKING, note)
        await self._timer.wait(duration, summary=f"Watch over version {candidate} for {length}")
        await self._guards.alarms.check()

    # --- bake and analysis -----------------------------------------------------------------------

    async def _bake(self, step: Bake, candidate: str) -> None:
        since, percent, length = (
            workflow.now(),
            self._traffic.percent,
            format_duration(step.duration),
        )
        self._progress.report(Phase.BAKING, f"{percent}% to version {candidate} for {length}")
        await self._timer.wait(step.duration, summary=f"Bake at {percent}% for {length}")
        analysis, minimum = self._guards.analysis, step.min_invocations or 0
        if analysis is None or self._controls.promoted or not self._traffic.percent:
            return
        if minimum or self._request.judged_by:
            await self._extend_bake(step, analysis, since=since, minimum=minimum)

    async def _extend_bake(
        self, step: Bake, analysis: LiveAnalysis, *, since: datetime, minimum: int
    ) -> None:
        """Extend a bake until CloudWatch has measured it: ``minimum`` invocations, or any."""

        def is_measured() -> bool:
            return analysis.has_data_since(since) and analysis.invocations_since(since) >= minimum

        longest = format_duration(step.effective_max_duration)
        if not is_measured():
            enough = f"{minimum} invocations" if minimum else "what CloudWatch measured"
            note = f"The bake goes on until there is {enough}, at most {longest} in all"
            self._progress.report(note=note)
            left = since + step.effective_max_duration - workflow.now()
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
        analysis, since = self._guards.required_analysis, workflow.now()

        def has_passed() -> bool:
            passed = self._guards.assessment.verdict is Verdict.PASSED
            return passed and analysis.has_data_since(since)

        self._progress.report(Phase.BAKING, f"Judging version {candidate}: {step.summary}")
        await self._timer.wait(
            step.duration,
            summary=f"Analysis for {format_duration(step.duration)}",
            until=has_passed if step.early else lambda: False,
        )
        left = since + step.effective_max_duration - workflow.now()
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
                await self._timer.wait_for_approval(
                    f"A person has to decide: {reason}. "
                    "Approve to go on, abort to put the alias back"
                )

    # --- probes ----------------------------------------------------------------------------------

    async def _probe(self, step: Probe, candidate: str) -> None:
        """Send probes one after the other; stop the release with the first failure too many."""
        count, failed, version = 0, 0, f"version {candidate}"
        allowed = f"{step.max_failures} may"
        self._progress.report(Phase.BAKING, f"Probing {version} {step.summary}")
        for request in step.planned_requests:
            if count and await self._timer.wait(
                step.every,
                summary=f"Until the next probe of {version}: {count} of {step.request_count} sent",
            ):
                break
            count += 1
            label = f"{count} of {step.request_count}" + (
                f", {request.name}" if request.name else ""
            )
            function = self._traffic.journal.function
            failure = await send_probe(
                function, candidate, request, max_latency=step.max_latency, label=label
            )
            if failure is None:
                continue
            failed += 1
            problem = f"{version} failed a probe ({label}): {failure}"
            if failed > step.max_failures:
                more = f"; {failed} failed, {allowed}" if step.max_failures else ""
                raise ReleaseStopped(problem + more)
            self._progress.report(note=f"V{problem[1:]}; {failed} failed, {allowed}")
        sent = f"{count} of {step.request_count} sent"
        self._progress.report(note=f"Probed {version}: {sent}, {failed} failed")
