"""Reads what a release made of an invocation that failed, by what it did next."""

from __future__ import annotations

import json
from typing import Final

from temporalio.api.history.v1 import HistoryEvent

from activities.errors import Fault
from workflows import search_attributes
from workflows.client.facts import ActivityFailed, Fact, HookAnswered, InvocationLost, ProbeAnswered
from workflows.client.timeline import TimelineEntry
from workflows.domain.hook_answer import HookAnswer
from workflows.domain.status import Phase
from workflows.invocations import RETRY_MARK

_NEXT_TASK: Final = "workflow_task_scheduled_event_attributes"
_NOT_INVOKED: Final = "it could not be invoked"
_NOT_ANSWERED: Final = "it did not answer"


class FailedInvocation:
    """A hook or a probe that failed, until the history tells what came of it.

    It was sent again, where the next workflow task starts the timer of a retry. It may have run,
    where that asks a person. Anything else is an answer that speaks against the candidate.
    """

    def __init__(self, activity_type: str, fault: str, entry: TimelineEntry) -> None:
        self._activity_type = activity_type
        self._reason = _NOT_ANSWERED if fault == Fault.UNAVAILABLE else _NOT_INVOKED
        self._entry = entry
        self._has_task = False
        """Whether the workflow task is over that the failure has caused."""

    def settle(self, event: HistoryEvent, entry: TimelineEntry | None) -> Fact | None:
        """Take the next event of the history; return the fact once it is known."""
        kind = event.WhichOneof("attributes") or ""
        if not self._has_task:
            self._has_task = kind == "workflow_task_completed_event_attributes"
            return self.conclude() if _is_close(kind) else None
        at, text = self._entry.at, self._entry.text
        if kind == "timer_started_event_attributes" and entry and entry.text.endswith(RETRY_MARK):
            return ActivityFailed(at, f"{text}; it is sent again")
        if _asks_person(event):
            return InvocationLost(at, f"{text}; a person decides")
        return self.conclude() if kind == _NEXT_TASK or _is_close(kind) else None

    def conclude(self) -> Fact:
        """Return the fact where nothing says that the release has gone on."""
        at, text = self._entry.at, self._entry.text
        if self._activity_type == "invoke":
            return HookAnswered(at, text, HookAnswer(accept=False, reason=self._reason))
        return ProbeAnswered(at, text, self._reason)


def _asks_person(event: HistoryEvent) -> bool:
    """Whether the release waits for an approval from this event on, as its phase says."""
    attributes = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    phase = attributes.indexed_fields.get(search_attributes.PHASE.name)
    return phase is not None and json.loads(phase.data) == Phase.AWAITING_APPROVAL


def _is_close(kind: str) -> bool:
    """Whether a workflow ends with an event of this kind, or continues in another run."""
    ends = ("completed", "failed", "timed_out", "canceled", "terminated", "continued_as_new")
    return kind in {f"workflow_execution_{end}_event_attributes" for end in ends}
