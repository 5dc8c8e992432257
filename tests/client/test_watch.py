"""A watch: every event once, to the end, over restarts of both sides."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
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
from tests.client.watcher import Watcher, list_texts, watch_to_end
from tests.fake_lambda import FakeLambda
from tests.harness import TEMPORAL_CLI, Harness
from workflows import search_attributes
from workflows.client import ReleaseClient, watch
from workflows.client.runs import RunOutcome
from workflows.client.watch import Watch
from workflows.temporal.plugin import LambdaReleases


@pytest.fixture
async def server(tmp_path: Path, unused_port: int) -> AsyncIterator[Any]:
    """A Temporal server of the test's own, that can be stopped and started again."""

    @contextlib.asynccontextmanager
    async def run_server() -> AsyncIterator[WorkflowEnvironment]:
        env = await WorkflowEnvironment.start_local(
            ip="127.0.0.1",
            port=unused_port,
            plugins=[LambdaReleases()],
            dev_server_existing_path=TEMPORAL_CLI,
            dev_server_database_filename=str(tmp_path / "temporal.db"),
            search_attributes=search_attributes.KEYS,
        )
        yield env
        await env.shutdown()

    return run_server


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class BrokenHandle:
    """A workflow handle whose connection breaks once, after the second event."""

    id = f"{HERE}:broken:live"

    def __init__(self) -> None:
        self.times = 0

    async def fetch_history_events(self, *, wait_new_event: bool) -> AsyncIterator[HistoryEvent]:
        assert wait_new_event
        self.times += 1
        for number in (1, 2):
            yield HistoryEvent(
                event_id=number,
                workflow_execution_cancel_requested_event_attributes={"cause": str(number)},
            )
        if self.times == 1:
            raise RPCError("the connection broke", RPCStatusCode.UNAVAILABLE, b"")
        kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
        yield HistoryEvent(
            event_id=3, event_type=kind, workflow_execution_terminated_event_attributes={}
        )

    async def describe(self) -> None:
        raise RPCError("the connection broke", RPCStatusCode.UNAVAILABLE, b"")


async def test_watch_begins_with_the_past_and_continues_to_the_end(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = await start_waiting_release(releases, harness)
    watching = asyncio.create_task(watch_to_end(releases, harness.function))
    await asyncio.sleep(0.5)
    await releases.approve(name, by="ana", note="fine")
    updates = await watching
    texts = list_texts(updates)
    assert texts[0] == f"s3://artifacts/three.zip → {harness.function}:live (10%, approval, 100%)"
    assert (
        texts.index("Publish a version")
        < texts.index("10% to version 3")
        < texts.index("approve by ana: fine")
    )
    assert texts[-1] == "All traffic to version 3"
    assert texts.count(texts[0]) == 1
    assert [update.ending.outcome for update in updates if update.ending] == [RunOutcome.SUCCEEDED]
    assert updates[-1].status is not None
    assert updates[-1].status.phase == "succeeded"


async def test_watch_adds_nothing_to_the_history(releases: ReleaseClient, harness: Harness) -> None:
    name = await start_waiting_release(releases, harness)
    before = (await harness.rollout.describe()).history_length
    watchers = [asyncio.create_task(watch_to_end(releases, name)) for _ in range(3)]
    await asyncio.sleep(1)
    assert (await harness.rollout.describe()).history_length == before
    await releases.promote(name, by="ana")
    await asyncio.gather(*watchers)


async def test_retry_is_shown_with_its_attempt_and_its_failure(
    releases: ReleaseClient, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.2)
    rule = harness.aws.fail("publish_version", "ServiceException", "try later", times=None)
    handle = await releases.start(make_request(harness), task_queue=harness.queue)
    retries = []
    async for update in releases.watch(handle.id):
        retries += [retry for retry in update.retries if retry.summary == "Publish a version"]
        if retries:
            rule.stop()
    assert retries[0].attempt > 1
    assert "try later" in retries[0].failure


@pytest.mark.usefixtures("short_timeouts")
async def test_watch_continues_with_the_next_worker(
    releases: ReleaseClient, temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    queue, function = f"mortal-{next(NUMBERS)}", f"mortal-{next(NUMBERS)}"
    harness = Harness(temporal, temporal.client, aws, queue, function)
    aws.create(function, "one", "two")
    watcher = Watcher()
    async with Worker(releases.temporal, task_queue=queue, activities=list_operations(aws)):
        name = await start_waiting_release(releases, harness)
        task = asyncio.create_task(watcher.watch(releases, name))
        await watcher.wait_until(lambda update: update.status and update.worker_answers)
    last = await watcher.wait_until(lambda update: not update.worker_answers)
    assert last.status is not None
    assert last.status.phase == "awaiting_approval"
    again = await Client.connect(
        temporal.client.service_client.config.target_host, plugins=[LambdaReleases()]
    )
    async with Worker(again, task_queue=queue, activities=list_operations(aws)):
        await watcher.wait_until(lambda update: update.worker_answers)
        await releases.approve(name, by="ana")
        last = await watcher.wait_until(lambda update: update.ending)
        await task
    assert last.ending is not None
    assert last.ending.outcome is RunOutcome.SUCCEEDED


@pytest.mark.usefixtures("short_timeouts")
async def test_watch_continues_after_a_restart_of_temporal(server: Any) -> None:
    rollout_id = f"{HERE}:mortal-{next(NUMBERS)}:live"
    watcher = Watcher()
    async with server() as env:
        releases = ReleaseClient(
            await Client.connect(
                env.client.service_client.config.target_host, plugins=[LambdaReleases()]
            )
        )
        await create_unserved_rollout(releases, rollout_id)
        task = asyncio.create_task(watcher.watch(releases, rollout_id))
        await watcher.wait_until(lambda update: update.connected and not update.worker_answers)
    await watcher.wait_until(lambda update: not update.connected)
    async with server() as env:
        await watcher.wait_until(lambda update: update.connected)
        await env.client.get_workflow_handle(rollout_id).terminate(reason="enough")
        last = await watcher.wait_until(lambda update: update.ending)
        await task
    assert last.ending is not None
    assert last.ending.note == "terminated: enough"
    assert len(list_texts(watcher.updates)) == len(set(list_texts(watcher.updates)))


async def test_event_is_reported_once_after_a_broken_connection(releases: ReleaseClient) -> None:
    broken: Any = BrokenHandle()
    updates = [update async for update in Watch(releases.temporal, broken).read_updates()]
    assert list_texts(updates) == ["cancel: 1", "cancel: 2"]
    assert [update.connected for update in updates] == [False, True]
    assert broken.times == 2
