"""``Rollout``: makes the candidate, moves the traffic, and undoes everything if the release stops.

Started by ``Release`` and ``Rollback`` under the rollout id of its alias. That id is the lock, the
address of the controls, and the history of the alias. :meth:`Rollout.run` is the promise,
:meth:`ReleaseRun._roll_out` the story.

Whatever stops a release – an alarm, a hook, a person, a cancel, an error of AWS – takes one path:
the story is cancelled, writes in progress are waited for, and :mod:`workflows.undo` restores what
the journal holds.
"""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.alias_undo import PutBackFailed
from workflows.call import end_task, raise_if_cancelled, root_cause, shield_from_cancel
from workflows.candidate import CandidateBuilder
from workflows.concurrency_change import ConcurrencyChange
from workflows.controls import ControlHandlers, Controls, ReleaseStopped
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Place
from workflows.foreign_routing import ForeignChange, ForeignRouting, describe_foreign
from workflows.guards import Guards
from workflows.past_rollouts import OBJECTION
from workflows.preflight import PreflightResult, preflight
from workflows.preflight_reads import ReleaseRejected
from workflows.progress import Progress
from workflows.readiness import wait_until_serving
from workflows.request import ReleaseRequest, RollbackRequest, RolloutRequest
from workflows.reset_runs import RunReset, is_reset, read_reset_journal
from workflows.rollback_check import check_candidate
from workflows.rollback_latest import take_latest_back
from workflows.strategy_runner import StrategyRunner
from workflows.traffic import Traffic
from workflows.trigger_notes import TriggerNotes
from workflows.undo import UndoEvents, describe_restored


@workflow.defn
class Rollout(ControlHandlers):
    """One release or rollback of one alias. Start ``Release`` or ``Rollback``, not this."""

    @workflow.run
    async def run(self, request: RolloutRequest) -> ReleaseStatus:
        """Make the candidate live, or leave the alias unchanged.

        Completes with all traffic on the candidate, or with nothing to do. Fails as
        ``ReleaseRejected`` with nothing touched, as ``ReleaseRolledBack`` with the alias restored,
        and as ``RollbackFailed`` where the alias could not be restored or another writer changed
        it. A cancel at any moment, the first or a later one, is an abort.
        """
        return await ReleaseRun(request.root, self._controls, self._progress).run()


class ReleaseRun:
    """One run of a release: its parts, its story, and how it ends."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Compose the parts and report the first phase."""
        target, strategy = request.target.bare, request.strategy
        status = ReleaseStatus(
            target=target,
            account=request.target.account,
            region=request.target.region,
            steps=len(strategy.steps),
        )
        progress.begin(status, strategy)
        self._request = request
        self._controls = controls
        self._progress = progress
        foreign = ForeignRouting(
            ask=request.guards.on_foreign == "ask", controls=controls, progress=progress
        )
        self._traffic = Traffic(target, progress, foreign)
        self._guards = Guards(request, traffic=self._traffic, controls=controls, progress=progress)
        self._strategy = StrategyRunner(
            request,
            traffic=self._traffic,
            guards=self._guards,
            controls=controls,
            progress=progress,
        )
        self._triggers = TriggerNotes(progress.add_notes)
        self._restored: Routing | None = None
        progress.report(Phase.PREPARING, request.summary)

    async def run(self) -> ReleaseStatus:
        """See :meth:`Rollout.run`."""
        self._triggers.begin(self._request.target)
        story = asyncio.create_task(self._roll_out())
        alarms = asyncio.create_task(self._guards.alarms.watch())
        try:
            await workflow.wait_condition(
                lambda: story.done() or self._controls.stop_reason is not None
            )
        except asyncio.CancelledError:
            self._controls.break_off(_describe_cancellation())
        error = await shield_from_cancel(end_task(story))
        await shield_from_cancel(end_task(alarms))
        await shield_from_cancel(self._triggers.end())
        await self._guards.end()
        match error, self._controls.stop_reason:
            case None, None:
                return self._progress.status
            case ReleaseRejected(), None:
                raise self._reject(str(error))
            case ForeignChange() as change, _:
                journal = self._traffic.journal
                raise self._fail(describe_foreign(journal.target, change, journal.stable))
            case _, reason:
                unknown = RuntimeError("the release ended without a reason")
                is_refused = self._controls.is_refused or isinstance(error, ReleaseStopped)
                details = [OBJECTION] if is_refused else []
                return await self._roll_back(reason or root_cause(error or unknown), *details)

    # --- the story -------------------------------------------------------------------------------

    async def _roll_out(self) -> None:
        def report(note: str) -> None:
            self._progress.report(note=note)

        await self._stop_if_reset()
        found = await preflight(self._request, report)
        self._check_rollout_id(found.place)
        self._traffic.begin(found)
        self._triggers.publish(has_alias=found.routing is not None)
        await self._guards.prepare(found)
        candidate = await CandidateBuilder(self._request, found, self._traffic, report).build()
        concurrency = ConcurrencyChange(self._request, found, self._traffic, self._progress)
        if found.routing == Routing(version=candidate):
            await concurrency.apply(candidate)
            self._succeed(f"Nothing to do: version {candidate} is live already", candidate, 0)
            return
        await self._refuse_rolled_back(found, candidate)
        self._progress.report(note=f"The candidate is version {candidate}", candidate=candidate)
        if found.version is not None and not self._request.even_if_inactive:
            await wait_until_serving(found.function, found.version, found.version_state, report)
        await concurrency.apply(candidate)
        await self._guards.invoke_hook("before_traffic", found, candidate)
        if found.routing is None:
            await self._create_alias(candidate)
        else:
            self._guards.watch_metrics(candidate)
            await self._strategy.run(found.routing.version, candidate)
            await self._promote(candidate)
        await self._guards.invoke_hook("after_traffic", found, candidate)
        await self._strategy.watch_promoted(candidate)
        await concurrency.release_stable(candidate)
        note = f"All traffic is on version {candidate}"
        latest = await self._take_latest_back(found, candidate)
        unguarded = self._guards.alarms.closing_note
        self._succeed("; ".join(filter(None, [note, latest, unguarded])), candidate, 100)

    async def _stop_if_reset(self) -> None:
        """Raise :class:`RunReset` if the run before a reset has changed something."""
        if is_reset("reset-is-undone") and (journal := await read_reset_journal()):
            self._traffic.take_over(journal)
            raise RunReset("the run was reset after it had changed something")

    def _check_rollout_id(self, place: Place) -> None:
        """Reject a rollout under another id than its alias': it would not hold the lock.

        One that was started by a workflow has the right id; a replay need not know it.
        """
        expected = place.rollout_id(self._request.target.alias)
        if workflow.info().parent is None and workflow.info().workflow_id != expected:
            raise ReleaseRejected(
                f"a Rollout runs under the id of its alias, {expected}, and is started by Release "
                "or Rollback: start one of those"
            )

    async def _refuse_rolled_back(self, found: PreflightResult, candidate: str) -> None:
        """Refuse a candidate that is what was rolled back from: preflight cannot always know."""
        await check_candidate(
            found.function,
            candidate,
            found.rolled_back if found.version is None else (),
            live=self._traffic.journal.stable,
        )

    async def _take_latest_back(self, found: PreflightResult, candidate: str) -> str | None:
        """Let ``$LATEST`` follow a rollback; return what to say of it, if anything."""
        is_rollback = isinstance(self._request, RollbackRequest)
        if not is_rollback or found.routing is None:
            return None
        if not workflow.patched("rollback-takes-latest-back"):
            return None
        return await take_latest_back(found.function, found.routing, candidate, self._traffic)

    async def _promote(self, candidate: str) -> None:
        await self._controls.wait_while_paused()
        self._progress.report(Phase.PROMOTING, f"Moving all traffic to version {candidate}")
        percent = self._traffic.percent
        if percent == 100:  # noqa: PLR2004 - a step of 100% has moved it all
            await self._traffic.check_unchanged(Routing(version=candidate))
        else:
            if percent == 0:
                await self._guards.alarms.check()
            await self._traffic.route(
                Routing(version=candidate), f"All traffic to version {candidate}"
            )
        self._report_promoted(candidate)

    async def _create_alias(self, candidate: str) -> None:
        await self._controls.wait_while_paused()
        alias = self._request.target.alias
        note = f"First release: {alias} begins at version {candidate}"
        self._progress.report(Phase.PROMOTING, note)
        await self._guards.alarms.check()
        await self._traffic.create_alias(candidate)
        self._report_promoted(candidate)

    def _report_promoted(self, candidate: str) -> None:
        steps = len(self._request.strategy.steps)
        self._progress.report(routing=self._traffic.split(candidate, 100), step=steps)

    # --- endings ---------------------------------------------------------------------------------

    def _succeed(self, note: str, candidate: str, percent: int) -> None:
        raise_if_cancelled()
        routing = self._traffic.split(candidate, percent)
        self._progress.report(Phase.SUCCEEDED, note, routing=routing, ends_at=None)

    async def _roll_back(self, reason: str, *details: str) -> ReleaseStatus:
        note = f"Rolling back: {reason}"
        self._progress.report(Phase.ROLLING_BACK, note, ends_at=None, paused=False)
        try:
            leftovers = await shield_from_cancel(self._traffic.put_back(self._undo_events(reason)))
        except PutBackFailed as error:
            raise self._fail(f"{reason}; {error}") from error
        journal = self._traffic.journal
        restored = (
            "nothing had been changed" if journal.is_empty else describe_restored(self._restored)
        )
        ending = "; ".join([f"{reason}; {restored}", *leftovers])
        routing = self._traffic.split(None, 0)
        self._progress.report(Phase.ROLLED_BACK, f"Rolled back: {ending}", routing=routing)
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError(ending)
        status = self._progress.status
        raise ApplicationError(
            ending, status, *details, type="ReleaseRolledBack", non_retryable=True
        )

    def _undo_events(self, reason: str) -> UndoEvents:
        def report_restored(place: Routing | None) -> None:
            self._restored, journal = place, self._traffic.journal
            if journal.shifting:
                note = f"{journal.target} is back: {describe_restored(place)}"
                self._progress.report(note=note, routing=self._traffic.split(None, 0))

        def report_problem(cause: str) -> None:
            self._controls.report_problem(cause)
            note = f"Cannot put back yet: {cause}. It is tried until it succeeds ({reason})"
            self._progress.report(note=note)

        return UndoEvents(report_restored, report_problem, lambda: self._controls.given_up)

    def _reject(self, reason: str) -> ApplicationError:
        self._progress.report(Phase.REJECTED, f"Rejected: {reason}")
        status = self._progress.status
        return ApplicationError(reason, status, type="ReleaseRejected", non_retryable=True)

    def _fail(self, reason: str) -> ApplicationError:
        note = f"Not rolled back: {reason}"
        self._progress.report(Phase.ROLLING_BACK, note, ends_at=None)
        status = self._progress.status
        return ApplicationError(reason, status, type="RollbackFailed", non_retryable=True)


def _describe_cancellation() -> str:
    reason = workflow.cancellation_reason()
    return f"cancelled: {reason}" if reason else "cancelled"
