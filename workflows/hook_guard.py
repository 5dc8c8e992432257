"""The hooks of a release: functions that accept or refuse its candidate.

Each is invoked once, before traffic moves and after. Where its answer was lost, it may have run: it
is not invoked again, and ``hooks.on_lost`` decides.
"""

from __future__ import annotations

from temporalio import workflow

from workflows.controls import Controls, ReleaseStopped
from workflows.invocations import AnswerLost, invoke_hook
from workflows.preflight import PreflightResult
from workflows.progress import Progress
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.timer import Timer
from workflows.traffic import Traffic


class HookGuard:
    """The hooks of one release."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        *,
        traffic: Traffic,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Guard ``request``."""
        self._request = request
        self._traffic = traffic
        self._controls = controls
        self._progress = progress
        self._timer = Timer(controls, progress)
        self.lost: str | None = None
        """The question to a person, while the answer of a hook is lost."""

    async def invoke(self, name: str, found: PreflightResult, candidate: str) -> None:
        """Invoke a hook, if the release has one. Raises :class:`ReleaseStopped` if it refuses.

        A release that continues while a person decides about a lost answer waits for that again.
        """
        hook: str | None = getattr(self._request.hooks, name)
        if hook is None:
            return
        if self.lost is not None:
            await self._ask_person(self.lost, is_new=False)
            return
        await self._controls.wait_while_paused()
        self._progress.report(note=f"Asking {hook} ({name})")
        try:
            answer = await invoke_hook(hook, self._ask(name, found, candidate), name=name)
        except AnswerLost as lost:
            await self._decide(f"hook {hook} ({name})", lost, candidate)
            return
        if not answer.accept:
            raise ReleaseStopped(
                f"hook {hook} ({name}) refused version {candidate}: {answer.reason}"
            )

    def _ask(self, name: str, found: PreflightResult, candidate: str) -> dict[str, object]:
        """Return what the hook is sent."""
        stable = self._traffic.journal.stable
        return {
            "hook": name,
            "release": workflow.info().workflow_id,
            "target": {"function": found.target.name, "alias": self._request.target.alias},
            "stable": stable,
            "stable_arn": f"{found.function}:{stable}" if stable else None,
            "candidate": candidate,
            "candidate_arn": f"{found.function}:{candidate}",
        }

    async def _decide(self, hook: str, lost: AnswerLost, candidate: str) -> None:
        """Do what was requested for a lost answer: hold the release, or roll it back."""
        is_held = self._request.hooks.on_lost == "hold"
        if not is_held or not workflow.patched("lost-answer-holds"):
            raise ReleaseStopped(f"{hook} for version {candidate}: its answer was lost: {lost}")
        target = self._request.target
        question = (
            f"The answer of {hook} for version {candidate} was lost: {lost}. It may have accepted "
            "or refused, and is not invoked again. To go on as if it had accepted: releases approve"
            f" {target}; to put the alias back: releases abort {target}"
        )
        self._progress.add_notes((question,))
        await self._ask_person(question, is_new=True)

    async def _ask_person(self, question: str, *, is_new: bool) -> None:
        self.lost = question
        if is_new:
            self._controls.promoted = False
        await self._timer.wait_for_approval(question, is_new=is_new)
        self.lost = None
