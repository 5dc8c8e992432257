"""The updates and the query that a ``Rollout`` answers.

An update only sets a field of :class:`~workflows.controls.Controls` and returns the status. A
request that makes no sense is refused by its validator, before it is recorded, with the reason.
"""

from __future__ import annotations

from temporalio import workflow

from workflows.control_requests import (
    APPROVED_BY_UNKNOWN,
    DESCRIPTIONS,
    REASONED_BY_UNKNOWN,
    RESUMED_BY_UNKNOWN,
    ApproveRequest,
    EndWatchRequest,
    ReasonedRequest,
    ResolveRequest,
    ResumeRequest,
    describe_request,
)
from workflows.controls import Controls
from workflows.domain.status import ReleaseStatus
from workflows.progress import Progress


class ControlHandlers:
    """The handlers of updates and the query.

    A mixin, since Temporal looks for handlers on the class of a workflow.
    """

    def __init__(self) -> None:
        """Begin with nothing requested and no status."""
        self._controls = Controls()
        self._progress = Progress()

    @workflow.query(description="How the release stands")
    def status(self) -> ReleaseStatus:
        """Return how the release stands."""
        return self._progress.status

    @workflow.update(description=DESCRIPTIONS["approve"])
    def approve(self, request: ApproveRequest = APPROVED_BY_UNKNOWN) -> ReleaseStatus:
        """Continue a release that waits for approval."""
        self._controls.approved = True
        self._progress.report(note=describe_request("Approved", request.by, request.note))
        return self._progress.status

    @approve.validator
    def _check_approve(self, request: ApproveRequest = APPROVED_BY_UNKNOWN) -> None:
        self._controls.check_approve(self.status())

    @workflow.update(description=DESCRIPTIONS["pause"])
    def pause(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """Hold a release at its current weight."""
        self._controls.pause()
        note = describe_request("Paused", request.by, request.reason)
        self._progress.report(note=note, paused=True)
        return self._progress.status

    @pause.validator
    def _check_pause(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> None:
        self._controls.check_pause(self.status())

    @workflow.update(description=DESCRIPTIONS["resume"])
    def resume(self, request: ResumeRequest = RESUMED_BY_UNKNOWN) -> ReleaseStatus:
        """Continue a paused release."""
        self._controls.release()
        note = describe_request("Resumed", request.by, request.reason)
        self._progress.report(note=note, paused=False)
        return self._progress.status

    @resume.validator
    def _check_resume(self, request: ResumeRequest = RESUMED_BY_UNKNOWN) -> None:
        self._controls.check_resume(self.status())

    @workflow.update(description=DESCRIPTIONS["promote"])
    def promote(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """Skip the steps that are left. Hooks and guards are not skipped."""
        self._controls.release()
        self._controls.promoted, self._controls.promoted_by = True, request.by
        note = describe_request("Promoted", request.by, request.reason)
        self._progress.report(note=note, paused=False)
        return self._progress.status

    @promote.validator
    def _check_promote(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> None:
        self._controls.check_promote(self.status())

    @workflow.update(description=DESCRIPTIONS["abort"])
    def abort(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """Stop the release and put everything back."""
        self._controls.stop(describe_request("aborted", request.by, request.reason))
        self._progress.report(note=describe_request("Aborted", request.by, request.reason))
        return self._progress.status

    @abort.validator
    def _check_abort(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> None:
        self._controls.check_running(self.status())

    @workflow.update(description=DESCRIPTIONS["give_up"])
    def give_up(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> ReleaseStatus:
        """End an undo that does not succeed; what is not back stays as it is."""
        self._controls.given_up = describe_request("given up", request.by, request.reason)
        self._progress.report(note=describe_request("Given up", request.by, request.reason))
        return self._progress.status

    @give_up.validator
    def _check_give_up(self, request: ReasonedRequest = REASONED_BY_UNKNOWN) -> None:
        self._controls.check_give_up(self.status())

    @workflow.update(description=DESCRIPTIONS["resolve"])
    def resolve(self, request: ResolveRequest) -> ReleaseStatus:
        """Choose what happens with foreign routing; see ``guards.on_foreign``."""
        self._controls.choice = request.choice
        note = describe_request(f"Resolved ({request.choice})", request.by, request.reason)
        self._progress.report(note=note)
        return self._progress.status

    @resolve.validator
    def _check_resolve(self, request: ResolveRequest) -> None:
        self._controls.check_resolve(request.choice)

    @workflow.update(description=DESCRIPTIONS["end_watch"])
    def end_watch(self, request: EndWatchRequest) -> ReleaseStatus:
        """End the watch after promotion. Alarms are looked at once more."""
        self._controls.release()
        self._controls.promoted = True
        self._controls.watch_ended_by = request.by
        note = describe_request("Watch ended", f"{request.by}, a newer release", request.reason)
        self._progress.report(note=note, paused=False)
        return self._progress.status

    @end_watch.validator
    def _check_end_watch(self, request: EndWatchRequest) -> None:
        self._controls.check_end_watch(self.status(), request.version)
