"""Runs an ``Adaptive`` step: as much traffic to the candidate as the evidence allows.

:func:`workflows.domain.adaptive.decide_next_action` decides; this sends the doses, waits for what
CloudWatch reports of each, and follows the decision.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

from workflows.controls import Controls, ReleaseStopped
from workflows.domain.adaptive import (
    Adaptive,
    Dose,
    Ramp,
    RampAction,
    RampDecision,
    decide_next_action,
)
from workflows.domain.status import Phase
from workflows.guards import Guards
from workflows.live_analysis import LiveAnalysis
from workflows.progress import Progress
from workflows.step_state import StepState
from workflows.timer import SHORTEST
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

    async def run(self, state: StepState, stable: str, candidate: str) -> str | None:
        """Send dose after dose until the evidence is enough, or a person promotes.

        It goes on from ``state``, and keeps its ramp there. Returns what a person has to decide, if
        the evidence never was enough. Raises :class:`~workflows.guards.ReleaseStopped` where it is
        against the candidate.
        """
        analysis = self._guards.required_analysis
        state.ramp = state.ramp or Ramp(workflow.now(), settle=analysis.run.settle)
        if (paused_at := self._controls.clock.state.stopped_at) is not None:
            state.ramp = await self._pause(state.ramp, paused_at, stable, candidate)
        while not self._controls.promoted:
            analysis.is_urgent, reports, ramp = True, analysis.reports, state.ramp
            decision = self._decide(analysis, ramp)
            match decision.action:
                case RampAction.PROMOTE:
                    self._progress.report(note=f"Version {candidate} passed: {decision.reason}")
                    return None
                case RampAction.ROLL_BACK:
                    raise ReleaseStopped(
                        f"version {candidate} does worse than it may: {decision.reason}"
                    )
                case RampAction.HOLD:
                    analysis.is_urgent = False
                    await self._traffic.set_weight(0, stable, candidate, decision.reason)
                    return (
                        f"A person has to decide: {decision.reason}. "
                        "Approve to promote, abort to put the alias back"
                    )
                case RampAction.SEND | RampAction.WAIT:
                    await self._traffic.set_weight(
                        decision.percent, stable, candidate, decision.reason
                    )
            is_new_dose = decision.ramp.dose is not ramp.dose
            self._report(decision, ends_at=ramp.started_at + self._step.max_duration, old=ramp)
            state.ramp = _begin_dose(decision.ramp) if is_new_dose else ramp
            is_reported = await self._wait_for_news(
                analysis, reports, decision.review_at, summary=decision.reason[:_SUMMARY_LENGTH]
            )
            if self._controls.paused:
                state.ramp = await self._pause(state.ramp, workflow.now(), stable, candidate)
            elif not is_reported and decision.action is RampAction.WAIT:
                await analysis.poll(candidate)
        return None

    def _decide(self, analysis: LiveAnalysis, ramp: Ramp) -> RampDecision:
        step = self._step
        assessment = analysis.run.assess(step.rules, deadline=ramp.started_at + step.max_duration)
        decision = decide_next_action(
            step,
            assessment=assessment,
            measurements=analysis.run.measurements,
            ramp=ramp,
            now=workflow.now(),
        )
        if decision.action in {RampAction.PROMOTE, RampAction.ROLL_BACK}:
            self._guards.record(assessment)
        return decision

    def _report(self, decision: RampDecision, *, ends_at: datetime, old: Ramp) -> None:
        """Report a wait, or a new dose with a reason that has not been reported yet."""
        is_new_dose = decision.ramp.dose is not old.dose
        is_new_reason = decision.reason != self._progress.status.note
        if (is_new_reason and is_new_dose) or decision.action is RampAction.WAIT:
            self._progress.report(Phase.BAKING, decision.reason, ends_at=ends_at)

    async def _wait_for_news(
        self, analysis: LiveAnalysis, reports: int, until: datetime, *, summary: str
    ) -> bool:
        """Wait until CloudWatch reports more, or a person intervenes; False if the time is over."""
        controls = self._controls
        try:
            await workflow.wait_condition(
                lambda: (
                    analysis.reports != reports
                    or controls.paused
                    or controls.promoted
                    or controls.continuation.is_due()
                ),
                timeout=max(until - workflow.now(), SHORTEST),
                timeout_summary=summary,
            )
        except TimeoutError:
            return False
        if not (controls.paused or controls.promoted):
            controls.continuation.raise_if_due()
        return True

    async def _pause(self, ramp: Ramp, paused_at: datetime, stable: str, candidate: str) -> Ramp:
        """Take the traffic away until the release is resumed; a pause uses up none of the time."""
        self._guards.required_analysis.is_urgent = False
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
