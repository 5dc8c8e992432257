"""The timeline: one line of text for each event of a history."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.converter import DataConverter

from workflows.client.timeline import Timeline, TimelineEntry

WORKFLOW_ID = "lambda:1:eu-west-1:checkout:live"
AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(DataConverter.default)


def encode(value: object) -> Payload:
    [payload] = DataConverter.default.payload_converter.to_payloads([value])
    return payload


def make_event(number: int, *, summary: str = "", **attributes: object) -> HistoryEvent:
    event = HistoryEvent(event_id=number, **attributes)
    event.event_time.FromDatetime(AT)
    if summary:
        event.user_metadata.CopyFrom(UserMetadata(summary=encode(summary)))
    return event


def schedule_activity(number: int, name: str, summary: str = "") -> HistoryEvent:
    attributes = {"activity_id": str(number), "activity_type": {"name": name}}
    return make_event(number, summary=summary, activity_task_scheduled_event_attributes=attributes)


def fail_activity(number: int, started: int, message: str, fault: str) -> HistoryEvent:
    info = ApplicationFailureInfo(type=fault)
    failure = Failure(message=message, application_failure_info=info)
    attributes = {"scheduled_event_id": started, "failure": failure}
    return make_event(number, activity_task_failed_event_attributes=attributes)


async def read(timeline: Timeline, *events: HistoryEvent) -> list[tuple[str, str]]:
    entries = [await timeline.read_entry(WORKFLOW_ID, event) for event in events]
    return [(entry.kind, entry.text) for entry in entries if entry]


async def test_activity_is_described_by_its_summary(timeline: Timeline) -> None:
    end = make_event(2, activity_task_completed_event_attributes={"scheduled_event_id": 1})
    entry = await timeline.read_entry(
        WORKFLOW_ID, schedule_activity(1, "publish_version", "Publish a version")
    )
    assert entry == TimelineEntry(AT, "start", "Publish a version")
    assert await read(timeline, end) == [("done", "Publish a version")]
    assert timeline.describe_activity(WORKFLOW_ID, "1", "publish_version") == "Publish a version"


async def test_activity_without_a_summary_is_described_by_its_type(timeline: Timeline) -> None:
    assert await read(timeline, schedule_activity(1, "get_function")) == [("start", "get_function")]
    assert timeline.describe_activity(WORKFLOW_ID, "7", "get_alias") == "get_alias"


async def test_activity_that_failed_has_the_first_line_of_the_message(timeline: Timeline) -> None:
    events = (
        schedule_activity(1, "invoke", "Ask smoke"),
        fail_activity(2, 1, "AccessDenied\nat line 1", "Denied"),
    )
    assert (await read(timeline, *events))[1:] == [("failed", "Ask smoke: AccessDenied")]


@pytest.mark.parametrize(
    ("activity", "kind"), [("get_alias", "absent"), ("get_function", "failed")]
)
async def test_thing_that_does_not_exist_is_not_done(
    timeline: Timeline, activity: str, kind: str
) -> None:
    events = (
        schedule_activity(1, activity, "Read it"),
        fail_activity(2, 1, "no such thing", "NotFound"),
    )
    assert (await read(timeline, *events))[1:] == [(kind, "Read it: there is none")]


async def test_activity_that_timed_out_has_failed(timeline: Timeline) -> None:
    end = make_event(2, activity_task_timed_out_event_attributes={"scheduled_event_id": 1})
    entries = await read(timeline, schedule_activity(1, "invoke", "Ask smoke"), end)
    assert entries[1:] == [("failed", "Ask smoke: no answer in time")]


async def test_metric_reads_are_measurements(timeline: Timeline) -> None:
    end = make_event(2, activity_task_completed_event_attributes={"scheduled_event_id": 1})
    entries = await read(timeline, schedule_activity(1, "get_metrics", "Measure"), end)
    assert entries == [("measurement", "Measure")] * 2


async def test_timer_is_described_by_its_summary(timeline: Timeline) -> None:
    start = make_event(1, summary="Bake at 10%", timer_started_event_attributes={})
    end = make_event(2, timer_fired_event_attributes={"started_event_id": 1})
    assert await read(timeline, start, end) == [("start", "Bake at 10%"), ("done", "Bake at 10%")]


async def test_request_of_a_release_and_its_rollout_is_one_line(timeline: Timeline) -> None:
    start = make_event(1, summary="7 → checkout", workflow_execution_started_event_attributes={})
    assert await read(timeline, start, start) == [("request", "7 → checkout")]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"by": "ana", "reason": "p99"}, "pause by ana: p99"),
        ({"by": "ana", "note": "fine"}, "pause by ana: fine"),
        ({"by": "ana"}, "pause by ana"),
        ("nonsense", "pause"),
    ],
)
async def test_control_has_its_sender_and_reason(
    timeline: Timeline, request_: object, text: str
) -> None:
    update = {"name": "pause", "args": Payloads(payloads=[encode(request_)])}
    event = make_event(
        1,
        workflow_execution_update_accepted_event_attributes={"accepted_request": {"input": update}},
    )
    assert await read(timeline, event) == [("control", text)]


async def test_cancellation_has_its_cause(timeline: Timeline) -> None:
    event = make_event(
        1, workflow_execution_cancel_requested_event_attributes={"cause": "an accident"}
    )
    assert await read(timeline, event) == [("control", "cancel: an accident")]


async def test_event_about_temporal_only_has_no_line(timeline: Timeline) -> None:
    event = make_event(1, workflow_task_scheduled_event_attributes={})
    assert await timeline.read_entry(WORKFLOW_ID, event) is None
