"""Watching a release: its history, followed by long polls that add nothing to it, and its status, asked for when something changed.

Follows both workflows of a release: the one that was started, and the ``Rollout`` that it starts. Outlives restarts of Temporal and
of the worker; without a worker, what the history says is all there is to see, and the sights say so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError

from activities.errors import Fault
from workflows.client.errors import is_unavailable, translate_errors
from workflows.client.runs import Run, RunEnding, RunOutcome, ending, strategy_of
from workflows.client.timeline import Timeline, TimelineEntry
from workflows.domain.status import ReleaseStatus
from workflows.domain.strategy import Steps

_TICK: Final = 5.0
"""Seconds between two looks at what is being retried, which no history tells."""

_ASK_ANYWAY: Final = 3
"""Ticks without news after which the worker is asked nevertheless: whether it is there at all."""

_PATIENCE: Final = 5.0
"""Seconds that Temporal, or a worker, may take to answer before it counts as away."""

_AGAIN: Final = 1.0
"""Seconds between two attempts to follow the history."""

_TOGETHER: Final = 0.05
"""Seconds in which events count as one piece of news."""


@dataclass(frozen=True)
class Retry:
    """Something that is tried again: which attempt it is, why the one before ended, and when it is due.

    ``waits`` where nothing failed: AWS is not done yet, and is looked at again.
    """

    what: str
    attempt: int
    failure: str
    waits: bool = False
    next_at: datetime | None = None


@dataclass(frozen=True)
class WatchUpdate:
    """A release at one moment of watching. ``news`` is what happened since the sight before.

    ``connected`` is whether Temporal answers, ``answering`` whether a worker does. The last sight, and only that, has an ``ending``.
    """

    news: tuple[TimelineEntry, ...] = ()
    status: ReleaseStatus | None = None
    strategy: Steps | None = None
    retries: tuple[Retry, ...] = ()
    connected: bool = True
    answering: bool = True
    ending: RunEnding | None = None


class Watch:
    """Sights of one release, from its beginning to its end."""

    def __init__(self, client: Client, handle: WorkflowHandle[Any, Any]) -> None:
        """Watch the run that ``handle`` names: of a ``Release`` or ``Rollback``, or of a ``Rollout`` that nobody started."""
        self._client = client
        self._first = self._at = handle
        self._teller = Timeline(client.data_converter)
        self._events: list[tuple[WorkflowHandle[Any, Any], HistoryEvent]] = []
        self._arrived = asyncio.Event()
        self._connected = True
        self._quiet = 0

    async def sights(self) -> AsyncIterator[WatchUpdate]:
        """One sight as soon as something is known, then one at every change. Raises ``NoSuchRelease`` if Temporal has lost the release."""
        following = asyncio.create_task(self._follow_both())
        following.add_done_callback(lambda _: self._arrived.set())
        sight = WatchUpdate()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), _TICK)
                await asyncio.sleep(_TOGETHER)
                self._arrived.clear()
                changed, before = bool(self._events), sight
                sight = await self._news(sight)
                if sight != before:
                    yield sight
                if sight.ending:
                    return
                if following.done() and not self._events:
                    following.result()
                    return
                before = sight = replace(sight, news=())
                sight = await self._look(sight, changed=changed)
                if sight != before:
                    yield sight
        finally:
            following.cancel()
            await asyncio.wait([following])

    # --- following ---------------------------------------------------------------------------------------------------------------

    async def _follow_both(self) -> None:
        async for event in self._follow(self._first):
            self._arrive(self._first, event)
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                child = event.child_workflow_execution_started_event_attributes.workflow_execution
                inner = self._client.get_workflow_handle(child.workflow_id, run_id=child.run_id)
                async for told in self._follow(inner):
                    self._arrive(inner, told)

    def _arrive(self, handle: WorkflowHandle[Any, Any], event: HistoryEvent) -> None:
        self._events.append((handle, event))
        self._arrived.set()

    async def _follow(self, handle: WorkflowHandle[Any, Any]) -> AsyncIterator[HistoryEvent]:
        """Every event of a run once, in order, to its last; whenever Temporal was away, on from where it was."""
        seen = 0
        while True:
            try:
                async for event in handle.fetch_history_events(wait_new_event=True):
                    self._reach(connected=True)
                    if event.event_id > seen:
                        seen = event.event_id
                        yield event
                        if event.event_type in _CLOSING:
                            return
            except RPCError as error:
                if not is_unavailable(error):
                    with translate_errors(
                        "the release is gone from Temporal: its history has expired, or this is another Temporal"
                    ):
                        raise
                self._reach(connected=False)
            await asyncio.sleep(_AGAIN)

    def _reach(self, *, connected: bool) -> None:
        if connected is not self._connected:
            self._connected = connected
            self._arrived.set()

    # --- looking -----------------------------------------------------------------------------------------------------------------

    async def _news(self, sight: WatchUpdate) -> WatchUpdate:
        """What the history told since the last look."""
        arrived, self._events = self._events, []
        news: list[TimelineEntry] = []
        end, strategy = sight.ending, sight.strategy
        for handle, event in arrived:
            self._at = handle
            strategy = strategy or await strategy_of(event, self._client.data_converter)
            if moment := await self._teller.tell(handle.id, event):
                news.append(moment)
            ended = await ending(event, self._client.data_converter)
            if ended and not (ended.outcome is RunOutcome.KILLED and handle is not self._first):
                end = end or ended
        status = (end and end.status) or sight.status
        retries = () if end else sight.retries
        return replace(
            sight,
            news=tuple(news),
            status=status,
            strategy=strategy,
            retries=retries,
            connected=self._connected,
            ending=end,
        )

    async def _look(self, sight: WatchUpdate, *, changed: bool) -> WatchUpdate:
        """What no history tells: what is being retried, and how the worker says that it stands."""
        try:
            async with asyncio.timeout(_PATIENCE):
                description = await self._at.describe()
        except (RPCError, TimeoutError):
            self._connected = False
            return replace(sight, connected=False)
        self._connected = True
        sight = replace(sight, connected=True, retries=await self._retries(description))
        self._quiet = 0 if changed or not sight.answering else self._quiet + 1
        return sight if self._quiet % _ASK_ANYWAY else await self._ask(sight, description)

    async def _ask(
        self, sight: WatchUpdate, description: WorkflowExecutionDescription
    ) -> WatchUpdate:
        try:
            async with asyncio.timeout(_PATIENCE):
                status = await self._at.query("status", result_type=ReleaseStatus)
        except WorkflowQueryFailedError:  # it answers, and has nothing to tell yet
            return replace(sight, answering=True)
        except (RPCError, TimeoutError):
            listed = Run.of(description).status if description.workflow_type == "Rollout" else None
            return replace(sight, answering=False, status=sight.status or listed)
        return replace(sight, answering=True, status=status)

    async def _retries(self, description: WorkflowExecutionDescription) -> tuple[Retry, ...]:
        raw = description.raw_description
        retries = [
            Retry(
                what=self._teller.activity(
                    self._at.id, pending.activity_id, pending.activity_type.name
                ),
                attempt=pending.attempt,
                failure=await self._teller.sentence(pending.last_failure),
                waits=pending.last_failure.application_failure_info.type == Fault.NOT_READY,
                next_at=pending.scheduled_time.ToDatetime(tzinfo=UTC)
                if pending.HasField("scheduled_time")
                else None,
            )
            for pending in raw.pending_activities
            if pending.attempt > 1 and pending.HasField("last_failure")
        ]
        if raw.HasField("pending_workflow_task") and raw.pending_workflow_task.attempt > 1:
            failure = "the worker does not get on with it; if that lasts, its log says why"
            retries.append(
                Retry(
                    what=description.workflow_type,
                    attempt=raw.pending_workflow_task.attempt,
                    failure=failure,
                )
            )
        return tuple(retries)


_CLOSING = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
}
