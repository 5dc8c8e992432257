"""A release that a Temporal Schedule has started: one that finds its alias busy is skipped.

A schedule that pauses on failure would be stopped by it. It is no failure: the next time may find
the alias free, and whoever releases by hand need not know that there is a schedule.
"""

from __future__ import annotations

from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from workflows.domain.status import ReleaseStatus

BUSY: Final = "busy"
"""A detail of the failure of a rollout that was rejected because another release is under way."""

_SCHEDULE: Final = SearchAttributeKey.for_keyword("TemporalScheduledById")
"""Temporal itself sets it in each workflow that a schedule starts, however that was created."""


def skip_or_raise(rejection: ApplicationError) -> ReleaseStatus:
    """Return the status of a skipped release, which a schedule has started.

    Raises ``rejection`` in any other workflow. Call it only where the alias is busy: it may add a
    marker to the history.
    """
    scheduled_by = workflow.info().typed_search_attributes.get(_SCHEDULE)
    if scheduled_by is None or not workflow.patched("busy-schedule-is-skipped"):
        raise rejection from None
    status = ReleaseStatus.model_validate(rejection.details[0])
    return status.model_copy(update={"note": f"Skipped: {rejection.message}"})
