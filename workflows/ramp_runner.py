"""Runs an ``Adaptive`` step: as much traffic to the candidate as the evidence allows.

:func:`workflows.domain.adaptive.decide_next_action` decides; this sends the doses, waits for what
CloudWatch reports of each, and follows the decision.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

from workflows.controls import Controls, ReleaseStopped
from workflows.domain.adaptive import Adaptive, Dose, Ramp, RampAction, decide_next_action
from workflows.domain.status import Phase
from workflows.guards import Guards
from workflows.live_analysis import LiveAnalysis
from workflows.progress import Progress
from workflows.timer import SHORTEST, Timer
from workflows.traffic import Traffic

_SUMMARY_LENGTH = 200


class RampRunner:
    """One ramp of one release."""

    def __init__(
        self,
        step: Adaptive,
        *,
        traffic: Traffic,
        guards: Guards,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Run ``step``."""
        self._step = step
        self._traffic = traffic
        self._guards = guards
        self._controls = controls
        self._progress = progress
        self._timer = Timer(controls, progress)

    async def run(self, stable: str, candidate: str) -> None:
        """Send dose after dose until the evidence is enough, or a person promotes.

        Raises :class:`~workflows.guards.ReleaseStopped` where the evidence is against the
        candidate.
        """
        step, analysis = self._step, self._guards.required_analysis
        ramp = Ramp(workflow.now(), settle=analysis.run.settle)
        while not self._controls.promoted:
            now, reports = workflow.now(), analysis.reports
            assessment = analysis.run.assess(
                step.rules, deadline=ramp.started_at + step.max_duration
            )
            decision = decide_next_action(
                step,
                assessment=assessment,
                measurements=analysis.run.measurements,
                ramp=ramp,
                now=now,
            )
            if decision.action in {RampAction.PROMOTE, RampAction.ROLL_BACK}:
                self._guards.record(assessment)
            match decision.action:
                case RampAction.PROMOTE:
                    self._progress.report(note=f"Version {candidate} passed: {decision.reason}")
                    return
                case RampAction.ROLL_BACK:
                    raise ReleaseStopped(
                        f"version {candidate} does worse than it may: {decision.reason}"
                    )
                case RampAction.HOLD:
                    await self._traffic.set_weight(0, stable, candidate, decision.reason)
                    await self._timer.wait_for_approval(
                        f"A person has to decide: {decision.reason}. "
                        "Approve to promote, abort to put the alias back"
                    )
                    return
                case RampAction.SEND | RampAction.WAIT:
                    await self._traffic.set_weight(
                        decision.percent, stable, candidate, decision.reason
                    )
            is_new_dose = decision.ramp.dose is not ramp.dose
            is_new_reason = decision.reason != self._progress.status.note
            if (is_new_reason and is_new_dose) or decision.action is RampAction.WAIT:
                ends_at = ramp.started_at + step.max_duration
                self._progress.report(Phase.BAKING, decision.reason, ends_at=ends_at)
            ramp = _begin_dose(decision.ramp) if is_new_dose else ramp
            is_reported = await self._wait_for_news(
                analysis, reports, decision.review_at, summary=decision.reason[:_SUMMARY_LENGTH]
            )
            if self._controls.paused:
                ramp = await self._pause(ramp, stable, candidate)
            elif not is_reported and decision.action is RampAction.WAIT:
                await analysis.poll(candidate)

    async def _wait_for_news(
        self, analysis: LiveAnalysis, reports: int, until: datetime, *, summary: str
    ) -> bool:
        """Wait until CloudWatch reports more, or a person intervenes; False if the time is over."""
        controls = self._controls
        try:
            await workflow.wait_condition(
                lambda: analysis.reports != reports or controls.paused or controls.promoted,
                timeout=max(until - workflow.now(), SHORTEST),
                timeout_summary=summary,
            )
        except TimeoutError:
            return False
        return True

    async def _pause(self, ramp: Ramp, stable: str, candidate: str) -> Ramp:
        """Take the traffic away until the release is resumed; a pause uses up none of the time."""
        paused_at = workflow.now()
        reason = f"Paused: no traffic to version {candidate}"
        await self._traffic.set_weight(0, stable, candidate, reason)
        await self._controls.wait_while_paused()
        dose = ramp.dose and replace(ramp.dose, end=min(ramp.dose.end, paused_at))
        return replace(ramp, started_at=ramp.started_at + (workflow.now() - paused_at), dose=dose)


def _begin_dose(ramp: Ramp) -> Ramp:
    """Let the dose begin now that AWS has it, which may be later than it was decided."""
    now = workflow.now()
    if ramp.dose is None:
        return ramp
    return ramp.with_dose(Dose(ramp.dose.percent, now, max(now, ramp.dose.end)))
