"""The alias of a release: the only code that writes it, and the journal of what has to be undone.

Each change is recorded in the journal before it is made. The journal is kept in the workflow's
memo, where the workflow that started the rollout reads it if the rollout is terminated.
"""

from __future__ import annotations

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.errors import Fault
from workflows import actions
from workflows.call import fault_of, root_cause
from workflows.domain.journal import Journal
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, TrafficSplit
from workflows.domain.target import Target
from workflows.past_rollouts import JOURNAL_MEMO
from workflows.preflight import PreflightResult
from workflows.progress import Progress
from workflows.undo import put_back

_SUMMARY_LENGTH = 200


class ForeignChange(Exception):
    """Another writer changed the alias during the release: it must not be written any more."""


class Traffic:
    """Where an alias routes, which revision it has, and what the release has changed so far."""

    def __init__(self, target: Target, progress: Progress) -> None:
        """Begin with nothing changed; :meth:`begin` takes what preflight found."""
        self.journal = Journal(target=target)
        self._progress = progress
        self._revision: str | None = None

    def begin(self, found: PreflightResult) -> None:
        """Take how things were before the first change."""
        self._revision = found.revision
        self.journal = self.journal.model_copy(
            update={
                "before": found.routing,
                "reserved": found.reserved,
                "candidate": found.version,
                "revision": found.latest.revision_id,
            }
        )
        self._progress.report(
            stable=self.journal.stable, routing=self.split(None, 0), notes=found.notes
        )

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
        """Set the alias' routing. Raises :class:`ForeignChange` where the alias was changed.

        The revision is unknown from the request until its answer.
        """
        self.record(shifting=True)
        revision, self._revision = self._revision, None
        try:
            self._revision = await actions.update_alias(
                self.journal.target, routing, revision=revision, summary=summary
            )
        except ActivityError as error:
            if fault_of(error) is Fault.STALE:
                raise self._foreign_change(root_cause(error)) from error
            raise

    async def set_weight(self, percent: int, stable: str, candidate: str, reason: str) -> None:
        """Send this share of the traffic to the candidate, unless it has that share already."""
        if percent != self.percent:
            self._progress.report(Phase.BAKING, reason)
            routing = Routing.split(stable=stable, candidate=candidate, percent=percent)
            await self.route(routing, reason[:_SUMMARY_LENGTH])
            self._progress.report(routing=self.split(candidate, percent))

    async def create_alias(self, version: str) -> None:
        """Create the alias at a version."""
        self.record(shifting=True)
        self._revision = await actions.create_alias(self.journal.target, version)

    async def check_unchanged(self, routing: Routing) -> None:
        """Read the alias; raise :class:`ForeignChange` unless it routes like this."""
        alias = await actions.read_alias(self.journal.target)
        found = actions.routing_of(alias) if alias else None
        if found != routing:
            raise self._foreign_change(f"found {found or 'no alias'}")

    async def put_back(self, on_alias_restored: Callable[[], None]) -> list[str]:
        """Undo what the journal holds, the alias first; return what could not be undone."""
        return await put_back(
            self.journal, revision=self._revision, on_alias_restored=on_alias_restored
        )

    def _foreign_change(self, found: str) -> ForeignChange:
        return ForeignChange(
            f"somebody else moved {self.journal.target}: {found}; it was left like that"
        )
