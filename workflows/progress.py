"""Reports how a release stands.

The status is for programs, search attributes are for lists, the current details for people.
One upsert of search attributes for each phase and pause, and where the traffic changes in a phase
that may last; the current details cost no events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import ApplicationError

from workflows import search_attributes
from workflows.domain.markdown import MAX_NOTES, render_page
from workflows.domain.status import PAUSED, Phase, ReleaseStatus
from workflows.domain.strategy import Steps
from workflows.release_log import ReleaseLog
from workflows.release_metrics import PhaseTimer


class Progress:
    """The status of one release, and its copies in search attributes and current details."""

    def __init__(self) -> None:
        """Begin without a status; :meth:`begin` sets it."""
        self._status: ReleaseStatus | None = None
        self._strategy = Steps(steps=())
        self._listed_phase: str = Phase.PREPARING
        self._listed_version: str | None = None
        self._listed_percent = 0
        self._notes: list[tuple[datetime, str]] = []
        self._phase_timer = PhaseTimer()
        self._log = ReleaseLog()

    def begin(self, status: ReleaseStatus, strategy: Steps) -> None:
        """Set the first status of a release that follows ``strategy``. Reports nothing yet."""
        self._status = status
        self._strategy = strategy

    def resume(
        self,
        status: ReleaseStatus,
        strategy: Steps,
        notes: list[tuple[datetime, str]],
        phase_since: datetime | None,
    ) -> None:
        """Go on where another run of this release stopped; its search attributes are as they were.

        Reports nothing yet.
        """
        self.begin(status, strategy)
        found = workflow.info().typed_search_attributes
        is_listed_paused = found.get(search_attributes.PHASE) == PAUSED
        self._listed_phase = PAUSED if is_listed_paused else status.phase
        self._listed_version = status.candidate
        percent = found.get(search_attributes.TRAFFIC_PERCENT)
        self._listed_percent = status.routing.percent if percent is None else percent
        self._notes = list(notes)
        self._phase_timer.resume(status, phase_since)
        self._log.resume(status)

    @property
    def phase_since(self) -> datetime | None:
        """When the phase began."""
        return self._phase_timer.since

    @property
    def last_notes(self) -> list[tuple[datetime, str]]:
        """The last notes, with their times: as many as are shown."""
        return self._notes[-MAX_NOTES:]

    @property
    def status(self) -> ReleaseStatus:
        """The status now. Refused as long as the release has not begun."""
        if self._status is None:
            message = "the release has not begun yet"
            raise ApplicationError(message, type="Refused", non_retryable=True)
        return self._status

    def report(self, phase: Phase | None = None, note: str | None = None, **changes: Any) -> None:
        """Change the status, and what is derived from it. ``None`` leaves phase or note alone."""
        given = {"phase": phase, "note": note}
        update = {**{key: value for key, value in given.items() if value is not None}, **changes}
        self._status = status = self.status.model_copy(update=update)
        if note:
            self._notes.append((workflow.now(), note))
        self._phase_timer.enter(status)
        self._log.write(status)
        self._upsert_phase()
        details = render_page(status, self._strategy, self._notes, now=workflow.now())
        workflow.set_current_details(details)

    def add_notes(self, notes: tuple[str, ...]) -> None:
        """Add to what a person should know."""
        self.report(notes=(*self.status.notes, *notes))

    def list_traffic(self) -> None:
        """Write the share of traffic that is in force to the list, if another one stands there.

        For changes within a phase that may last: a new phase writes it anyway.
        """
        if self.status.routing.percent != self._listed_percent and _lists_what_is_in_force():
            self._upsert()

    def _upsert_phase(self) -> None:
        """Write a new phase to the list; while the release is paused, a new share of traffic, too.

        ``paused`` stands in the list as a phase, in the place of the one that waits.
        """
        status = self.status
        is_paused = status.listed_phase == PAUSED and _lists_what_is_in_force()
        phase = PAUSED if is_paused else status.phase
        is_moved = is_paused and status.routing.percent != self._listed_percent
        if phase != self._listed_phase or is_moved:
            self._listed_phase, is_new = phase, phase != self._listed_phase
            self._upsert(*([search_attributes.PHASE.value_set(phase)] if is_new else []))

    def _upsert(self, *updates: SearchAttributeUpdate[Any]) -> None:
        """Write these attributes, and what is new of version and traffic."""
        status, more = self.status, list(updates)
        if status.candidate and status.candidate != self._listed_version:
            more.append(search_attributes.VERSION.value_set(status.candidate))
        if status.routing.percent != self._listed_percent:
            percent = status.routing.percent
            more.append(search_attributes.TRAFFIC_PERCENT.value_set(percent))
        search_attributes.upsert(*more)
        self._listed_version, self._listed_percent = status.candidate, status.routing.percent


def _lists_what_is_in_force() -> bool:
    """Whether a pause, and traffic that changes within a phase, are written to the list.

    Requested only where there is such a change: a release without one gets no event more.
    """
    return workflow.patched("in-force-is-listed")
