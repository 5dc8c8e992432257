"""What came of a start: the release has begun, was rejected, or waits for a worker.

Temporal is read until preflight is over, which takes about a second. That adds no event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowQueryFailedError
from temporalio.service import RPCError

from workflows.client.errors import translate_errors
from workflows.client.queue_outage import find_outages
from workflows.client.release_start import Handle
from workflows.client.run_reader import RunReader
from workflows.client.runs import Run, RunEnding
from workflows.client.unbegun_release import read_pending
from workflows.domain.status import Phase, ReleaseStatus
from workflows.past_rollouts import JOURNAL_MEMO

_PATIENCE: Final = timedelta(seconds=20)
"""For a worker to take a release: one that was just restarted needs about ten seconds."""

LONGEST_PREFLIGHT: Final = timedelta(seconds=45)
"""Preflight may wait for another release, or another tool's update, for minutes."""

_POLL_SECONDS: Final = 0.1
_OUTAGE_SECONDS: Final = 1.0
"""Until the workers of the queue are looked at: one takes a release within milliseconds."""

_UNTAKEN_EVENTS: Final = 2
"""The events of a release that no worker has taken: it was started, and has a task."""

_QUERY_SECONDS: Final = 5.0


class StartState(StrEnum):
    """How far a release is.

    ``QUEUED``: no worker has taken it. ``CHECKED``: preflight found nothing against it.
    ``PREPARING``: preflight goes on, and waits for something. ``ENDED``: it is over already, as
    one that was rejected.
    """

    QUEUED = "queued"
    PREPARING = "preparing"
    CHECKED = "checked"
    ENDED = "ended"


@dataclass(frozen=True)
class StartOutcome:
    """What came of a start.

    ``id`` and ``run_id`` are those of the ``Release`` or ``Rollback``, ``rollout`` is the id of its
    ``Rollout``, if it has one. ``ending`` is there where it is over. ``problems`` say why no worker
    takes it, with what to do.
    """

    id: str
    run_id: str
    state: StartState
    status: ReleaseStatus
    rollout: str | None = None
    ending: RunEnding | None = None
    problems: tuple[str, ...] = ()


class StartReader:
    """Reads what comes of one start."""

    def __init__(self, client: Client, handle: Handle) -> None:
        """Read what comes of the release that ``handle`` is about."""
        self._client = client
        self._handle = handle
        self._status: ReleaseStatus | None = None
        self._rollout: str | None = None
        self._problems: tuple[str, ...] = ()

    async def read_outcome(self, longest: timedelta) -> StartOutcome:
        """Wait until preflight is over, or cannot be: no worker, or something it waits for."""
        release = await self._describe(self._handle)
        state: StartState | None = None
        async for seconds in _count_seconds(longest):
            release = await self._describe(self._handle)
            if (state := await self._find_state(release, seconds)) is not None:
                break
        ending = await RunReader(self._client).read_ending(release)
        status = (ending and ending.status) or self._status
        if status is None:
            pending = await read_pending(self._client, release)
            status = pending.status if pending else Run.from_rejected(release, ending).status
        return StartOutcome(
            id=release.id,
            run_id=release.run_id,
            state=state or StartState.PREPARING,
            status=status,
            rollout=self._rollout or status.rollout,
            ending=ending,
            problems=self._problems,
        )

    async def _find_state(
        self, release: WorkflowExecutionDescription, seconds: float
    ) -> StartState | None:
        """Find how far the release is; None while it is in preflight."""
        if release.close_time is not None:
            return StartState.ENDED
        # A child without a run has not begun: another release may hold its id.
        children = [child for child in release.raw_description.pending_children if child.run_id]
        for child in children:
            self._rollout = child.workflow_id
            handle = self._client.get_workflow_handle(child.workflow_id, run_id=child.run_id)
            return StartState.CHECKED if await self._is_checked(handle) else None
        if seconds < _OUTAGE_SECONDS or _is_taken(release):
            return None
        self._problems = await find_outages(self._client, release.task_queue)
        is_late = seconds > _PATIENCE.total_seconds()
        return StartState.QUEUED if self._problems or is_late else None

    async def _is_checked(self, rollout: Any) -> bool:
        """Whether a rollout has left preflight: it has a candidate, or is about to make one."""
        found = await self._describe(rollout)
        if found.close_time is not None:
            return False  # its release ends in a moment, and says how
        listed = Run.from_execution(found).status
        self._status = await self._query_status(rollout) or self._status or listed
        return (
            listed.phase is not Phase.PREPARING
            or self._status.candidate is not None
            or JOURNAL_MEMO in found.raw_info.memo.fields
        )

    async def _query_status(self, rollout: Any) -> ReleaseStatus | None:
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                status: ReleaseStatus = await rollout.query("status", result_type=ReleaseStatus)
        except (RPCError, TimeoutError, WorkflowQueryFailedError):
            return None
        return status

    async def _describe(self, handle: Any) -> WorkflowExecutionDescription:
        with translate_errors(f"{handle.id} is gone from Temporal"):
            described: WorkflowExecutionDescription = await handle.describe()
        return described


async def _count_seconds(longest: timedelta) -> AsyncIterator[float]:
    """Yield the seconds since the beginning, at each poll, up to ``longest``."""
    clock = asyncio.get_running_loop().time
    began = clock()
    while (seconds := clock() - began) < longest.total_seconds():
        yield seconds
        await asyncio.sleep(_POLL_SECONDS)


def _is_taken(release: WorkflowExecutionDescription) -> bool:
    """Whether a worker has had a release: its first task is over, or in a worker's hands."""
    return release.history_length > _UNTAKEN_EVENTS
