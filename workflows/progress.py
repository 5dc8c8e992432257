"""Telling how a release stands: its status for programs, search attributes for the list, current details for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from workflows import search_attributes
from workflows.domain.markdown import render_page
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.strategy import Steps


class Progress:
    """The status of one release, told anew at every change. One upsert a change of phase; details cost no events."""

    def __init__(self, status: ReleaseStatus, strategy: Steps) -> None:
        """Begin; nothing is told yet."""
        self.status = status
        self._strategy = strategy
        self._listed: tuple[object, ...] = (Phase.PREPARING, None, 0)
        self._told: list[tuple[datetime, str]] = []

    def tell(self, phase: Phase | None = None, note: str | None = None, **changes: Any) -> None:
        """Change the status, and let everyone know."""
        told = {"phase": phase, "note": note}
        self.status = self.status.model_copy(
            update={**{key: value for key, value in told.items() if value is not None}, **changes}
        )
        if note:
            self._told.append((workflow.now(), note))
        self._list()
        workflow.set_current_details(
            render_page(self.status, self._strategy, self._told, now=workflow.now())
        )

    def _list(self) -> None:
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
            updates.append(search_attributes.PERCENT.value_set(status.routing.percent))
        search_attributes.upsert(*updates)
        self._listed = listed
