"""The log of a watch: the timeline of a release, with a mark at what spoke against the candidate.

To Temporal, an activity that has read a red alarm is done as any other. Here it is not.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter

from workflows.client.activity_facts import ActivityFactReader
from workflows.client.facts import AlarmsRead, Fact, HookAnswered, ProbeAnswered
from workflows.client.timeline import Timeline, TimelineEntry
from workflows.timer import APPROVAL_SUMMARY


class WatchLog:
    """Takes the events of one release in their order, also of several workflows."""

    def __init__(self, converter: DataConverter) -> None:
        """``converter`` is the one that the histories were written with."""
        self.timeline = Timeline(converter)
        self._facts: defaultdict[str, ActivityFactReader] = defaultdict(
            lambda: ActivityFactReader(converter)
        )

    async def read_entry(self, workflow_id: str, event: HistoryEvent) -> TimelineEntry | None:
        """The line for an event; None for events that are about Temporal only."""
        facts = self._facts[workflow_id]
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            facts.begin_run()
        entry = await self.timeline.read_entry(workflow_id, event)
        fact = await facts.read_fact(event, entry)
        if entry is None or entry.kind != "done":
            return entry
        problem = _find_problem(event, entry, fact)
        return replace(entry, kind="failed", text=f"{entry.text}: {problem}") if problem else entry


def _find_problem(event: HistoryEvent, entry: TimelineEntry, fact: Fact | None) -> str | None:
    """What speaks against the candidate in something that is done."""
    match fact:
        case AlarmsRead(reason=reason):
            return reason
        case HookAnswered(answer=answer):
            return None if answer.accept else f"refused: {answer.reason}"
        case ProbeAnswered(failure=failure):
            return failure
        case _:
            is_timer = event.event_type == EventType.EVENT_TYPE_TIMER_FIRED
            is_approval = is_timer and entry.text.startswith(APPROVAL_SUMMARY)
            return "nobody approved in time" if is_approval else None
