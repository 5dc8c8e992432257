"""What ``Release`` and ``Rollback`` do: start a ``Rollout``, and undo it if it is killed.

The pair keeps the alias from being left half-way. If this workflow is terminated, its child gets a
cancel and rolls back. If the child is terminated, this workflow undoes what the child's memo holds.
Only terminating both at once leaves the alias where it is.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)

from workflows import search_attributes
from workflows.call import shield_from_cancel
from workflows.continuation import ContinueRun
from workflows.domain.adaptive import Adaptive
from workflows.domain.artifact import PublishedVersion
from workflows.domain.journal import Journal
from workflows.domain.rejection import split_reasons
from workflows.domain.status import Phase, ReleaseStatus, TrafficSplit
from workflows.domain.strategy import Analysis, Approval, Bake
from workflows.domain.target import Place
from workflows.eviction import IDLE_WORKFLOWS
from workflows.killed_rollout import KilledRollout, UndoImpossible, find_remains
from workflows.preflight_reads import ReleaseRejected, locate, place_of
from workflows.release_state import ReleaseState
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.reset_runs import follow_rollout
from workflows.rollout_cancel import read_cancelled_status
from workflows.rollout_end import Outcome, RolloutEnd, read_failure
from workflows.rollout_lock import RolloutLock, find_lock
from workflows.rollout_start import RolloutHandle, start_rollout, wait_for_end
from workflows.scheduled_start import BUSY, skip_or_raise
from workflows.watch_end import end_watch

_EVICTED_FROM: Final = timedelta(minutes=1)
"""A bake of at least this makes it worth evicting this workflow from the worker's memory."""


class Supervisor:
    """Starts the one ``Rollout`` of an alias, from a workflow of any id, and ends as it ends."""

    def __init__(self, request: ReleaseRequest | RollbackRequest, state: ReleaseState) -> None:
        """Supervise the rollout of ``request``; ``state`` is what the workflow's handlers know."""
        self._request = request
        self._state = state
        self._target = request.target.bare

    async def run(self) -> ReleaseStatus:
        """Run the rollout, and end as it ends; see ``Rollout.run`` for the endings."""
        self._state.begin(self._request)
        if remains := find_remains():
            return await self._end_killed(KilledRollout(remains, self._request))
        request, target = self._request, self._target
        search_attributes.upsert(
            search_attributes.FUNCTION.value_set(target.name),
            search_attributes.ALIAS.value_set(target.alias),
            search_attributes.REQUESTED_BY.value_set(
                search_attributes.truncate(request.requested_by)
            ),
            search_attributes.PHASE.value_unset(),  # it waits for a worker no longer
        )
        try:
            found = await self._state.unless_aborted(locate(request.target))
            place = place_of(found, request.target)
        except ReleaseRejected as error:
            raise self._reject(error) from None
        lock = await find_lock(place, target.alias)
        rollout = None if lock.held else await self._start(place, lock)
        if rollout is None:
            if (end := await self._follow(lock.held or lock.id)) is not None:
                return await self._end_as(end)
            self._state.follow(None)
            try:
                rollout = await self._start_after_watch(place, lock)
            except ReleaseRejected as error:
                failure = self._reject(error)
                if self._state.is_aborted:
                    raise failure from None
                return skip_or_raise(failure)
        if _is_long(request):
            IDLE_WORKFLOWS.mark_idle(workflow.info().run_id)
        try:
            status = await wait_for_end(rollout)
        except ChildWorkflowError as error:
            end = read_failure(error.workflow_id, error.run_id, error.cause)
            return await self._end_as(end)
        self._report_end(status.phase)
        return status

    async def _start_after_watch(self, place: Place, lock: RolloutLock) -> RolloutHandle:
        """End the watch of the release that has the alias, and start the rollout.

        Raises :class:`ReleaseRejected` where that release is not watched, or another one was first.
        """
        rollout_id = lock.held or lock.id
        while True:
            busy = f"{self._target} is being released already: {rollout_id}"
            if not workflow.patched("newer-ends-watch"):
                raise ReleaseRejected(busy)
            ended = await self._state.unless_aborted(
                end_watch(rollout_id, reason=self._request.reason, version=self._version)
            )
            if ended.refusal is not None:
                raise ReleaseRejected(f"{busy} ({ended.refusal}){self._way_back}")
            if not ended.is_live and self._is_undirected:
                raise ReleaseRejected(f"{ended.note}: {self._target} is back where it was already")
            if rollout := await self._start(place, lock, ended.note):
                return rollout
            rollout_id = lock.id

    @property
    def _way_back(self) -> str:
        """What puts the alias back while a release runs."""
        if not isinstance(self._request, RollbackRequest):
            return ""
        return f"; to put the alias back, abort that: releases abort {self._target}"

    @property
    def _version(self) -> str | None:
        """The published version that is requested, if the request names one."""
        match self._request:
            case RollbackRequest(version=version):
                return version
            case ReleaseRequest(artifact=PublishedVersion(version=version)):
                return version
            case _:
                return None

    @property
    def _is_undirected(self) -> bool:
        """Whether the request means the version before the live one, whichever that is."""
        return isinstance(self._request, RollbackRequest) and self._request.version is None

    async def _start(
        self, place: Place, lock: RolloutLock, ended_watch: str | None = None
    ) -> RolloutHandle | None:
        """Start the rollout, and know it. None where a rollout of the alias runs already."""
        rollout = await start_rollout(self._request, place, lock, ended_watch)
        if rollout is not None:
            self._state.start(rollout.id, rollout.first_execution_run_id)
        return rollout

    async def _follow(self, rollout_id: str) -> RolloutEnd | None:
        """Follow the rollout that runs under the id, if this release started it before a reset.

        None where it did not. A cancel is handed on to the rollout.
        """
        self._state.follow(rollout_id)
        try:
            return await follow_rollout(rollout_id)
        except (ActivityError, asyncio.CancelledError) as error:
            if not is_cancelled_exception(error):
                raise
            await shield_from_cancel(workflow.get_external_workflow_handle(rollout_id).cancel())
            return await shield_from_cancel(follow_rollout(rollout_id))

    async def _end_as(self, end: RolloutEnd) -> ReleaseStatus:
        """End as the rollout ended, with its message; if it was killed, undo its release first."""
        match end.outcome:
            case Outcome.COMPLETED if end.result is not None:
                self._report_end(end.result.phase)
                return end.result
            case Outcome.CANCELED:
                note = "cancelled; the alias is back where it was"
                left = await shield_from_cancel(read_cancelled_status(end.workflow_id, end.run_id))
                status = left or self._status(Phase.ROLLED_BACK, note, None)
                raise self._rolled_back(note, status) from None
            case Outcome.TERMINATED | Outcome.TIMED_OUT:
                return await self._end_killed(KilledRollout(end.remains, self._request))
            case _:
                self._report_end(end.status.phase if end.status else Phase.ROLLING_BACK)
                details = [end.status, *end.details[1:]] if end.status else end.details
                failure = ApplicationError(
                    end.message, *details, type=end.failure_type, non_retryable=True
                )
                if BUSY in end.details[1:]:
                    return skip_or_raise(failure)
                raise failure from None

    async def _end_killed(self, rollout: KilledRollout) -> ReleaseStatus:
        """Keep what a killed rollout has made live, or undo it and fail."""
        self._state.take_over(f"{rollout.killed}: putting everything back")
        try:
            return await shield_from_cancel(self._keep_or_undo(rollout))
        except ContinueRun:
            rollout.continue_as_new()

    async def _keep_or_undo(self, rollout: KilledRollout) -> ReleaseStatus:
        try:
            await rollout.read()
            if await rollout.is_kept():
                return self._succeed(rollout.kept_note, rollout.journal)
            reason = await rollout.undo()
        except UndoImpossible as problem:
            raise self._failure(
                Phase.ROLLING_BACK, str(problem), "RollbackFailed", rollout.journal
            ) from None
        raise self._rolled_back(reason, self._status(Phase.ROLLED_BACK, reason, rollout.journal))

    def _succeed(self, note: str, journal: Journal | None) -> ReleaseStatus:
        steps = len(self._request.strategy.steps)
        status = self._status(Phase.SUCCEEDED, note, journal)
        routing = TrafficSplit(stable=status.stable, canary=status.candidate, percent=100)
        self._report_end(status.phase)
        return status.model_copy(update={"routing": routing, "step": steps, "steps": steps})

    def _rolled_back(self, reason: str, status: ReleaseStatus) -> FailureError:
        """The error for a release that was undone; for one that was cancelled, a cancellation."""
        self._report_end(Phase.ROLLED_BACK)
        if workflow.cancellation_reason() is not None:
            return CancelledError(reason, status)
        return ApplicationError(reason, status, type="ReleaseRolledBack", non_retryable=True)

    def _reject(self, rejected: ReleaseRejected) -> ApplicationError:
        reason = str(rejected)
        status = self._status(Phase.REJECTED, reason, None)
        status = status.model_copy(update={"problems": split_reasons(rejected.reasons)})
        self._report_end(Phase.REJECTED)
        return ApplicationError(reason, status, type="ReleaseRejected", non_retryable=True)

    def _failure(
        self, phase: Phase, reason: str, failure_type: str, journal: Journal | None = None
    ) -> ApplicationError:
        status = self._status(phase, reason, journal)
        self._report_end(phase)
        return ApplicationError(reason, status, type=failure_type, non_retryable=True)

    def _status(self, phase: Phase, note: str, journal: Journal | None) -> ReleaseStatus:
        stable, candidate = (journal.stable, journal.candidate) if journal else (None, None)
        located = journal.target if journal else self._request.target
        return self._state.status.model_copy(
            update={
                "phase": phase,
                "note": note,
                "account": located.account,
                "region": located.region,
                "stable": stable,
                "candidate": candidate,
                "routing": TrafficSplit(stable=stable, percent=0),
            }
        )

    def _report_end(self, phase: Phase) -> None:
        search_attributes.upsert(search_attributes.PHASE.value_set(phase))


def _is_long(request: ReleaseRequest | RollbackRequest) -> bool:
    """Whether the rollout will mostly wait for timers or people."""
    waits = (
        isinstance(step, Approval | Adaptive)
        or (isinstance(step, Bake | Analysis) and step.duration >= _EVICTED_FROM)
        for step in request.strategy.steps
    )
    return request.guards.after is not None or any(waits)
