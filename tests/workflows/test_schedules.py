"""Releases at set times, on the real server and in real time: on good terms, once or often, and a broken one stops its schedule."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.client import Client, ScheduleActionStartWorkflow, ScheduleOverlapPolicy
from temporalio.testing import WorkflowEnvironment

from tests.harness import Harness
from workflows.client import ReleaseClient
from workflows.client.errors import BadRequest, NoSuchRelease, Refused
from workflows.client.schedule_times import ScheduleTimes
from workflows.client.schedules import ScheduleStatus
from workflows.request import ReleaseRequest
from workflows.temporal.plugin import LambdaReleases

NIGHTLY = ScheduleTimes(cron=("30 2 * * *",))
EACH_SECOND = ScheduleTimes(cron=("* * * * * * *",))

_numbers = itertools.count(1)


@pytest.fixture
async def releases(temporal: WorkflowEnvironment) -> ReleaseClient:
    """A client as programs have it: nothing skips time for it."""
    return ReleaseClient(
        await Client.connect(
            temporal.client.service_client.config.target_host, plugins=[LambdaReleases()]
        )
    )


@pytest.fixture
async def name(releases: ReleaseClient) -> AsyncIterator[str]:
    """The id of a schedule, which is gone after the test."""
    name = f"schedule-{next(_numbers)}"
    yield name
    with contextlib.suppress(NoSuchRelease):
        await releases.schedules.delete(name)


def request(harness: Harness, **keys: Any) -> ReleaseRequest:
    keys = {
        "artifact": {"kind": "version", "version": "1"},
        "strategy": "AllAtOnce",
        "requested_by": "ana",
        **keys,
    }
    return ReleaseRequest.model_validate({"target": {"function": harness.function}, **keys})


async def shown(
    releases: ReleaseClient,
    name: str,
    wanted: Callable[[ScheduleStatus], object] = bool,
    *,
    patience: float = 20,
) -> ScheduleStatus:
    """A schedule as it is listed, once it is as wanted."""
    found: list[ScheduleStatus] = []
    try:
        async with asyncio.timeout(patience):
            while True:
                found = [
                    schedule for schedule in await releases.schedules.list() if schedule.id == name
                ]
                if found and wanted(found[0]):
                    return found[0]
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not as wanted: {found}") from None


# --- times ---------------------------------------------------------------------------------------------------------------------


def test_a_calendar_is_what_temporals_own_command_line_takes() -> None:
    times = ScheduleTimes.model_validate(
        {"calendars": [{"dayOfWeek": "Mon-Fri", "hour": "9", "minute": 30}]}
    )
    assert times.spec.cron_expressions == ["0 30 9 * * Mon-Fri *"]


def test_one_time_is_in_the_named_zone_unless_it_says_otherwise() -> None:
    there = ScheduleTimes.model_validate({"at": "2026-12-01T17:00", "time_zone": "Europe/Berlin"})
    assert there.once_at == datetime(2026, 12, 1, 16, tzinfo=UTC)
    assert there.spec.cron_expressions == ["00 00 16 01 12 * 2026"]
    assert ScheduleTimes.model_validate({"at": "2026-12-01T17:00"}).once_at == datetime(
        2026, 12, 1, 17, tzinfo=UTC
    )
    offset = ScheduleTimes.model_validate({"at": "2026-12-01T17:00-05:00", "time_zone": "Europe/Berlin"})
    assert offset.once_at == datetime(2026, 12, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"cron": ["* * * * *"], "at": "2026-12-01T17:00"},
        {"cron": ["* * * * *"], "time_zone": "Mars/Phobos"},
        {"cron": ["* * * * *"], "jitter": "5"},
        {"calendars": [{"hours": "9"}]},
        {"at": "tomorrow"},
    ],
)
def test_times_that_mean_nothing_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ScheduleTimes.model_validate(bad)


# --- creating ------------------------------------------------------------------------------------------------------------------


async def test_a_schedule_is_made_on_good_terms(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    times = ScheduleTimes.model_validate(
        {"cron": ["30 9 * * MON-FRI"], "time_zone": "Europe/Berlin", "jitter": "5m"}
    )
    await releases.schedules.create(
        name, request(harness, reason="weekdays"), times, task_queue=harness.queue
    )
    made = (await releases.temporal.get_schedule_handle(name).describe()).schedule
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
    listed = await shown(releases, name)
    assert (listed.target, listed.what) == (
        f"{harness.function}:live",
        f"version 1 → {harness.function}:live (100%)",
    )
    assert len(listed.next_at) > 1
    assert not listed.paused


async def test_a_second_schedule_of_the_same_id_is_refused(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    await releases.schedules.create(name, request(harness), NIGHTLY, task_queue=harness.queue)
    with pytest.raises(Refused, match="already"):
        await releases.schedules.create(name, request(harness), NIGHTLY, task_queue=harness.queue)


async def test_times_that_temporal_cannot_read_are_refused_in_its_words(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    with pytest.raises(Refused, match="CronString"):
        await releases.schedules.create(
            name, request(harness), ScheduleTimes(cron=("nonsense",)), task_queue=harness.queue
        )


async def test_a_time_that_is_past_is_refused(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    past = ScheduleTimes(at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(BadRequest, match="is past"):
        await releases.schedules.create(name, request(harness), past, task_queue=harness.queue)


# --- running -------------------------------------------------------------------------------------------------------------------


async def test_a_release_at_one_time_starts_then_and_never_again(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    soon = ScheduleTimes(at=datetime.now(UTC) + timedelta(seconds=2))
    await releases.schedules.create(name, request(harness), soon, task_queue=harness.queue)
    over = await shown(releases, name, lambda schedule: schedule.last == "succeeded")
    assert over.last_id is not None
    assert over.last_id.startswith(f"release/{harness.function}:live/{name}-")
    assert over.next_at == ()
    assert harness.aws.routing(harness.function) == ("1", {})
    described = await releases.temporal.get_schedule_handle(name).describe()
    assert (described.info.num_actions, described.schedule.state.remaining_actions) == (1, 0)


async def test_a_broken_release_pauses_its_schedule_with_the_reason_as_its_note(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    broken = request(harness, artifact={"kind": "version", "version": "99"})
    await releases.schedules.create(name, broken, EACH_SECOND, task_queue=harness.queue)
    paused = await shown(releases, name, lambda schedule: schedule.paused)
    assert "artifact.version" in paused.note
    assert "99" in paused.note
    assert paused.last == "rejected"


async def test_a_release_that_is_under_way_is_not_overtaken_by_the_next(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    waits = request(
        harness, strategy={"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
    )
    await releases.schedules.create(name, waits, EACH_SECOND, task_queue=harness.queue)
    handle = releases.temporal.get_schedule_handle(name)
    async with asyncio.timeout(20):
        while True:
            info = (await handle.describe()).info
            if info.num_actions_skipped_overlap > 1:
                break
            await asyncio.sleep(0.1)
    assert info.num_actions == 1
    assert (await shown(releases, name)).last == "running"
    await releases.schedules.delete(name)
    assert (await releases.promote(harness.function, by="ana")).note == "Promoted by ana"


async def test_what_is_latest_is_resolved_when_the_schedule_fires(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    await releases.schedules.create(
        name, request(harness, artifact={"kind": "latest"}), NIGHTLY, task_queue=harness.queue
    )
    harness.aws.overwrite(harness.function, "three")
    await releases.schedules.trigger(name)
    await shown(releases, name, lambda schedule: schedule.last == "succeeded")
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_a_paused_schedule_keeps_the_reason_until_it_is_resumed(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    await releases.schedules.create(name, request(harness), NIGHTLY, task_queue=harness.queue)
    await releases.schedules.pause(name, reason="freeze")
    assert (await shown(releases, name, lambda schedule: schedule.paused)).note == "freeze"
    await releases.schedules.resume(name, reason="thaw")
    assert (await shown(releases, name, lambda schedule: not schedule.paused)).note == "thaw"


async def test_a_schedule_that_there_is_not_is_said_so(releases: ReleaseClient) -> None:
    for attempt in (
        releases.schedules.pause("none", reason=""),
        releases.schedules.resume("none", reason=""),
        releases.schedules.trigger("none"),
        releases.schedules.delete("none"),
    ):
        with pytest.raises(NoSuchRelease, match="there is no schedule none"):
            await attempt


async def test_temporals_own_command_line_makes_such_schedules_as_well(
    releases: ReleaseClient, harness: Harness, name: str
) -> None:
    given = {
        "target": {"function": harness.function},
        "artifact": {"kind": "version", "version": "1"},
        "strategy": "AllAtOnce",
    }
    await _temporal(releases, "schedule", "create", "-s", name, "--cron", "30 2 * * *", "--type", "Release", "-w", name,
                    "--task-queue", harness.queue, "--input", json.dumps(given))  # fmt: skip
    await releases.schedules.trigger(name)
    listed = await shown(releases, name, lambda schedule: schedule.last == "succeeded")
    assert (listed.target, listed.what) == (
        f"{harness.function}:live",
        f"version 1 → {harness.function}:live (100%)",
    )
    assert harness.aws.routing(harness.function) == ("1", {})


async def _temporal(releases: ReleaseClient, *arguments: str) -> None:
    binary = Path(sys.executable).parent / "temporal"
    address = releases.temporal.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        binary,
        *arguments,
        "--address",
        address,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said
