"""``worker.py``: what stops its start, and how workers of one queue share the rate of AWS."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.limits.rate import Limits
from activities.limits.sharing import HEARTBEAT_INTERVAL, RateShare
from activities.limits.slots import create_worker_tuner
from workflows.temporal.plugin import LambdaReleases

ROOT = Path(__file__).parents[1]


async def test_search_attribute_of_another_type_stops_the_worker(
    temporal: WorkflowEnvironment,
) -> None:
    client, double = temporal.client, IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE
    retention = Duration(seconds=86_400)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace="taken", workflow_execution_retention_period=retention)
    )
    request = AddSearchAttributesRequest(
        namespace="taken", search_attributes={"TrafficPercent": double}
    )
    async with asyncio.timeout(90):
        while True:
            try:
                await client.operator_service.add_search_attributes(request)
                break
            except RPCError:  # the namespace is not known everywhere yet
                await asyncio.sleep(0.2)
    environment = {
        **os.environ,
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": "taken",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "worker.py", cwd=ROOT, stderr=asyncio.subprocess.PIPE, env=environment
    )
    async with asyncio.timeout(90):
        _, output = await worker.communicate()
    assert worker.returncode == 1
    assert b"uses search attributes of ours for something else: TrafficPercent" in output
    assert b"(not of type Int)" in output


@asynccontextmanager
async def run_worker(address: str, identity: str) -> AsyncIterator[Limits]:
    """Run a worker as ``worker.py`` does, on a queue of this test."""
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


async def wait_for_rate(rate: float, *limits: Limits, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while any(each.control_plane != rate for each in limits):
            await asyncio.sleep(0.05)


async def test_workers_of_one_queue_share_the_rate(
    temporal: WorkflowEnvironment,
) -> None:
    address = temporal.client.service_client.config.target_host
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(run_worker(address, "one"))
        assert first.control_plane == 7.5
        async with run_worker(address, "two") as second:
            assert second.control_plane <= 7.5
            await wait_for_rate(7.5, first, second, seconds=50)
        await wait_for_rate(15, first, seconds=50)
