"""Sends the probes of a step to the candidate, one after the other.

A function may run without its answer being received. It is not probed again then, and
``hooks.on_lost`` decides, as it does for a hook: what is invoked is the user's code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio import workflow

from workflows.controls import Controls, ReleaseStopped
from workflows.domain.probe import Probe
from workflows.invocations import AnswerLost, send_probe
from workflows.progress import Progress
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.step_state import StepState
from workflows.timer import Timer
from workflows.traffic import Traffic


class ProbeRunner:
    """Takes the ``Probe`` steps of one release."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        *,
        traffic: Traffic,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Send probes for ``request``."""
        self._request = request
        self._traffic = traffic
        self._progress = progress
        self._timer = Timer(controls, progress)

    async def run(
        self,
        step: Probe,
        state: StepState,
        candidate: str,
        *,
        wait_for_approval: Callable[[str], Awaitable[None]],
    ) -> None:
        """Send what is left of the probes; stop the release with the first failure too many."""
        version, allowed = f"version {candidate}", f"{step.max_failures} may"
        if state.held is not None:  # by the run that this one continues
            await self._ask_person(state.held, state, wait_for_approval)
        for request in step.planned_requests[state.sent :]:
            count = f"{state.sent} of {step.request_count}"
            if state.sent and await self._timer.wait(
                step.every, summary=f"Until the next probe of {version}: {count} sent"
            ):
                break
            state.sent += 1
            label = f"{state.sent} of {step.request_count}" + (
                f", {request.name}" if request.name else ""
            )
            function = self._traffic.journal.function
            try:
                failure = await send_probe(
                    function, candidate, request, max_latency=step.max_latency, label=label
                )
            except AnswerLost as lost:
                if self._is_held():
                    question = self._ask(version, label, lost)
                    self._progress.add_notes((question,))
                    await self._ask_person(question, state, wait_for_approval)
                    continue
                failure = f"it could not be invoked: {lost}"
            if failure is None:
                continue
            state.failed += 1
            problem = f"{version} failed a probe ({label}): {failure}"
            if state.failed > step.max_failures:
                more = f"; {state.failed} failed, {allowed}" if step.max_failures else ""
                raise ReleaseStopped(problem + more)
            self._progress.report(note=f"V{problem[1:]}; {state.failed} failed, {allowed}")
        sent = f"{state.sent} of {step.request_count} sent"
        self._progress.report(note=f"Probed {version}: {sent}, {state.failed} failed")

    def _is_held(self) -> bool:
        """Whether a lost answer holds the release; else it is a failure of the probe."""
        return self._request.hooks.on_lost == "hold" and workflow.patched("lost-probe-holds")

    def _ask(self, version: str, label: str, lost: AnswerLost) -> str:
        target = self._request.target
        return (
            f"The answer of {version} to a probe ({label}) was lost: {lost}. It may have run, and "
            "is not probed with that again. To go on as if it had answered as expected: releases "
            f"approve {target}; to put the alias back: releases abort {target}"
        )

    async def _ask_person(
        self,
        question: str,
        state: StepState,
        wait_for_approval: Callable[[str], Awaitable[None]],
    ) -> None:
        """Wait for a person, once for each answer that was lost."""
        await wait_for_approval(question)
        state.held, state.is_approved = None, False
