"""Reports how a release stands.

The status is for programs, search attributes are for lists, the current details for people.
One upsert of search attributes for each phase; the current details cost no events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import ApplicationError

from workflows import search_attributes
from workflows.domain.markdown import MAX_NOTES, render_page
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.strategy import Steps
from workflows.release_metrics import PhaseTimer


class Progress:
    """The status of one release, and its copies in search attributes and current details."""

    def __init__(self) -> None:
        """Begin without a status; :meth:`begin` sets it."""
        self._status: ReleaseStatus | None = None
        self._strategy = Steps(steps=())
        self._listed: tuple[object, ...] = (Phase.PREPARING, None, 0)
        self._notes: list[tuple[datetime, str]] = []
        self._phase_timer = PhaseTimer()

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
        self._listed = (status.phase, status.candidate, status.routing.percent)
        self._notes = list(notes)
        self._phase_timer.resume(status, phase_since)

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
        self._upsert()
        details = render_page(status, self._strategy, self._notes, now=workflow.now())
        workflow.set_current_details(details)

    def add_notes(self, notes: tuple[str, ...]) -> None:
        """Add to what a person should know."""
        self.report(notes=(*self.status.notes, *notes))

    def _upsert(self) -> None:
        status = self.status
        listed = (status.phase, status.candidate, status.routing.percent)
        if listed[0] == self._listed[0]:
            return
        updates: list[SearchAttributeUpdate[Any]] = [
            search_attributes.PHASE.value_set(status.phase)
        ]
        if listed[1] != self._listed[1] and status.candidate:
            updates.append(search_attributes.VERSION.value_set(status.candidate))
        if listed[2] != self._listed[2]:
            percent = status.routing.percent
            updates.append(search_attributes.TRAFFIC_PERCENT.value_set(percent))
        search_attributes.upsert(*updates)
        self._listed = listed
