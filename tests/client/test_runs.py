"""Runs of releases: their status, their endings, and lists of them."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from tests.client.releases import (
    HERE,
    NUMBERS,
    create_unserved_rollout,
    make_request,
    start_waiting_release,
)
from tests.client.watcher import list_texts, watch_to_end
from tests.fake_lambda import FakeLambda
from tests.harness import Harness
from workflows.client import ReleaseClient
from workflows.client.errors import NoWorker
from workflows.client.runs import RunOutcome


async def test_status_is_that_of_the_rollout_for_every_name_of_it(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await start_waiting_release(releases, harness)
    for target in (harness.function, name, harness.rollout_id):
        status = await releases.status(target)
        assert (status.phase, status.routing.percent, status.candidate) == (
            "awaiting_approval",
            10,
            "3",
        )


async def test_status_of_an_ended_release_needs_no_worker(
    releases: ReleaseClient, temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    queue, function = f"ended-{next(NUMBERS)}", f"ended-{next(NUMBERS)}"
    harness = Harness(temporal, temporal.client, aws, queue, function)
    aws.create(function, "one", "two")
    async with Worker(releases.temporal, task_queue=queue, activities=list_operations(aws)):
        await (await releases.start(make_request(harness), task_queue=queue)).result()
    status = await releases.status(function)
    assert (status.phase, status.candidate, status.note) == (
        "succeeded",
        "3",
        "All traffic is on version 3",
    )


async def test_status_of_a_release_without_a_rollout_has_the_reason(
    releases: ReleaseClient, harness: Harness
) -> None:
    await start_waiting_release(releases, harness)
    second = await releases.start(make_request(harness), task_queue=harness.queue)
    assert [
        update.ending.outcome for update in await watch_to_end(releases, second.id) if update.ending
    ] == [RunOutcome.REJECTED]
    status = await releases.status(second.id)
    assert status.phase == "rejected"
    assert "is being released already" in status.note


@pytest.mark.usefixtures("short_timeouts")
async def test_status_without_a_worker_is_an_error_and_the_run_is_described(
    releases: ReleaseClient,
) -> None:
    rollout_id = f"{HERE}:found-{next(NUMBERS)}:live"
    await create_unserved_rollout(releases, rollout_id)
    with pytest.raises(NoWorker, match="no worker answers"):
        await releases.status(rollout_id)
    run = await releases.describe(rollout_id)
    assert (run.is_running, run.status.phase, run.location) == (
        True,
        "preparing",
        "111111111111/eu-central-1",
    )


async def test_running_releases_are_listed(releases: ReleaseClient, harness: Harness) -> None:
    await start_waiting_release(releases, harness)
    [run] = [run for run in await releases.running() if run.id == harness.rollout_id]
    assert (str(run.status.target), run.requested_by, run.status.phase) == (
        f"{harness.function}:live",
        "ana",
        "awaiting_approval",
    )


async def test_history_of_an_alias_lists_each_release_with_its_ending(
    releases: ReleaseClient, harness: Harness
) -> None:
    await (await releases.start(make_request(harness, "three"), task_queue=harness.queue)).result()
    aborted = await start_waiting_release(releases, harness, package="four", requested_by="ben")
    await releases.abort(aborted, by="ben", reason="wrong build")
    await watch_to_end(releases, aborted)
    last, first = await releases.history(harness.function)
    assert (first.requested_by, first.ending and first.ending.outcome, first.status.candidate) == (
        "ana",
        RunOutcome.SUCCEEDED,
        "3",
    )
    assert (last.requested_by, last.ending and last.ending.outcome, last.status.candidate) == (
        "ben",
        RunOutcome.ROLLED_BACK,
        "4",
    )
    assert last.ending is not None
    assert "aborted by ben: wrong build" in last.ending.note
    assert last.words == f"s3://artifacts/four.zip → {harness.function}:live (10%, approval, 100%)"
    assert len(await releases.history(harness.function, limit=1)) == 1


async def test_killed_rollout_ends_as_the_release_that_rolls_it_back(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await start_waiting_release(releases, harness)
    task = asyncio.create_task(watch_to_end(releases, name))
    await harness.rollout.terminate(reason="by mistake")
    ending = (await task)[-1].ending
    assert ending is not None
    assert ending.outcome is RunOutcome.ROLLED_BACK
    assert "the rollout was terminated" in ending.note
    assert (await releases.status(harness.function)).phase == "rolled_back"
    assert [run.ending for run in await releases.history(harness.function)] == [ending]
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_cancelled_release_ends_rolled_back(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await start_waiting_release(releases, harness)
    await releases.temporal.get_workflow_handle(name).cancel()
    updates = await watch_to_end(releases, name)
    assert any(text.startswith("cancel") for text in list_texts(updates))
    ending = updates[-1].ending
    assert ending is not None
    assert ending.outcome is RunOutcome.ROLLED_BACK
    assert ending.note == "cancelled; all traffic is on version 2"
    assert ending.status is not None
    assert ending.status.candidate == "3"


async def test_release_whose_alias_another_writer_moved_ends_not_rolled_back(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await start_waiting_release(releases, harness)
    harness.move_alias("1")
    await releases.abort(name, by="ana")
    ending = (await watch_to_end(releases, name))[-1].ending
    assert ending is not None
    assert ending.outcome is RunOutcome.NOT_ROLLED_BACK
