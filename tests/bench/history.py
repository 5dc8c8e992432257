"""What a release leaves in Temporal: events, bytes and billed actions.

Each of these counts as one action: the start of a workflow or a child, an attempt of an activity, a
timer, a signal, an update, an upsert of search attributes, an upsert of the memo. A query and a
heartbeat that reaches the server count as well, but this pipeline has none: an activity sends its
first heartbeat after five seconds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowHistory

_ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "starts",
    EventType.EVENT_TYPE_TIMER_STARTED: "timers",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signals",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "updates",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: "memos",
}


@dataclass(frozen=True)
class HistoryUsage:
    """The history of one or several workflows, in numbers."""

    events: int
    size: int
    actions: Counter[str]
    tasks: int
    """Workflow tasks."""

    def __add__(self, other: HistoryUsage) -> HistoryUsage:
        return HistoryUsage(
            self.events + other.events,
            self.size + other.size,
            self.actions + other.actions,
            self.tasks + other.tasks,
        )


async def read_usage(*handles: WorkflowHandle[object, object]) -> HistoryUsage:
    """Read the histories of these workflows and sum them."""
    total = HistoryUsage(0, 0, Counter(), 0)
    for handle in handles:
        total += count_usage(await handle.fetch_history())
    return total


def count_usage(history: WorkflowHistory) -> HistoryUsage:
    """Count the events and actions of one history."""
    actions: Counter[str] = Counter()
    tasks = 0
    for event in history.events:
        tasks += event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            actions["activity attempts"] += event.activity_task_started_event_attributes.attempt
        elif event.event_type in _ACTIONS:
            actions[_ACTIONS[event.event_type]] += 1
    return HistoryUsage(
        len(history.events), sum(event.ByteSize() for event in history.events), actions, tasks
    )
