"""What the real Temporal says about who serves a queue: workers that come, and workers that go, share the rates anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.limits.rate import Limits
from activities.limits.sharing import HEARTBEAT_INTERVAL, RateShare
from activities.limits.slots import create_worker_tuner
from workflows.temporal.plugin import LambdaReleases


@asynccontextmanager
async def serving(address: str, identity: str) -> AsyncIterator[Limits]:
    """A worker as ``worker.py`` makes it, on a queue of this test."""
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=HEARTBEAT_INTERVAL)
    client = await Client.connect(
        address, identity=identity, plugins=[LambdaReleases()], runtime=runtime
    )
    limits = Limits()
    share = RateShare(client, task_queue="shared", limits=limits)
    await share.start()
    async with Worker(client, task_queue="shared", tuner=create_worker_tuner(limits)):
        keeping = asyncio.create_task(share.maintain())
        try:
            yield limits
        finally:
            keeping.cancel()


async def all_have(rate: float, *limits: Limits, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while any(each.control_plane != rate for each in limits):
            await asyncio.sleep(0.05)


async def test_workers_of_one_queue_share_the_rate_and_take_over_from_one_that_is_gone(
    temporal: WorkflowEnvironment,
) -> None:
    address = temporal.client.service_client.config.target_host
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(address, "one"))
        assert first.control_plane == 7.5
        async with serving(address, "two") as second:
            assert second.control_plane <= 7.5
            await all_have(7.5, first, second, seconds=20)
        await all_have(15, first, seconds=15)
