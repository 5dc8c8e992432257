"""The story of a release, from preflight to success. Whatever speaks against it is raised.

:meth:`ReleaseStory.run` is the story. From the moment there is a candidate it has stages. A release
that continues in a new run begins its stage again: each can be begun twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import dropwhile
from typing import Final

from temporalio import workflow

from workflows.call import raise_if_cancelled
from workflows.candidate import CandidateBuilder
from workflows.carried_state import CarriedState, Stage
from workflows.concurrency_change import ConcurrencyChange
from workflows.controls import Controls
from workflows.domain.alias_history import describe_way_back
from workflows.domain.formatting import append_cause
from workflows.domain.rollout_id import spell_rollout_id
from workflows.domain.routing import Routing
from workflows.domain.status import Phase
from workflows.domain.target import Place
from workflows.foreign_routing import ForeignRouting
from workflows.guards import Guards
from workflows.preflight import PreflightResult, preflight
from workflows.preflight_reads import ReleaseRejected
from workflows.progress import Progress
from workflows.readiness import wait_until_serving
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.reset_runs import RunReset, is_reset, read_reset_journal
from workflows.rollback_check import check_candidate
from workflows.rollback_latest import take_latest_back
from workflows.strategy_runner import StrategyRunner
from workflows.traffic import Traffic
from workflows.trigger_notes import TriggerNotes
from workflows.watch_end import ENDED_WATCH_MEMO

_ALL: Final = 100


@dataclass(frozen=True, slots=True)
class ReleaseParts:
    """The parts of one release, which share its controls and its status."""

    controls: Controls
    progress: Progress
    traffic: Traffic
    guards: Guards
    strategy: StrategyRunner
    triggers: TriggerNotes

    @classmethod
    def compose(
        cls, request: ReleaseRequest | RollbackRequest, controls: Controls, progress: Progress
    ) -> ReleaseParts:
        """Compose the parts of the release of ``request``."""
        is_asking = request.guards.on_foreign == "ask"
        foreign = ForeignRouting(ask=is_asking, controls=controls, progress=progress)
        traffic = Traffic(request.target.bare, progress, foreign)
        guards = Guards(request, traffic=traffic, controls=controls, progress=progress)
        strategy = StrategyRunner(
            request, traffic=traffic, guards=guards, controls=controls, progress=progress
        )
        triggers = TriggerNotes(progress.add_notes)
        return cls(controls, progress, traffic, guards, strategy, triggers)


class ReleaseStory:
    """The story of one release. ``stage`` is how far it is, once there is a ``candidate``."""

    def __init__(self, request: ReleaseRequest | RollbackRequest, parts: ReleaseParts) -> None:
        """Tell the story of ``request``."""
        self._request = request
        self._controls = parts.controls
        self._progress = parts.progress
        self._traffic = parts.traffic
        self._guards = parts.guards
        self._strategy = parts.strategy
        self._triggers = parts.triggers
        self.is_resumed = False
        self.found: PreflightResult | None = None
        self.candidate: str | None = None
        self.stage = Stage.BEFORE_TRAFFIC

    def resume(self, state: CarriedState) -> None:
        """Go on where another run of this release stopped."""
        self.is_resumed = True
        self.found, self.candidate, self.stage = state.found, state.candidate, state.stage

    async def run(self) -> None:
        """Make the candidate, and make it live; or say that there is nothing to do."""
        await self._stop_if_reset()
        if self.found is None and not await self._begin():
            return
        found, candidate = self.found, self.candidate
        if found is None or candidate is None:
            raise RuntimeError("a release that has begun has a candidate")
        if self.is_resumed and found.routing is not None and self.stage is not Stage.STEPS:
            self._guards.watch_metrics(candidate)
        for stage in dropwhile(lambda stage: stage is not self.stage, Stage):
            self.stage = stage
            await self._take(stage, found, candidate)

    async def _take(self, stage: Stage, found: PreflightResult, candidate: str) -> None:
        match stage:
            case Stage.BEFORE_TRAFFIC:
                await self._guards.hooks.invoke("before_traffic", found, candidate)
            case Stage.STEPS if found.routing is not None:
                self._guards.watch_metrics(candidate)
                await self._strategy.run(found.routing.version, candidate)
            case Stage.STEPS:
                pass
            case Stage.PROMOTION if found.routing is None:
                await self._create_alias(candidate)
            case Stage.PROMOTION:
                await self._promote(candidate)
            case Stage.AFTER_TRAFFIC:
                await self._guards.hooks.invoke("after_traffic", found, candidate)
            case Stage.WATCH:
                await self._strategy.watch_promoted(candidate)
            case Stage.CLOSE:
                await self._close(found, candidate)

    def find_stopped_step(self) -> int | None:
        """Find the step in which the release stops, from 1; one more after the last one.

        None where no step is under way: before the first, and in a pause between two.
        """
        state = self._strategy.state
        match self.stage:
            case Stage.BEFORE_TRAFFIC:
                return None
            case Stage.STEPS:
                return state.number if state.is_begun else None
            case _:
                return len(self._request.strategy.steps) + 1

    # --- before there is a candidate -------------------------------------------------------------

    async def _stop_if_reset(self) -> None:
        """Raise :class:`RunReset` if the run before a reset has changed something.

        A run that was continued is not the first either, so it always looks.
        """
        may_be_reset = self.is_resumed or is_reset("reset-is-undone")
        if may_be_reset and (journal := await read_reset_journal()):
            self._traffic.take_over(journal)
            raise RunReset("the run was reset after it had changed something")

    async def _begin(self) -> bool:
        """Make the candidate, ready for traffic. False where it is live already."""
        found = await self._prepare()
        builder = CandidateBuilder(self._request, found, self._traffic, self._report)
        candidate = await builder.build()
        if found.routing == Routing(version=candidate):
            await self._change_concurrency(found).apply(candidate)
            self._succeed(f"Nothing to do: version {candidate} is live already", candidate, 0)
            return False
        await self._accept(found, candidate)
        return True

    async def _prepare(self) -> PreflightResult:
        found = await preflight(self._request, self._report)
        self._check_rollout_id(found.place)
        self._traffic.begin(found)
        if ended := workflow.memo_value(ENDED_WATCH_MEMO, default=None):
            self._progress.report(note=ended, notes=(*found.notes, ended))
        self._triggers.publish(has_alias=found.routing is not None)
        await self._guards.prepare(found)
        return found

    def _check_rollout_id(self, place: Place) -> None:
        """Reject a rollout under another id than its alias': it would not hold the lock.

        One that was started by a workflow has the right id; a replay need not know it.
        """
        expected = place.rollout_id(self._request.target.alias)
        workflow_id = workflow.info().workflow_id
        if workflow.info().parent is not None or workflow_id == expected:
            return
        is_slashed = workflow_id in spell_rollout_id(expected)
        if not is_slashed or workflow.patched("rollout-ids-without-slash"):
            raise ReleaseRejected(
                f"a Rollout runs under the id of its alias, {expected}, and is started by Release "
                "or Rollback: start one of those"
            )

    async def _accept(self, found: PreflightResult, candidate: str) -> None:
        """Take a candidate that is not live yet: one that may be live, can serve, and is warm.

        It must not be what was rolled back from: preflight cannot always know.
        """
        await check_candidate(
            found.function,
            candidate,
            found.rolled_back if found.version is None else (),
            live=self._traffic.journal.stable,
        )
        self._progress.report(note=self._describe_candidate(candidate), candidate=candidate)
        if found.version is not None and not self._request.even_if_inactive:
            version, state = found.version, found.version_state
            await wait_until_serving(found.function, version, state, self._report)
        await self._change_concurrency(found).apply(candidate)
        # What only the making of a candidate needs is not kept for as long as it bakes.
        self.found = replace(found, findings=None, rolled_back=(), notes=())
        self.candidate = candidate

    def _describe_candidate(self, candidate: str) -> str:
        if not isinstance(self._request, RollbackRequest):
            return f"The candidate is version {candidate}"
        live, is_named = self._traffic.journal.stable, self._request.version is not None
        return f"Going back to {describe_way_back(candidate, live, is_named=is_named)}"

    def _change_concurrency(self, found: PreflightResult) -> ConcurrencyChange:
        return ConcurrencyChange(self._request, found, self._traffic, self._progress)

    # --- with a candidate ------------------------------------------------------------------------

    async def _promote(self, candidate: str) -> None:
        await self._controls.wait_while_paused()
        self._progress.report(Phase.PROMOTING, f"Moving all traffic to version {candidate}")
        percent = self._traffic.percent
        if percent == _ALL:  # a step of 100% has moved it all
            await self._traffic.check_unchanged(Routing(version=candidate))
        else:
            if percent == 0:
                await self._guards.alarms.check()
            by = self._controls.promoted_by
            line = append_cause(
                f"All traffic to version {candidate}", f"promoted by {by}" if by else ""
            )
            await self._traffic.route(Routing(version=candidate), line)
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
        self._progress.report(routing=self._traffic.split(candidate, _ALL), step=steps)
        if self._request.hooks.after_traffic is not None:  # it may take long
            self._progress.list_traffic()

    async def _close(self, found: PreflightResult, candidate: str) -> None:
        """Take away what only the stable version needed, and end with success."""
        await self._change_concurrency(found).release_stable(candidate)
        note = f"All traffic is on version {candidate}"
        latest = await self._take_latest_back(found, candidate)
        unguarded = self._guards.alarms.closing_note
        newer = self._controls.watch_ended_by
        ended = f"its watch was ended by {newer}, a newer release" if newer else None
        self._succeed("; ".join(filter(None, [note, latest, ended, unguarded])), candidate, _ALL)

    async def _take_latest_back(self, found: PreflightResult, candidate: str) -> str | None:
        """Let ``$LATEST`` follow a rollback; return what to say of it, if anything."""
        is_rollback = isinstance(self._request, RollbackRequest)
        if not is_rollback or found.routing is None:
            return None
        if not workflow.patched("rollback-takes-latest-back"):
            return None
        return await take_latest_back(found.function, found.routing, candidate, self._traffic)

    def _succeed(self, note: str, candidate: str, percent: int) -> None:
        raise_if_cancelled()
        routing = self._traffic.split(candidate, percent)
        self._progress.report(Phase.SUCCEEDED, note, routing=routing, ends_at=None)

    def _report(self, note: str) -> None:
        self._progress.report(note=note)
