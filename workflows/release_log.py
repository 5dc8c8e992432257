"""The log of releases: one line for each transition, from the worker on which it happened.

A replay logs nothing, so each line is there once; twice only where Temporal has to repeat the task
in which it arose, as an event came in between. A line has the ids of the release and of its
``Rollout``, function and alias, and the note that the status has: nothing that is not in Temporal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Target
from workflows.release_metrics import EndedAs, find_failure_outcome, find_outcome

_NOTE_LENGTH: Final = 500

_LOGGER: Final = workflow.LoggerAdapter(logging.getLogger("release"), None)
_LOGGER.workflow_info_on_message = False


class ReleaseLog:
    """Logs what changes in the status of one ``Rollout``."""

    def __init__(self) -> None:
        """Begin with a release that has not begun."""
        self._before: ReleaseStatus | None = None

    def resume(self, status: ReleaseStatus) -> None:
        """Go on where another run of this release stopped."""
        self._before = status

    def write(self, status: ReleaseStatus) -> None:
        """Log what this status has that the one before had not."""
        before, self._before = self._before, status
        if before is None:
            _log("started", status.target, note=status.note)
            return
        update = workflow.current_update_info()
        if update is not None and status.note != before.note:
            _log(update.name, status.target, note=status.note)
            return
        if status.candidate != before.candidate:
            _log("candidate ready", status.target, version=status.candidate)
        if status.routing.percent != before.routing.percent:
            facts: dict[str, Any] = {
                "version": status.candidate,
                "percent": status.routing.percent,
            }
            _log("shifted", status.target, **facts, note=status.note)
        if status.paused and not before.paused:
            _log("paused", status.target, note=status.note)
        if status.phase != before.phase and (event := EVENTS.get(status.phase)):
            _log(event, status.target, note=status.note)


EVENTS: Final = {
    Phase.AWAITING_APPROVAL: "waiting",
    Phase.ROLLING_BACK: "rolling back",
    Phase.ROLLED_BACK: "rolled back",
}
"""The phases that are transitions by themselves; the others begin with a change of traffic."""


def log_problem(status: ReleaseStatus) -> None:
    """Log that an undo does not succeed yet, or has ended without success."""
    _log("not put back", status.target, level=logging.WARNING, note=status.note)


async def log_end(target: Target, release: Awaitable[ReleaseStatus]) -> ReleaseStatus:
    """Run a release or rollback, and log how it ends."""
    try:
        status = await release
    except (asyncio.CancelledError, FailureError) as error:
        _log_end(target, find_failure_outcome(error), _describe(error))
        raise
    _log_end(target, find_outcome(status), status.note)
    return status


def _describe(error: BaseException) -> str:
    return error.message if isinstance(error, FailureError) else str(error) or "cancelled"


def _log_end(target: Target, outcome: EndedAs, note: str) -> None:
    is_failed = outcome is EndedAs.ROLLBACK_FAILED
    seconds = (workflow.now() - workflow.info().workflow_start_time).total_seconds()
    facts: dict[str, Any] = {"outcome": outcome.value, "seconds": round(seconds, 1)}
    level = logging.ERROR if is_failed else logging.INFO
    _log("ended", target, level=level, **facts, note=note)


def _log(event: str, target: Target, *, level: int = logging.INFO, **facts: Any) -> None:
    info = workflow.info()
    release = info.parent.workflow_id if info.parent else info.workflow_id
    names = {"release": release, "function": target.name, "alias": target.alias}
    if "note" in facts:
        facts["note"] = facts["note"][:_NOTE_LENGTH]
    _LOGGER.log(level, event, extra={**names, **facts})
