"""Watches a release: its history and its status.

The history is read by long polls, which add nothing to it. The status is queried when something
changed. Both workflows of a release are followed: the one that was started, and its ``Rollout``. A
watch continues over restarts of Temporal and of the worker. Without a worker only the history is
known, and the updates have ``worker_answers`` false.
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
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import Fault
from workflows.client.errors import ReleaseClientError, is_unavailable, translate_errors
from workflows.client.runs import Run, RunEnding, RunOutcome, read_ending, read_request
from workflows.client.timeline import TimelineEntry
from workflows.client.unbegun_release import read_pending
from workflows.client.watch_log import WatchLog
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.strategy import Steps
from workflows.run_chain import find_last_run, list_run_ids, read_next_run_id

_POLL_SECONDS: Final = 5.0
"""Between two reads of the pending activities: retries are not in the history."""

_POLLS_PER_QUERY: Final = 3
"""Polls without a change after which the status is queried anyway: is there a worker?"""

_RESPONSE_SECONDS: Final = 5.0
"""How long Temporal, or a worker, may take to answer before it counts as unavailable."""

_MOST_REFUSALS: Final = 3
"""Refusals of Temporal's in a row.

It refuses a long poll whose workflow task was repeated meanwhile: "versioned transition and
transition history don't match". A new poll succeeds.
"""

_MOST_RUNS: Final = 5
"""Runs of a release that lives for weeks which a watch begins with: the last ones."""

_GONE: Final = (
    "the release is gone from Temporal: its history has expired, or this is another Temporal"
)
_RECONNECT_SECONDS: Final = 1.0
"""Between two attempts to follow the history."""

_COALESCE_SECONDS: Final = 0.05
"""Events within this time make one update."""

_CLOSING_EVENTS: Final = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
}


@dataclass(frozen=True)
class Retry:
    """A retry: of what, its attempt, the last failure, and when it is due.

    ``is_waiting`` where nothing failed: AWS has not finished yet, and is polled again.
    """

    summary: str
    attempt: int
    failure: str
    is_waiting: bool = False
    next_at: datetime | None = None


@dataclass(frozen=True)
class WatchUpdate:
    """A release at one moment of a watch.

    ``entries`` is what happened since the last update. ``connected`` is whether Temporal answers,
    ``worker_answers`` whether a worker does. Only the last update has an ``ending``.
    """

    entries: tuple[TimelineEntry, ...] = ()
    status: ReleaseStatus | None = None
    strategy: Steps | None = None
    retries: tuple[Retry, ...] = ()
    connected: bool = True
    worker_answers: bool = True
    ending: RunEnding | None = None


class Watch:
    """Watches one release, from its beginning to its end."""

    def __init__(self, client: Client, handle: WorkflowHandle[Any, Any]) -> None:
        """Watch a run of ``Release`` or ``Rollback``, or of a ``Rollout`` alone."""
        self._client = client
        self._first = self._current = handle
        self._log = WatchLog(client.data_converter)
        self._events: list[tuple[WorkflowHandle[Any, Any], HistoryEvent]] = []
        self._changed = asyncio.Event()
        self._connected = True
        self._quiet_polls = 0

    async def read_updates(self) -> AsyncIterator[WatchUpdate]:
        """Yield an update as soon as something is known, then one for every change.

        Raises ``NoSuchRelease`` if Temporal has lost the release.
        """
        following = asyncio.create_task(self._follow_workflows())
        following.add_done_callback(lambda _: self._changed.set())
        update = WatchUpdate()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _POLL_SECONDS)
                await asyncio.sleep(_COALESCE_SECONDS)
                self._changed.clear()
                has_events, before = bool(self._events), update
                update = await self._read_events(update)
                if update != before:
                    yield update
                if update.ending:
                    return
                if following.done() and not self._events:
                    following.result()
                    return
                before = update = replace(update, entries=())
                update = await self._poll(update, has_events=has_events)
                if update != before:
                    yield update
        finally:
            following.cancel()
            await asyncio.wait([following])

    # --- history -----------------------------------------------------------------------------

    async def _follow_workflows(self) -> None:
        async for event in self._follow_runs(self._first):
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                child = event.child_workflow_execution_started_event_attributes.workflow_execution
                rollout = self._client.get_workflow_handle(child.workflow_id, run_id=child.run_id)
                async for _ in self._follow_runs(await self._find_begin(rollout)):
                    pass

    async def _find_begin(self, handle: WorkflowHandle[Any, Any]) -> WorkflowHandle[Any, Any]:
        """Find the run that a watch begins with: the first of those that are not long ago."""
        while True:
            try:
                last = await find_last_run(self._client, handle.id, handle.run_id or "")
                run_ids = await list_run_ids(self._client, handle.id, last.run_id, most=_MOST_RUNS)
            except RPCError as error:
                if not is_unavailable(error):
                    with translate_errors(_GONE):
                        raise
                self._set_connected(connected=False)
            else:
                return self._client.get_workflow_handle(handle.id, run_id=run_ids[0])
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _follow_runs(self, handle: WorkflowHandle[Any, Any]) -> AsyncIterator[HistoryEvent]:
        """Yield the events of a workflow, from this run on, over all runs that it continues in."""
        following: WorkflowHandle[Any, Any] | None = handle
        while following is not None:
            current, following = following, None
            async for event in self._follow_history(current):
                self._add_event(current, event)
                yield event
                if next_run_id := read_next_run_id(event):
                    following = self._client.get_workflow_handle(current.id, run_id=next_run_id)

    async def _follow_history(
        self, handle: WorkflowHandle[Any, Any]
    ) -> AsyncIterator[HistoryEvent]:
        """Yield every event of a run once and in order, over outages of Temporal."""
        last_id = refusals = 0
        while True:
            try:
                # The SDK cannot resume at an event: after an outage read from the beginning.
                async for event in handle.fetch_history_events(wait_new_event=True):
                    self._set_connected(connected=True)
                    refusals = 0
                    if event.event_id > last_id:
                        last_id = event.event_id
                        yield event
                        if event.event_type in _CLOSING_EVENTS:
                            return
            except RPCError as error:
                refusals += not is_unavailable(error)
                if error.status is RPCStatusCode.NOT_FOUND or refusals > _MOST_REFUSALS:
                    with translate_errors(_GONE):
                        raise
                self._set_connected(connected=False)
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _add_event(self, handle: WorkflowHandle[Any, Any], event: HistoryEvent) -> None:
        self._events.append((handle, event))
        self._changed.set()

    def _set_connected(self, *, connected: bool) -> None:
        if connected is not self._connected:
            self._connected = connected
            self._changed.set()

    async def _read_events(self, update: WatchUpdate) -> WatchUpdate:
        """Add what is in the events since the last update."""
        events, self._events = self._events, []
        entries: list[TimelineEntry] = []
        ending, strategy = update.ending, update.strategy
        for handle, event in events:
            self._current = handle
            if strategy is None and (
                request := await read_request(event, self._client.data_converter)
            ):
                strategy = request.strategy
            if entry := await self._log.read_entry(handle.id, event):
                entries.append(entry)
            found = await read_ending(event, self._client.data_converter)
            # A killed rollout is not the end: the workflow that started it puts the alias back.
            if found and not (found.outcome is RunOutcome.KILLED and handle.id != self._first.id):
                ending = ending or found
        return replace(
            update,
            entries=tuple(entries),
            status=(ending and ending.status) or update.status,
            strategy=strategy,
            retries=() if ending else update.retries,
            connected=self._connected,
            ending=ending,
        )

    # --- polls -------------------------------------------------------------------------------

    async def _poll(self, update: WatchUpdate, *, has_events: bool) -> WatchUpdate:
        """Add what is in no history: the pending retries, and the worker's status."""
        try:
            async with asyncio.timeout(_RESPONSE_SECONDS):
                description = await self._current.describe()
        except (RPCError, TimeoutError):
            self._connected = False
            return replace(update, connected=False)
        self._connected = True
        update = replace(update, connected=True, retries=await self._read_retries(description))
        is_due = has_events or not update.worker_answers
        self._quiet_polls = 0 if is_due else self._quiet_polls + 1
        if self._quiet_polls % _POLLS_PER_QUERY:
            return update
        return await self._query_status(update, description)

    async def _query_status(
        self, update: WatchUpdate, description: WorkflowExecutionDescription
    ) -> WatchUpdate:
        try:
            async with asyncio.timeout(_RESPONSE_SECONDS):
                status = await self._current.query("status", result_type=ReleaseStatus)
        except WorkflowQueryFailedError:  # a worker answers, but the workflow has no status yet
            is_outdated = update.status and update.status.phase is Phase.WAITING_FOR_WORKER
            status = None if is_outdated else update.status
            return replace(update, worker_answers=True, status=status)
        except (RPCError, TimeoutError):
            status = update.status or await self._read_listed_status(description)
            return replace(update, worker_answers=False, status=status)
        return replace(update, worker_answers=True, status=status)

    async def _read_listed_status(
        self, description: WorkflowExecutionDescription
    ) -> ReleaseStatus | None:
        """Read the status of a release whose worker does not answer, or that waits for one."""
        if description.workflow_type == "Rollout":
            return Run.from_execution(description).status
        with contextlib.suppress(ReleaseClientError):  # the next poll reads it
            if pending := await read_pending(self._client, description):
                return await pending.read_status(self._client)
        return None

    async def _read_retries(self, description: WorkflowExecutionDescription) -> tuple[Retry, ...]:
        raw = description.raw_description
        retries = [
            Retry(
                summary=self._log.timeline.describe_activity(
                    self._current.id, pending.activity_id, pending.activity_type.name
                ),
                attempt=pending.attempt,
                failure=await self._log.timeline.describe_failure(pending.last_failure),
                is_waiting=pending.last_failure.application_failure_info.type == Fault.NOT_READY,
                next_at=pending.scheduled_time.ToDatetime(tzinfo=UTC)
                if pending.HasField("scheduled_time")
                else None,
            )
            for pending in raw.pending_activities
            if pending.attempt > 1 and pending.HasField("last_failure")
        ]
        if raw.HasField("pending_workflow_task") and raw.pending_workflow_task.attempt > 1:
            retries.append(
                Retry(
                    summary=description.workflow_type,
                    attempt=raw.pending_workflow_task.attempt,
                    failure="the worker makes no progress; if that lasts, its log has the reason",
                )
            )
        return tuple(retries)
