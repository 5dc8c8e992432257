"""Schedules of releases, on the real server and in real time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import (
    ScheduleActionStartWorkflow,
    ScheduleOverlapPolicy,
    WorkflowFailureError,
)

from tests.harness import TEMPORAL_CLI, Harness
from workflows.client import ReleaseClient
from workflows.client.errors import BadRequest, NoSuchRelease, Refused
from workflows.client.runs import RunOutcome
from workflows.client.schedule_times import ScheduleTimes
from workflows.client.schedules import ScheduleStatus
from workflows.domain.target import Target
from workflows.request import ReleaseRequest

NIGHTLY = ScheduleTimes(cron=("30 2 * * *",))
EACH_SECOND = ScheduleTimes(cron=("* * * * * * *",))
_numbers = itertools.count(1)


@pytest.fixture
async def schedule_id(releases: ReleaseClient) -> AsyncIterator[str]:
    """The id of a schedule, which is gone after the test."""
    schedule_id = f"schedule-{next(_numbers)}"
    yield schedule_id
    with contextlib.suppress(NoSuchRelease):
        await releases.schedules.delete(schedule_id)


def make_request(harness: Harness, **keys: Any) -> ReleaseRequest:
    keys = {
        "artifact": {"kind": "version", "version": "1"},
        "strategy": "AllAtOnce",
        "requested_by": "ana",
        **keys,
    }
    return ReleaseRequest.model_validate({"target": {"function": harness.function}, **keys})


async def wait_for_schedule(
    releases: ReleaseClient,
    schedule_id: str,
    condition: Callable[[ScheduleStatus], object] = bool,
    *,
    seconds: float = 60,
) -> ScheduleStatus:
    """The status of a listed schedule, once it meets the condition."""
    found: list[ScheduleStatus] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = [
                    schedule
                    for schedule in await releases.schedules.list()
                    if schedule.id == schedule_id
                ]
                if found and condition(found[0]):
                    return found[0]
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not as expected: {found}") from None


async def test_schedule_is_created_with_safe_policies(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    times = ScheduleTimes.model_validate(
        {"cron": ["30 9 * * MON-FRI"], "time_zone": "Europe/Berlin", "jitter": "5m"}
    )
    await releases.schedules.create(
        schedule_id, make_request(harness, reason="weekdays"), times, task_queue=harness.queue
    )
    made = (await releases.temporal.get_schedule_handle(schedule_id).describe()).schedule
    assert made.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert made.policy.pause_on_failure
    assert made.policy.catchup_window == timedelta(minutes=10)
    assert (made.spec.time_zone_name, made.spec.jitter) == ("Europe/Berlin", timedelta(minutes=5))
    assert made.state.note == "weekdays"
    assert isinstance(made.action, ScheduleActionStartWorkflow)
    assert (made.action.workflow, made.action.task_queue) == ("Release", harness.queue)
    assert json.loads(made.action.args[0].data)["target"] == {
        "function": harness.function,
        "alias": "live",
    }
    listed = await wait_for_schedule(releases, schedule_id)
    assert (listed.target, listed.what) == (
        f"{harness.function}:live",
        f"version 1 → {harness.function}:live (100%)",
    )
    assert len(listed.next_at) > 1
    assert not listed.paused


async def test_new_schedule_has_an_outlook_of_three_times(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    daily = ScheduleTimes.model_validate({"cron": ["30 2 * * *"], "time_zone": "Europe/Berlin"})
    outlook = await releases.schedules.create(
        schedule_id, make_request(harness), daily, task_queue=harness.queue
    )
    local = [time.astimezone(daily.zone) for time in outlook.next_at]
    assert [(time.hour, time.minute) for time in local] == [(2, 30)] * 3
    [gap, twice] = sorted(outlook.warnings, key=lambda text: "twice" in text)
    assert "02:30 does not exist in Europe/Berlin" in gap
    assert "02:30 comes twice in Europe/Berlin" in twice


@pytest.mark.parametrize(
    ("at", "problem"),
    [("2099-03-29T02:30", "does not exist"), ("2099-10-25T02:30", "comes twice")],
)
async def test_single_time_in_the_hour_of_a_clock_change_is_warned_of(
    releases: ReleaseClient, harness: Harness, schedule_id: str, at: str, problem: str
) -> None:
    once = ScheduleTimes.model_validate({"at": at, "time_zone": "Europe/Berlin"})
    outlook = await releases.schedules.create(
        schedule_id, make_request(harness), once, task_queue=harness.queue
    )
    [warning] = outlook.warnings
    assert outlook.next_at == (once.once_at,)
    assert f"02:30 {problem} in Europe/Berlin" in warning


@pytest.mark.parametrize(
    "times", [{"cron": ["0 0 30 2 *"]}, {"calendars": [{"month": "2", "dayOfMonth": "31"}]}]
)
async def test_schedule_that_never_starts_is_warned_of(
    releases: ReleaseClient, harness: Harness, schedule_id: str, times: dict[str, Any]
) -> None:
    outlook = await releases.schedules.create(
        schedule_id,
        make_request(harness),
        ScheduleTimes.model_validate(times),
        task_queue=harness.queue,
    )
    assert not outlook.next_at
    [warning] = outlook.warnings
    assert warning.startswith("it never starts: no day has the time")
    assert warning.endswith(f"releases schedule delete {schedule_id}")


async def test_second_schedule_of_an_id_is_refused(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    await releases.schedules.create(
        schedule_id, make_request(harness), NIGHTLY, task_queue=harness.queue
    )
    with pytest.raises(Refused, match="already"):
        await releases.schedules.create(
            schedule_id, make_request(harness), NIGHTLY, task_queue=harness.queue
        )


async def test_times_that_temporal_cannot_read_are_a_bad_request(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    with pytest.raises(BadRequest, match=r"cron: Temporal cannot read nonsense: .*CronString"):
        await releases.schedules.create(
            schedule_id,
            make_request(harness),
            ScheduleTimes(cron=("nonsense",)),
            task_queue=harness.queue,
        )


async def test_time_that_is_past_is_a_bad_request(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    past = ScheduleTimes(at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(BadRequest, match="is past"):
        await releases.schedules.create(
            schedule_id, make_request(harness), past, task_queue=harness.queue
        )


async def test_release_at_a_single_time_starts_once(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    soon = ScheduleTimes(at=datetime.now(UTC) + timedelta(seconds=2))
    await releases.schedules.create(
        schedule_id, make_request(harness), soon, task_queue=harness.queue
    )
    ended = await wait_for_schedule(
        releases, schedule_id, lambda schedule: schedule.last == "succeeded"
    )
    assert ended.last_id is not None
    assert ended.last_id.startswith(f"release:{harness.function}:live:{schedule_id}-")
    assert ended.next_at == ()
    assert harness.aws.routing(harness.function) == ("1", {})
    described = await releases.temporal.get_schedule_handle(schedule_id).describe()
    assert (described.info.num_actions, described.schedule.state.remaining_actions) == (1, 0)


async def test_failed_release_pauses_its_schedule_with_the_reason_as_note(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    broken = make_request(harness, artifact={"kind": "version", "version": "99"})
    await releases.schedules.create(schedule_id, broken, EACH_SECOND, task_queue=harness.queue)
    paused = await wait_for_schedule(releases, schedule_id, lambda schedule: schedule.paused)
    assert "artifact.version" in paused.note
    assert "99" in paused.note
    assert paused.last == "rejected"


HELD = {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
"""A strategy that waits for a person."""


async def test_schedule_that_meets_a_release_started_by_hand_skips_it(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    held = make_request(harness, strategy=HELD)
    by_hand = await releases.start(held, task_queue=harness.queue)
    await harness.wait_for_phase("awaiting_approval")
    await releases.schedules.create(
        schedule_id, make_request(harness), EACH_SECOND, task_queue=harness.queue
    )
    skipped = await wait_for_schedule(
        releases, schedule_id, lambda schedule: schedule.last == "skipped"
    )
    handle = releases.temporal.get_schedule_handle(schedule_id)
    count = (await handle.describe()).info.num_actions
    async with asyncio.timeout(60):
        while (info := (await handle.describe()).info).num_actions < count + 2:
            await asyncio.sleep(0.1)
    assert info.num_actions_skipped_overlap == 0
    listed = await wait_for_schedule(releases, schedule_id)
    assert (listed.paused, listed.note) == (False, "")
    await releases.schedules.delete(schedule_id)
    assert skipped.last_id is not None
    ended = await releases.status(skipped.last_id)
    assert ended.phase == "rejected"
    assert ended.note.startswith(f"Skipped: {harness.function}:live is being released already")
    explained = await releases.explain(skipped.last_id)
    assert explained.ending is not None
    assert explained.ending.outcome is RunOutcome.REJECTED
    await releases.abort(harness.function, by="ana")
    with pytest.raises(WorkflowFailureError, match="failed"):
        await by_hand.result()


async def test_schedule_that_finds_latest_in_use_skips_it(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    held = make_request(harness, artifact=harness.package("three"), strategy=HELD)
    await releases.start(held, task_queue=harness.queue)
    await harness.wait_for_phase("awaiting_approval")
    beta = make_request(harness, artifact={"kind": "latest"}).model_copy(
        update={"target": Target(function=harness.function, alias="beta")}
    )
    await releases.schedules.create(schedule_id, beta, EACH_SECOND, task_queue=harness.queue)
    skipped = await wait_for_schedule(
        releases, schedule_id, lambda schedule: schedule.last == "skipped"
    )
    assert not skipped.paused
    await releases.schedules.delete(schedule_id)
    assert skipped.last_id is not None
    assert "another release uses it" in (await releases.status(skipped.last_id)).note
    await releases.abort(harness.function, by="ana")


async def test_running_release_is_not_overlapped_by_the_next(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    waits = make_request(harness, strategy=HELD)
    await releases.schedules.create(schedule_id, waits, EACH_SECOND, task_queue=harness.queue)
    handle = releases.temporal.get_schedule_handle(schedule_id)
    async with asyncio.timeout(60):
        while True:
            info = (await handle.describe()).info
            if info.num_actions_skipped_overlap > 1:
                break
            await asyncio.sleep(0.1)
    assert info.num_actions == 1
    assert (await wait_for_schedule(releases, schedule_id)).last == "running"
    await releases.schedules.delete(schedule_id)
    assert (await releases.promote(harness.function, by="ana")).note == "Promoted by ana"


async def test_latest_artifact_is_resolved_when_the_schedule_fires(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    await releases.schedules.create(
        schedule_id,
        make_request(harness, artifact={"kind": "latest"}),
        NIGHTLY,
        task_queue=harness.queue,
    )
    harness.aws.overwrite(harness.function, "three")
    await releases.schedules.trigger(schedule_id)
    await wait_for_schedule(releases, schedule_id, lambda schedule: schedule.last == "succeeded")
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_paused_schedule_keeps_the_reason_until_it_is_resumed(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    await releases.schedules.create(
        schedule_id, make_request(harness), NIGHTLY, task_queue=harness.queue
    )
    await releases.schedules.pause(schedule_id, reason="freeze")
    assert (
        await wait_for_schedule(releases, schedule_id, lambda schedule: schedule.paused)
    ).note == "freeze"
    await releases.schedules.resume(schedule_id, reason="thaw")
    assert (
        await wait_for_schedule(releases, schedule_id, lambda schedule: not schedule.paused)
    ).note == "thaw"


async def test_missing_schedule_is_reported_by_every_method(releases: ReleaseClient) -> None:
    for attempt in (
        releases.schedules.pause("none", reason=""),
        releases.schedules.resume("none", reason=""),
        releases.schedules.trigger("none"),
        releases.schedules.delete("none"),
    ):
        with pytest.raises(NoSuchRelease, match="there is no schedule none"):
            await attempt


async def test_schedule_may_be_made_by_temporals_own_command_line(
    releases: ReleaseClient, harness: Harness, schedule_id: str
) -> None:
    given = {
        "target": {"function": harness.function},
        "artifact": {"kind": "version", "version": "1"},
        "strategy": "AllAtOnce",
    }
    options = {
        "--schedule-id": schedule_id,
        "--cron": "30 2 * * *",
        "--type": "Release",
        "--workflow-id": schedule_id,
        "--task-queue": harness.queue,
        "--input": json.dumps(given),
    }
    flags = [part for option in options.items() for part in option]
    await _run_temporal(releases, "schedule", "create", *flags)
    await releases.schedules.trigger(schedule_id)
    listed = await wait_for_schedule(
        releases, schedule_id, lambda schedule: schedule.last == "succeeded"
    )
    assert (listed.target, listed.what) == (
        f"{harness.function}:live",
        f"version 1 → {harness.function}:live (100%)",
    )
    assert harness.aws.routing(harness.function) == ("1", {})


async def _run_temporal(releases: ReleaseClient, *arguments: str) -> None:
    address = releases.temporal.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        TEMPORAL_CLI,
        *arguments,
        "--address",
        address,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 0, stderr
