"""The runs of one release, which continues in a new run where its history has become long.

Each run names the one before it in its first event, and the one after it in its last. A reset ends
such a chain: the run that was reset is its last one. Temporal deletes the first runs of a release
that lives longer than the namespace retains them; the last one is always there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHistoryEventFilterType,
)
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from workflows.domain.rollout_id import spell_rollout_id

STARTED_MEMO: Final = "started"
"""The memo in which a run that continues another one has the time when the first one started."""

LAST_RUNS: Final = "ExecutionStatus != 'ContinuedAsNew'"
"""The condition of a visibility query that finds each release once, in its last run."""

_MOST_LISTED: Final = 20


def runs_of(rollout_id: str) -> str:
    """The condition of a visibility query that finds all runs of an alias, by its rollout id."""
    ids = ", ".join(f"'{spelling}'" for spelling in spell_rollout_id(rollout_id))
    return f"WorkflowId IN ({ids})"


async def find_running(client: Client, rollout_id: str) -> WorkflowExecutionDescription | None:
    """Return the rollout that runs under an id at the moment; None where there is none."""
    try:
        found = await client.get_workflow_handle(rollout_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return found if found.status is WorkflowExecutionStatus.RUNNING else None


def still_running(message: str) -> ApplicationError:
    """The end of an attempt that waits for a run: Temporal polls again, and adds no events."""
    category = ApplicationErrorCategory.BENIGN
    return ApplicationError(message, type="NotReady", category=category)


def read_first_run_id(found: WorkflowExecutionDescription) -> str:
    """Return the id of the first run of a release, by any of its runs."""
    return found.raw_description.workflow_execution_info.first_run_id


def read_next_run_id(event: HistoryEvent) -> str:
    """Return the id of the run that follows, by the last event of a run; else nothing."""
    return event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id


async def read_start(execution: WorkflowExecution) -> datetime:
    """Return when a release started, by any of its runs, also as it is listed."""
    first: str | None = await execution.memo_value(STARTED_MEMO, None)
    return datetime.fromisoformat(first) if first else execution.start_time


async def find_last_run(
    client: Client, workflow_id: str, run_id: str
) -> WorkflowExecutionDescription:
    """Find the last run of the release that this run belongs to.

    Raises ``RPCError`` (``NOT_FOUND``) where Temporal has none of its runs any more. One that was
    deleted is recognised as the first run of those that are left.
    """
    try:
        found = await client.get_workflow_handle(workflow_id, run_id=run_id).describe()
    except RPCError as error:
        later = error.status is RPCStatusCode.NOT_FOUND and await _find_by_first_run(
            client, workflow_id, run_id
        )
        if not later:
            raise
        found = later
    while found.status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
        handle = client.get_workflow_handle(workflow_id, run_id=found.run_id)
        closing = handle.fetch_history_events(
            event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
        )
        next_run_id = read_next_run_id(await anext(aiter(closing)))
        found = await client.get_workflow_handle(workflow_id, run_id=next_run_id).describe()
    return found


async def _find_by_first_run(
    client: Client, workflow_id: str, first_run_id: str
) -> WorkflowExecutionDescription | None:
    if "'" in workflow_id:  # no id of a rollout
        return None
    query = f"WorkflowId = '{workflow_id}' AND {LAST_RUNS}"
    async for run in client.list_workflows(query, limit=_MOST_LISTED):
        try:
            found = await client.get_workflow_handle(run.id, run_id=run.run_id).describe()
        except RPCError as error:  # visibility may list what was deleted just now
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            continue
        if read_first_run_id(found) == first_run_id:
            return found
    return None


async def list_run_ids(
    client: Client, workflow_id: str, run_id: str, *, most: int | None = None
) -> list[str]:
    """List the runs of a release up to this one, the first that Temporal has first.

    ``most``: no more than so many, the last ones.
    """
    ids = [run_id]
    while most is None or len(ids) < most:
        try:
            before = await _read_previous_run_id(client, workflow_id, ids[0])
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or len(ids) == 1:
                raise
            return ids[1:]
        if not before:
            return ids
        ids.insert(0, before)
    return ids


async def _read_previous_run_id(client: Client, workflow_id: str, run_id: str) -> str:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    first = await anext(aiter(handle.fetch_history_events(page_size=1)))
    return first.workflow_execution_started_event_attributes.continued_execution_run_id


async def fetch_events(
    client: Client, workflow_id: str, run_id: str
) -> AsyncIterator[HistoryEvent]:
    """Yield the events of the runs of a release, up to this run, one run after the other."""
    for each in await list_run_ids(client, workflow_id, run_id):
        handle = client.get_workflow_handle(workflow_id, run_id=each)
        async for event in handle.fetch_history_events():
            yield event
