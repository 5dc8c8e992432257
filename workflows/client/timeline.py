"""The history of a release as a story: one line for each thing that began, was done, failed, or was said by somebody."""

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

Sign = Literal["asked", "begun", "measured", "done", "failed", "said"]
"""``measured``: CloudWatch is looked at, or was; what it told is in the status of the release."""


@dataclass(frozen=True)
class TimelineEntry:
    """One line of the story."""

    at: datetime
    sign: Sign
    text: str


class Timeline:
    """Tells events as moments, in the words of the summaries that the workflows gave their activities and timers."""

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter
        self._begun: dict[tuple[str, int], str] = {}
        self._activities: dict[tuple[str, str], str] = {}
        self._measuring: set[tuple[str, int]] = set()
        self._asked = ""

    def activity(self, workflow_id: str, activity_id: str, activity_type: str) -> str:
        """What an activity does, in the words that it was begun with; its type where nothing was told."""
        return self._activities.get((workflow_id, activity_id), activity_type)

    async def tell(self, workflow_id: str, event: HistoryEvent) -> TimelineEntry | None:
        """The line that an event is worth; None for what only Temporal cares about."""
        told = (
            await self._begin(workflow_id, event)
            or await self._end(workflow_id, event)
            or await self._say(event)
        )
        if told is None:
            return None
        sign, text = told
        return TimelineEntry(event.event_time.ToDatetime(tzinfo=UTC), sign, text)

    async def _begin(self, workflow_id: str, event: HistoryEvent) -> tuple[Sign, str] | None:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                asked = (
                    await self._summary(event)
                    or event.workflow_execution_started_event_attributes.workflow_type.name
                )
                again, self._asked = asked == self._asked, asked
                return None if again else ("asked", asked)
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                text = await self._summary(event) or scheduled.activity_type.name
                self._activities[workflow_id, scheduled.activity_id] = text
                if scheduled.activity_type.name in MEASURES:
                    self._measuring.add((workflow_id, event.event_id))
                    self._begun[workflow_id, event.event_id] = text
                    return "measured", text
            case "timer_started_event_attributes":
                text = await self._summary(event) or "Wait"
            case _:
                return None
        self._begun[workflow_id, event.event_id] = text
        return "begun", text

    async def _end(self, workflow_id: str, event: HistoryEvent) -> tuple[Sign, str] | None:
        match event.WhichOneof("attributes"):
            case "activity_task_completed_event_attributes":
                begun = event.activity_task_completed_event_attributes.scheduled_event_id
                return "measured" if (
                    workflow_id,
                    begun,
                ) in self._measuring else "done", self._words(workflow_id, begun)
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                words = self._words(workflow_id, failed.scheduled_event_id)
                if failed.failure.application_failure_info.type == Fault.NOT_FOUND:
                    return "done", f"{words}: there is none"
                return "failed", f"{words}: {await self.sentence(failed.failure)}"
            case "activity_task_timed_out_event_attributes":
                timed_out = event.activity_task_timed_out_event_attributes
                return (
                    "failed",
                    f"{self._words(workflow_id, timed_out.scheduled_event_id)}: no answer in time",
                )
            case "timer_fired_event_attributes":
                return "done", self._words(
                    workflow_id, event.timer_fired_event_attributes.started_event_id
                )
            case _:
                return None

    async def _say(self, event: HistoryEvent) -> tuple[Sign, str] | None:
        match event.WhichOneof("attributes"):
            case "workflow_execution_update_accepted_event_attributes":
                said = (
                    event.workflow_execution_update_accepted_event_attributes.accepted_request.input
                )
                given = await self._converter.decode(said.args.payloads[:1])
                return "said", _saying(said.name, given[0] if given else None)
            case "workflow_execution_cancel_requested_event_attributes":
                cause = event.workflow_execution_cancel_requested_event_attributes.cause
                return "said", "cancel" + (f": {cause}" if cause else "")
            case _:
                return None

    def _words(self, workflow_id: str, begun: int) -> str:
        return self._begun.get((workflow_id, begun), "something")

    async def _summary(self, event: HistoryEvent) -> str:
        summary: Payload = event.user_metadata.summary
        return str((await self._converter.decode([summary], [str]))[0]) if summary.data else ""

    async def sentence(self, failure: Failure) -> str:
        """A failure as one line, in the words of whoever failed."""
        error = await self._converter.decode_failure(failure)
        text = error.message if isinstance(error, FailureError) else str(error)
        return text.splitlines()[0] if text else type(error).__name__


MEASURES: Final = {"get_metrics", "watch_metrics"}
"""The activities that look at what CloudWatch measured."""


def _saying(name: str, given: object) -> str:
    """``pause by ana: p99``."""
    said = cast("Mapping[str, object]", given if isinstance(given, Mapping) else {})
    why = said.get("reason") or said.get("note")
    return name + (f" by {said['by']}" if said.get("by") else "") + (f": {why}" if why else "")
