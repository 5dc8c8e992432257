"""One line of text for each event of a release's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, cast

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter
from temporalio.exceptions import FailureError

from activities.errors import Fault

METRIC_ACTIVITIES: Final = {"get_metrics", "watch_metrics"}
"""The activities that read metrics from CloudWatch."""

_FIRST_OF_LATER_RUNS: Final = "read_reset_journal"
"""The activity that every run begins with which continues another one."""

_MAY_BE_ABSENT: Final = {"get_alias"}
"""Reads to which "there is none" is an answer: the first release of an alias."""

EntryKind = Literal["request", "start", "measurement", "done", "absent", "failed", "control"]
"""``measurement``: metrics are read, or were; the result is in the status of the release.
``absent``: it was read that there is none, which may be."""


@dataclass(frozen=True)
class TimelineEntry:
    """One line of a timeline."""

    at: datetime
    kind: EntryKind
    text: str


class Timeline:
    """Describes events by the summaries of their activities and timers.

    Takes the events of one release in their order, also of several workflows.
    """

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter
        self._started: dict[tuple[str, int], str] = {}
        """What was started, by workflow id and event id."""

        self._activities: dict[tuple[str, str], str] = {}
        """The same for activities, by workflow id and activity id."""

        self._measurements: set[tuple[str, int]] = set()
        self._may_be_absent: set[tuple[str, int]] = set()
        self._request = ""
        self._carried: dict[str, set[str]] = {}
        """What the run before had started and this one starts again, by workflow id."""

        self._unlisted: set[tuple[str, int]] = set()
        """Reads that every later run begins with, by workflow id and event id."""

    def describe_activity(self, workflow_id: str, activity_id: str, activity_type: str) -> str:
        """The summary that an activity was started with; else its type."""
        return self._activities.get((workflow_id, activity_id), activity_type)

    async def read_entry(self, workflow_id: str, event: HistoryEvent) -> TimelineEntry | None:
        """The line for an event; None for events that are about Temporal only."""
        if event.workflow_execution_started_event_attributes.continued_execution_run_id:
            self._begin_later_run(workflow_id)
        found = (
            await self._read_start(workflow_id, event)
            or await self._read_end(workflow_id, event)
            or await self._read_control(event)
        )
        if found is None or self._is_unlisted(workflow_id, event, *found):
            return None
        kind, text = found
        return TimelineEntry(event.event_time.ToDatetime(tzinfo=UTC), kind, text)

    async def describe_failure(self, failure: Failure) -> str:
        """The first line of a failure's message."""
        error = await self._converter.decode_failure(failure)
        text = error.message if isinstance(error, FailureError) else str(error)
        return text.splitlines()[0] if text else type(error).__name__

    def _begin_later_run(self, workflow_id: str) -> None:
        """Keep what the run before left open. Each run numbers its events from 1."""
        known = [key for key in self._started if key[0] == workflow_id]
        self._carried[workflow_id] = {self._started.pop(key) for key in known}
        for numbers in (self._measurements, self._may_be_absent, self._unlisted):
            numbers.difference_update([key for key in numbers if key[0] == workflow_id])

    def _is_unlisted(
        self, workflow_id: str, event: HistoryEvent, kind: EntryKind, text: str
    ) -> bool:
        """Whether an event only shows that a release goes on in a later run."""
        carried = self._carried.get(workflow_id)
        if carried is None:
            return False
        begun = event.activity_task_scheduled_event_attributes.activity_type.name
        if begun == _FIRST_OF_LATER_RUNS:
            self._unlisted.add((workflow_id, event.event_id))
            return True
        if kind == "start" and text in carried:
            carried.discard(text)
            return True
        done = event.activity_task_completed_event_attributes.scheduled_event_id
        return (workflow_id, done) in self._unlisted

    async def _read_start(
        self, workflow_id: str, event: HistoryEvent
    ) -> tuple[EntryKind, str] | None:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                request = await self._read_summary(event)
                if started.continued_execution_run_id:
                    # Temporal does not hand the summary to a run that continues another one.
                    request = request or self._request
                request = request or started.workflow_type.name
                # A Release and its Rollout have the same summary: one line is enough.
                repeated, self._request = request == self._request, request
                return None if repeated else ("request", request)
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                text = await self._read_summary(event) or scheduled.activity_type.name
                self._activities[workflow_id, scheduled.activity_id] = text
                if scheduled.activity_type.name in _MAY_BE_ABSENT:
                    self._may_be_absent.add((workflow_id, event.event_id))
                if scheduled.activity_type.name in METRIC_ACTIVITIES:
                    self._measurements.add((workflow_id, event.event_id))
                    self._started[workflow_id, event.event_id] = text
                    return "measurement", text
            case "timer_started_event_attributes":
                text = await self._read_summary(event) or "Wait"
            case _:
                return None
        self._started[workflow_id, event.event_id] = text
        return "start", text

    async def _read_end(
        self, workflow_id: str, event: HistoryEvent
    ) -> tuple[EntryKind, str] | None:
        match event.WhichOneof("attributes"):
            case "activity_task_completed_event_attributes":
                started_id = event.activity_task_completed_event_attributes.scheduled_event_id
                is_measurement = (workflow_id, started_id) in self._measurements
                kind: EntryKind = "measurement" if is_measurement else "done"
                return kind, self._describe_start(workflow_id, started_id)
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                may_be_absent = (workflow_id, failed.scheduled_event_id) in self._may_be_absent
                text = self._describe_start(workflow_id, failed.scheduled_event_id)
                if failed.failure.application_failure_info.type == Fault.NOT_FOUND:
                    return "absent" if may_be_absent else "failed", f"{text}: there is none"
                return "failed", f"{text}: {await self.describe_failure(failed.failure)}"
            case "activity_task_timed_out_event_attributes":
                timed_out = event.activity_task_timed_out_event_attributes
                text = self._describe_start(workflow_id, timed_out.scheduled_event_id)
                return "failed", f"{text}: no answer in time"
            case "timer_fired_event_attributes":
                started_id = event.timer_fired_event_attributes.started_event_id
                return "done", self._describe_start(workflow_id, started_id)
            case _:
                return None

    async def _read_control(self, event: HistoryEvent) -> tuple[EntryKind, str] | None:
        match event.WhichOneof("attributes"):
            case "workflow_execution_update_accepted_event_attributes":
                accepted = event.workflow_execution_update_accepted_event_attributes
                update = accepted.accepted_request.input
                values = await self._converter.decode(update.args.payloads[:1])
                return "control", _describe_control(update.name, values[0] if values else None)
            case "workflow_execution_cancel_requested_event_attributes":
                cause = event.workflow_execution_cancel_requested_event_attributes.cause
                return "control", "cancel" + (f": {cause}" if cause else "")
            case _:
                return None

    def _describe_start(self, workflow_id: str, event_id: int) -> str:
        return self._started.pop((workflow_id, event_id), "something")

    async def _read_summary(self, event: HistoryEvent) -> str:
        summary: Payload = event.user_metadata.summary
        return str((await self._converter.decode([summary], [str]))[0]) if summary.data else ""


def _describe_control(name: str, value: object) -> str:
    """A control in one line: ``pause by ana: p99``."""
    request = cast("Mapping[str, object]", value if isinstance(value, Mapping) else {})
    reason = request.get("reason") or request.get("note")
    by = f" by {request['by']}" if request.get("by") else ""
    return name + by + (f": {reason}" if reason else "")
