"""``Rollout``: makes the candidate, moves the traffic, and undoes everything if the release stops.

Started by ``Release`` and ``Rollback`` under the rollout id of its alias. That id is the lock, the
address of the controls, and the history of the alias. :meth:`Rollout.run` is the promise,
:meth:`~workflows.release_story.ReleaseStory.run` the story.

Whatever stops a release – an alarm, a hook, a person, a cancel, an error of AWS – takes one path:
the story is cancelled, writes in progress are waited for, and :mod:`workflows.undo` restores what
the journal holds.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Final, NoReturn, cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError, CancelledError

from workflows.alias_undo import PutBackFailed
from workflows.call import end_task, root_cause, shield_from_cancel
from workflows.carried_state import CarriedState, UndoState
from workflows.continuation import ContinueRun
from workflows.control_handlers import ControlHandlers
from workflows.controls import Controls, ReleaseStopped
from workflows.domain.rejection import split_reasons
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, ReleaseStatus
from workflows.foreign_routing import ForeignChange, describe_foreign
from workflows.past_rollouts import JOURNAL_MEMO, OBJECTION
from workflows.preflight_reads import ReleaseBusy, ReleaseRejected
from workflows.progress import Progress
from workflows.release_log import log_problem
from workflows.release_metrics import record_rollback
from workflows.release_story import ReleaseParts, ReleaseStory
from workflows.request import (
    ContinuedRelease,
    ContinuedRollback,
    ReleaseRequest,
    RollbackRequest,
    continue_request,
)
from workflows.rollout_request import RolloutRequest
from workflows.run_chain import STARTED_MEMO
from workflows.scheduled_start import BUSY
from workflows.undo import UndoEvents, describe_restored

_MAX_CARRIED_BYTES: Final = 1_500_000
"""A request that is larger is not carried to another run: with what is known it may be too large
for Temporal, which takes 2 MiB."""

_NO_INPUT: Final = cast("RolloutRequest", None)
"""What ``Rollout`` gets where it is started without input, which is refused before it runs."""


def _take_one_input(
    init: Callable[[Rollout, RolloutRequest], None],
) -> Callable[[Rollout, RolloutRequest], None]:
    """Construct a workflow with any number of inputs: a wrong one is refused when it runs.

    In a constructor Python's own error would fail the workflow task, again and again.
    """

    @functools.wraps(init)
    def construct(self: Rollout, *inputs: RolloutRequest) -> None:
        init(self, inputs[0] if len(inputs) == 1 else _NO_INPUT)

    return construct


@workflow.defn
class Rollout(ControlHandlers):
    """One release or rollback of one alias. Start ``Release`` or ``Rollback``, not this."""

    @workflow.init
    @_take_one_input
    def __init__(self, request: RolloutRequest = _NO_INPUT) -> None:
        """Begin the release, or go on with it, before the first update is handled."""
        super().__init__()
        self._release = (
            ReleaseRun(request.root, self._controls, self._progress) if request else None
        )

    @workflow.run
    async def run(self, request: RolloutRequest = _NO_INPUT) -> ReleaseStatus:
        """Make the candidate live, or leave the alias unchanged.

        Completes with all traffic on the candidate, or with nothing to do. Fails as
        ``ReleaseRejected`` with nothing touched, as ``ReleaseRolledBack`` with the alias restored,
        and as ``RollbackFailed`` where the alias could not be restored or another writer changed
        it. A cancel at any moment, the first or a later one, is an abort. A release whose history
        has become long goes on in a new run.
        """
        if self._release is None:
            raise RuntimeError(f"no release of {request}")
        return await self._release.run()


class ReleaseRun:
    """One run of a release: its parts, its story, and how it ends."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Compose the parts, and report the first phase or go on with what was carried."""
        self._request = request
        self._controls = controls
        self._progress = progress
        self._undo: UndoState | None = None
        self._restored: Routing | None = None
        carried = (
            CarriedState.model_validate(request.carried)
            if isinstance(request, ContinuedRelease | ContinuedRollback)
            else None
        )
        if carried:
            progress.resume(carried.status, request.strategy, carried.notes, carried.phase_since)
            controls.resume(carried.controls)
        else:
            progress.begin(_first_status(request), request.strategy)
        self._parts = ReleaseParts.compose(request, controls, progress)
        self._traffic, self._guards = self._parts.traffic, self._parts.guards
        self._story = ReleaseStory(request, self._parts)
        controls.continuation.limit_to(self._is_small)
        if carried:
            self._resume(carried)
        else:
            progress.report(Phase.PREPARING, request.summary)

    async def run(self) -> ReleaseStatus:
        """See :meth:`Rollout.run`."""
        if self._undo is not None:
            return await self._roll_back(self._undo)
        if not self._story.is_resumed:
            self._parts.triggers.begin(self._request.target)
        story = asyncio.create_task(self._story.run())
        alarms = asyncio.create_task(self._guards.alarms.watch())
        try:
            await workflow.wait_condition(
                lambda: story.done() or self._controls.stop_reason is not None
            )
        except asyncio.CancelledError:
            self._controls.break_off(_describe_cancellation())
        stopped_at = workflow.now()
        error = await shield_from_cancel(end_task(story))
        if isinstance(error, ContinueRun) and self._controls.stop_reason is None:
            self._continue()
        await shield_from_cancel(end_task(alarms))
        await shield_from_cancel(self._parts.triggers.end())
        await self._guards.end()
        match error, self._controls.stop_reason:
            case None, None:
                return self._progress.status
            case ReleaseRejected(), None:
                raise self._reject(error)
            case ForeignChange() as change, _:
                journal = self._traffic.journal
                raise self._fail(describe_foreign(journal.target, change, journal.stable))
            case _, reason:
                unknown = RuntimeError("the release ended without a reason")
                is_refused = self._controls.is_refused or isinstance(error, ReleaseStopped)
                reason = reason or root_cause(error or unknown)
                return await self._roll_back(
                    UndoState(reason=reason, is_refused=is_refused, since=stopped_at)
                )

    # --- from run to run -------------------------------------------------------------------------

    def _resume(self, carried: CarriedState) -> None:
        self._traffic.resume(carried.traffic)
        self._parts.strategy.resume(carried.step)
        self._undo = carried.undo
        if carried.found is not None:
            self._guards.resume(carried.guards, carried.found)
            self._story.resume(carried)
        self._progress.report()

    def _continue(self, undo: UndoState | None = None) -> NoReturn:
        """Go on in a new run. It begins with an empty history, the same ids and the same memo."""
        carried = CarriedState(
            found=self._story.found,
            candidate=self._story.candidate,
            stage=self._story.stage,
            step=self._parts.strategy.state,
            undo=undo,
            traffic=self._traffic.to_state(),
            guards=self._guards.to_state(),
            controls=self._controls.to_state(),
            status=self._progress.status,
            notes=self._progress.last_notes,
            phase_since=self._progress.phase_since,
        )
        request = continue_request(self._request, carried.model_dump(mode="json"))
        started = workflow.info().workflow_start_time.isoformat()
        memo = {STARTED_MEMO: started, **workflow.memo(), JOURNAL_MEMO: self._traffic.journal}
        workflow.continue_as_new(RolloutRequest(request), memo=memo)

    def _is_small(self) -> bool:
        return len(self._request.model_dump_json()) <= _MAX_CARRIED_BYTES

    # --- endings ---------------------------------------------------------------------------------

    async def _roll_back(self, undo: UndoState) -> ReleaseStatus:
        reason = undo.reason
        if self._undo is None:
            note = f"Rolling back: {reason}"
            stopped = self._story.find_stopped_step()
            self._progress.report(
                Phase.ROLLING_BACK, note, ends_at=None, paused=False, stopped_step=stopped
            )
        try:
            leftovers = await shield_from_cancel(self._traffic.put_back(self._undo_events(undo)))
        except ContinueRun:
            self._continue(undo)
        except PutBackFailed as error:
            raise self._fail(f"{reason}; {error}") from error
        journal = self._traffic.journal
        restored = (
            "nothing had been changed" if journal.is_empty else describe_restored(self._restored)
        )
        ending = "; ".join([f"{reason}; {restored}", *leftovers])
        routing = self._traffic.split(None, 0)
        self._progress.report(Phase.ROLLED_BACK, f"Rolled back: {ending}", routing=routing)
        status, details = self._progress.status, [OBJECTION] if undo.is_refused else []
        if workflow.cancellation_reason() is not None:
            raise CancelledError(ending, status)
        raise ApplicationError(
            ending, status, *details, type="ReleaseRolledBack", non_retryable=True
        )

    def _undo_events(self, undo: UndoState) -> UndoEvents:
        def report_restored(place: Routing | None) -> None:
            self._restored, journal = place, self._traffic.journal
            if journal.shifting:
                record_rollback(journal.target, workflow.now() - undo.since)
                note = f"{journal.target} is back: {describe_restored(place)}"
                self._progress.report(note=note, routing=self._traffic.split(None, 0))

        def report_problem(cause: str) -> None:
            self._controls.report_problem(cause)
            note = f"Cannot put back yet: {cause}. It is tried until it succeeds ({undo.reason})"
            self._progress.report(note=note)
            self._progress.list_traffic()  # the alias may be back, and the rest take long
            log_problem(self._progress.status)

        return UndoEvents(
            report_restored,
            report_problem,
            lambda: self._controls.given_up,
            before_retry=self._controls.continuation.raise_if_due,
            cause=undo.reason,
        )

    def _reject(self, rejected: ReleaseRejected) -> ApplicationError:
        reason = str(rejected)
        self._progress.report(Phase.REJECTED, f"Rejected: {reason}", paused=False)
        status = self._progress.status.model_copy(
            update={"problems": split_reasons(rejected.reasons)}
        )
        details = [status, *([BUSY] if isinstance(rejected, ReleaseBusy) else [])]
        return ApplicationError(reason, *details, type="ReleaseRejected", non_retryable=True)

    def _fail(self, reason: str) -> ApplicationError:
        note = f"Not rolled back: {reason}"
        stopped = self._progress.status.stopped_step or self._story.find_stopped_step()
        self._progress.report(
            Phase.ROLLING_BACK, note, ends_at=None, paused=False, stopped_step=stopped
        )
        status = self._progress.status
        log_problem(status)
        return ApplicationError(reason, status, type="RollbackFailed", non_retryable=True)


def _describe_cancellation() -> str:
    reason = workflow.cancellation_reason()
    return f"cancelled: {reason}" if reason else "cancelled"


def _first_status(request: ReleaseRequest | RollbackRequest) -> ReleaseStatus:
    return ReleaseStatus(
        target=request.target.bare,
        account=request.target.account,
        region=request.target.region,
        steps=len(request.strategy.steps),
        revision=request.revision,
    )
