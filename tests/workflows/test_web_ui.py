"""What the Temporal UI shows: the lines of the timeline, and the page of a ``Release``."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType

from tests.harness import CANARY, Handle, Harness, read_ending


async def read_timeline(harness: Harness, handle: Handle) -> list[str]:
    """The summaries of a workflow's activities and timers, in their order."""
    return [
        str((await harness.client.data_converter.decode([event.user_metadata.summary]))[0])
        async for event in handle.fetch_history_events()
        if event.user_metadata.summary.data
        and event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    ]


async def test_put_back_names_the_alarm_that_caused_it(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await harness.begin_until("baking", **CANARY, guards={"alarms": ["errors"]})
    harness.aws.alarms["errors"] = "ALARM"
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    timeline = await read_timeline(harness, harness.rollout)
    cause = ": alarm errors went off: "
    back = [line.partition(cause)[0] for line in timeline if cause in line]
    alias = f"Put {harness.function}:live back on version 2"
    assert back == [alias, "Put code of $LATEST back as before"]


async def test_put_back_names_the_person_and_a_short_reason(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("abort", reason="wrong build " * 50)
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    timeline = await read_timeline(harness, harness.rollout)
    begin = f"Put {harness.function}:live back on version 2: aborted by ana: wrong build"
    (line,) = [each for each in timeline if each.startswith(begin)]
    assert len(line) == 200
    assert line.endswith("…")
