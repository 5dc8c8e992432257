"""Controls that Temporal does not deliver: an abort reaches the release all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.client.releases import HERE, NUMBERS, create_unserved_rollout, start_waiting_release
from tests.fake_lambda import FakeLambda
from tests.harness import TEMPORAL_CLI, Handle, Harness, create_harness, read_ending, run_worker
from workflows import search_attributes
from workflows.client import ReleaseClient
from workflows.client.errors import NoWorker, Refused
from workflows.temporal.plugin import LambdaReleases

MOST_UPDATES: Final = 4


@pytest.fixture
async def limited() -> AsyncIterator[Harness]:
    """A Temporal that takes four updates of a run, and never suggests a new one."""
    limits = {"maxTotalUpdates": MOST_UPDATES, "maxTotalUpdates.suggestContinueAsNewThreshold": 9}
    async with (
        await WorkflowEnvironment.start_local(
            plugins=[LambdaReleases()],
            dev_server_existing_path=TEMPORAL_CLI,
            dev_server_extra_args=[
                part
                for name, limit in limits.items()
                for part in ("--dynamic-config-value", f"history.{name}={limit}")
            ],
            search_attributes=search_attributes.KEYS,
        ) as env,
        run_worker(env) as accounts,
    ):
        yield create_harness(env, accounts, FakeLambda())


async def use_up(releases: ReleaseClient, name: str) -> Refused:
    """Pause and resume until Temporal takes no more; return what the client says then."""
    for _ in range(MOST_UPDATES // 2):
        await releases.pause(name, by="ana")
        await releases.resume(name, by="ana")
    with pytest.raises(Refused, match="pause was not delivered") as refusal:
        await releases.pause(name, by="ana")
    return refusal.value


async def test_abort_is_sent_as_a_cancel_where_updates_are_used_up(limited: Harness) -> None:
    releases = ReleaseClient(limited.client)
    name = await start_waiting_release(releases, limited)
    refusal = await use_up(releases, name)
    command = f"releases abort {limited.function}:live"
    assert "as many controls as Temporal delivers" in str(refusal)
    assert command in str(refusal)
    status = await releases.abort(name, by="ana", reason="wrong build")
    assert status.note.startswith("sent as a cancel: ")
    end = await read_ending(releases.temporal.get_workflow_handle(name))
    assert end.kind == "ReleaseRolledBack"
    limited.assert_restored()
    explanation = await releases.explain(name)
    assert "cancel: abort by ana: wrong build" in [line.text for line in explanation.lines]


@workflow.defn(name="Rollout", sandboxed=False)
class StuckRollout:
    """A rollout whose workflow task fails, as one that cannot be replayed does."""

    @workflow.run
    async def run(self, _: Any) -> None:
        raise RuntimeError("cannot be replayed")


@asynccontextmanager
async def run_stuck_rollout(releases: ReleaseClient) -> AsyncGenerator[Handle]:
    """Run a rollout whose worker makes no progress, from when Temporal knows that."""
    address = releases.temporal.service_client.config.target_host
    client, number = await Client.connect(address), next(NUMBERS)
    queue = f"stuck-{number}"
    async with Worker(client, task_queue=queue, workflows=[StuckRollout]):
        handle: Handle = await client.start_workflow(
            "Rollout", {}, id=f"{HERE}:stuck-{number}:live", task_queue=queue
        )
        async with asyncio.timeout(60):
            while (await _count_attempts(handle)) < 3:
                await asyncio.sleep(0.1)
        yield handle
        await handle.terminate()


async def _count_attempts(handle: Handle) -> int:
    return (await handle.describe()).raw_description.pending_workflow_task.attempt


async def _list_cancels(handle: Handle) -> list[str]:
    return [
        event.workflow_execution_cancel_requested_event_attributes.cause
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_execution_cancel_requested_event_attributes")
    ]


async def test_abort_of_a_stuck_release_is_recorded_as_a_cancel(releases: ReleaseClient) -> None:
    async with run_stuck_rollout(releases) as rollout:
        with pytest.raises(NoWorker, match="pause was not delivered: the worker cannot go on"):
            await releases.pause(rollout.id, by="ana")
        with pytest.raises(NoWorker, match=r"cannot go on .* sent as a cancel, too"):
            await releases.abort(rollout.id, by="ana", reason="wrong build")
        described = (await rollout.describe()).raw_description
        assert described.workflow_extended_info.cancel_requested


@pytest.mark.usefixtures("short_timeouts")
async def test_abort_without_a_worker_is_recorded_as_a_cancel(releases: ReleaseClient) -> None:
    rollout_id = f"{HERE}:found-{next(NUMBERS)}:live"
    rollout = await create_unserved_rollout(releases, rollout_id)
    with pytest.raises(NoWorker, match=r"no worker has answered .* sent as a cancel, too"):
        await releases.abort(rollout_id, by="ana")
    assert await _list_cancels(rollout) == ["abort by ana"]
