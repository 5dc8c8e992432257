"""The alias of a release: the only code that writes it, and the journal of what has to be undone.

Each change is recorded in the journal before it is made. The journal is kept in the workflow's
memo, where the workflow that started the rollout reads it if the rollout is terminated.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.errors import Fault
from workflows import actions
from workflows.call import fault_of, root_cause
from workflows.control_requests import Choice
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, TrafficSplit
from workflows.domain.target import Target
from workflows.foreign_routing import AliasDeleted, ForeignChange, ForeignRouting, is_own
from workflows.past_rollouts import JOURNAL_MEMO
from workflows.preflight import PreflightResult
from workflows.progress import Progress
from workflows.undo import UndoEvents, put_back

_SUMMARY_LENGTH: Final = 200

_LONGEST_DENIAL: Final = timedelta(minutes=10)
_DENIAL_INTERVAL: Final = timedelta(seconds=15)

_MOST_WRITES: Final = 5
"""Writes of one routing: another writer may change the alias' description between two of them."""


class TrafficState(BaseModel):
    """What is known of an alias, for the next run of its release: see :class:`Traffic`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    journal: Journal
    revision: str | None
    written: Routing | None
    stable_before: str | None


class Traffic:
    """Where an alias routes, which revision it has, and what the release has changed so far."""

    def __init__(self, target: Target, progress: Progress, foreign: ForeignRouting) -> None:
        """Begin with nothing changed; :meth:`begin` takes what preflight found."""
        self.journal = Journal(target=target)
        self._progress = progress
        self._foreign = foreign
        self._revision: str | None = None
        self._written: Routing | None = None
        self._stable_before: str | None = None

    def begin(self, found: PreflightResult) -> None:
        """Take how things were before the first change."""
        self._revision, self._written = found.revision, found.routing
        self.journal = self.journal.model_copy(
            update={
                "target": found.target.at(found.place),
                "before": found.routing,
                "reserved": found.reserved,
                "candidate": found.version,
                "revision": found.latest.revision_id,
            }
        )
        self._progress.report(
            account=found.place.account,
            region=found.place.region,
            stable=self.journal.stable,
            routing=self.split(None, 0),
            notes=found.notes,
        )

    def to_state(self) -> TrafficState:
        """Return all that :meth:`resume` needs."""
        return TrafficState(
            journal=self.journal,
            revision=self._revision,
            written=self._written,
            stable_before=self._stable_before,
        )

    def resume(self, state: TrafficState) -> None:
        """Go on where another run of this release stopped."""
        self.journal, self._revision, self._written = state.journal, state.revision, state.written
        self._stable_before = state.stable_before

    def take_over(self, journal: Journal) -> None:
        """Take what another run of this release had changed. Where the alias is must be read."""
        self.journal, self._revision, self._written = journal, None, None
        self._progress.report(stable=journal.stable, candidate=journal.candidate)

    @property
    def percent(self) -> int:
        """The share of traffic that the candidate has now."""
        return self._progress.status.routing.percent

    def split(self, candidate: str | None, percent: int) -> TrafficSplit:
        """Return a share of traffic for the status."""
        canary = candidate if percent else None
        return TrafficSplit(stable=self.journal.stable, canary=canary, percent=percent)

    def record(self, **changes: object) -> None:
        """Record in the journal what is about to be changed; one memo upsert, if it is new."""
        before, self.journal = self.journal, self.journal.model_copy(update=changes)
        if self.journal != before:
            workflow.upsert_memo({JOURNAL_MEMO: self.journal})

    def remember(self, **facts: object) -> None:
        """Add to the journal what is known about a change that it has already; no upsert."""
        self.journal = self.journal.model_copy(update=facts)

    async def route(self, routing: Routing, summary: str) -> None:
        """Set the alias' routing. Raises :class:`ForeignChange` where its routing was changed.

        Where only its description or policy was changed, it is written under its new revision. The
        revision is unknown from the request until its answer.
        """
        self.record(shifting=True)
        for writes_left in reversed(range(_MOST_WRITES)):
            revision, self._revision = self._revision, None
            wanted = self._replace_stable(routing)
            try:
                self._revision = await self._write(wanted, revision, summary)
            except ActivityError as error:
                if fault_of(error) is not Fault.STALE:
                    raise
                if not writes_left or not workflow.patched("same-routing-is-ours"):
                    raise ForeignChange(root_cause(error)) from error
                await self._take_revision()
            else:
                self._written = wanted
                return

    async def _write(self, routing: Routing, revision: str | None, summary: str) -> str | None:
        """Write the routing. While traffic is shared, a denied permission may come back.

        It is waited for, up to ten minutes: an undo would need the same permission.
        """
        started = workflow.now()
        while True:
            try:
                return await actions.update_alias(
                    self.journal.target, routing, revision=revision, summary=summary
                )
            except ActivityError as error:
                is_over = workflow.now() - started >= _LONGEST_DENIAL
                if fault_of(error) is not Fault.DENIED or not self.percent or is_over:
                    raise
                if not workflow.patched("denied-moves-wait"):
                    raise
                self._progress.report(note=f"Waiting for a permission: {root_cause(error)}")
            await workflow.sleep(_DENIAL_INTERVAL, summary="Until the move is tried again")

    async def _take_revision(self) -> None:
        """Take the alias' new revision, if it routes as it was written, or a person says so."""
        alias = await actions.read_alias(self.journal.target)
        if alias is None or self._written is None:
            raise AliasDeleted
        found = actions.routing_of(alias)
        if is_own(found, self._written, self.journal.stable, self.journal.candidate):
            self._progress.report(
                note=f"{self.journal.target} was changed by another writer, its routing was not: "
                "going on"
            )
        elif (choice := await self._choose(found)) is Choice.LEAVE:
            raise ForeignChange(f"found {found}", found)
        elif choice is Choice.ADOPT:
            self._stable_before = self._stable_before or self.journal.stable
            self.record(before=found)
            self._progress.report(stable=found.version)
        self._revision = alias.revision_id

    def _replace_stable(self, routing: Routing) -> Routing:
        """Return a routing with the version that became stable meanwhile, if one did."""
        if self._stable_before is None or routing.version != self._stable_before:
            return routing
        return routing.model_copy(update={"version": self.journal.stable})

    async def _choose(self, found: Routing | None) -> Choice:
        """Have a person choose. A published version other than ours may become the stable one."""
        is_adoptable = (
            found is not None
            and found.version.isdecimal()
            and not found.weights
            and found.version != self.journal.candidate
            and self._progress.status.analysis is None
        )
        return await self._foreign.choose(found, is_adoptable=is_adoptable)

    async def set_weight(self, percent: int, stable: str, candidate: str, reason: str) -> None:
        """Send this share of the traffic to the candidate, unless it has that share already."""
        if percent != self.percent:
            self._progress.report(Phase.BAKING, reason)
            routing = Routing.split(stable=stable, candidate=candidate, percent=percent)
            await self.route(routing, reason[:_SUMMARY_LENGTH])
            self._progress.report(routing=self.split(candidate, percent))
            self._progress.list_traffic()

    async def create_alias(self, version: str) -> None:
        """Create the alias at a version."""
        self.record(shifting=True)
        self._revision = await actions.create_alias(self.journal.target, version)

    async def check_unchanged(self, routing: Routing) -> None:
        """Read the alias; raise :class:`ForeignChange` unless it routes like this."""
        alias = await actions.read_alias(self.journal.target)
        found = actions.routing_of(alias) if alias else None
        if found is None:
            raise AliasDeleted
        if not is_own(found, routing, self.journal.stable):
            raise ForeignChange(f"found {found}", found)

    async def put_back(self, events: UndoEvents) -> list[str]:
        """Undo what the journal holds, the alias first; return what could not be undone."""
        return await put_back(
            self.journal,
            revision=self._revision,
            written=self._written,
            events=replace(events, choose=self._choose),
        )
