"""Steering a running release: the updates and the query that people, programs and the Web UI send to a ``Rollout``.

An update notes what was said and answers how the release stands; the release itself acts on it where it waits. What makes no sense
is refused before it is recorded, with a sentence that says why.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

from workflows.call import raise_if_cancelled
from workflows.controls import (
    ApproveRequest,
    Controls,
    ReasonedRequest,
    ResumeRequest,
    check_approve,
    check_pause,
    check_promote,
    check_resume,
    check_running,
    phrase,
    refuse,
)
from workflows.domain.status import Phase, ReleaseStatus
from workflows.progress import Progress

_SECOND = timedelta(seconds=1)


class Steered:
    """A workflow that can be steered from the moment that :meth:`_steer` was called."""

    _progress: Progress

    def __init__(self) -> None:
        """Nothing has been said yet."""
        self._controls = Controls()

    def _steer(self, progress: Progress) -> None:
        self._progress = progress

    def _tell(self, phase: Phase | None = None, note: str | None = None, **changes: object) -> None:
        self._progress.tell(phase, note, **changes)

    async def _wait(
        self,
        span: timedelta | None,
        *,
        summary: str,
        approval: bool = False,
        until: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait for so long (None: without end), or ``until`` that is so, or a person promotes or approves. False if the time ended it.

        A pause stops the clock.
        """
        controls = self._controls
        left = span
        while left is None or left > timedelta(0):
            raise_if_cancelled()
            started = workflow.now()
            self._tell(ends_at=None if left is None else started + left)
            try:
                await workflow.wait_condition(
                    lambda: (
                        controls.paused
                        or controls.promoted
                        or (approval and controls.approved)
                        or until()
                    ),
                    timeout=left,
                    timeout_summary=summary,
                )
            except TimeoutError:
                left = timedelta(0)
            else:
                left = None if left is None else max(left - (workflow.now() - started), _SECOND)
            self._tell(ends_at=None)
            if (
                controls.promoted
                or (approval and controls.approved)
                or (until() and not controls.paused)
            ):
                return True
            await self._unpaused()
        return False

    async def _unpaused(self) -> None:
        raise_if_cancelled()
        if self._controls.paused:
            await workflow.wait_condition(lambda: not self._controls.paused)

    @workflow.query(description="How the release stands")
    def status(self) -> ReleaseStatus:
        """How the release stands."""
        refuse(not hasattr(self, "_progress"), "the release has not begun yet")
        return self._progress.status

    @workflow.update(description='Approve what waits for it: {"by": "ana", "note": "looks good"}')
    def approve(self, said: ApproveRequest) -> ReleaseStatus:
        """Let a release that waits for approval go on."""
        self._controls.approved = True
        self._tell(note=phrase("Approved", said.by, said.note))
        return self._progress.status

    @approve.validator
    def _check_approve(self, said: ApproveRequest) -> None:
        check_approve(self.status(), self._controls)

    @workflow.update(
        description='Hold at the current weight; guards go on watching: {"by": "ana", "reason": "p99"}'
    )
    def pause(self, said: ReasonedRequest) -> ReleaseStatus:
        """Hold a release where it is."""
        self._controls.paused = True
        self._tell(note=phrase("Paused", said.by, said.reason), paused=True)
        return self._progress.status

    @pause.validator
    def _check_pause(self, said: ReasonedRequest) -> None:
        check_pause(self.status(), self._controls)

    @workflow.update(
        description='Go on after a pause; a bake has as long left as it had: {"by": "ana"}'
    )
    def resume(self, said: ResumeRequest) -> ReleaseStatus:
        """Let a paused release go on."""
        self._controls.paused = False
        self._tell(note=phrase("Resumed", said.by), paused=False)
        return self._progress.status

    @resume.validator
    def _check_resume(self, said: ResumeRequest) -> None:
        check_resume(self.status(), self._controls)

    @workflow.update(
        description='Skip what is left, all traffic to the candidate: {"by": "ana", "reason": "hotfix"}'
    )
    def promote(self, said: ReasonedRequest) -> ReleaseStatus:
        """Skip the steps that are left. Hooks and guards are not skipped."""
        self._controls.promoted, self._controls.paused = True, False
        self._tell(note=phrase("Promoted", said.by, said.reason), paused=False)
        return self._progress.status

    @promote.validator
    def _check_promote(self, said: ReasonedRequest) -> None:
        check_promote(self.status(), self._controls)

    @workflow.update(description='Put the alias back: {"by": "ana", "reason": "wrong build"}')
    def abort(self, said: ReasonedRequest) -> ReleaseStatus:
        """Stop the release and put everything back."""
        self._controls.stop(phrase("aborted", said.by, said.reason))
        self._tell(note=phrase("Aborted", said.by, said.reason))
        return self._progress.status

    @abort.validator
    def _check_abort(self, said: ReasonedRequest) -> None:
        check_running(self.status(), self._controls)
