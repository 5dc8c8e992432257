"""Task queues of their own for tests, with and without workers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities import list_operations
from activities.limits.sharing import list_pollers
from tests.fake_lambda import FakeLambda
from workflows.client import ReleaseClient
from workflows.temporal.plugin import LambdaReleases

NUMBERS = itertools.count(1)


@asynccontextmanager
async def serve_queue(
    releases: ReleaseClient, aws: FakeLambda, queue: str, **options: Any
) -> AsyncIterator[None]:
    """Serve a queue with one worker, from when Temporal lists it."""
    address = releases.temporal.service_client.config.target_host
    namespace = releases.temporal.namespace
    client = await Client.connect(address, namespace=namespace, plugins=[LambdaReleases()])
    worker = Worker(
        client,
        task_queue=queue,
        activities=list_operations(aws),
        identity=f"worker-{next(NUMBERS)}",
        **options,
    )
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(120):
            while not await list_pollers(client, queue):
                await asyncio.sleep(0.05)
        yield
    finally:
        await worker.shutdown()
        await task


def pin(deployment: str, build_id: str) -> WorkerDeploymentConfig:
    """The options of a worker that pins releases to its build."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def make_current(client: Client, deployment: str, build_id: str) -> None:
    """Make a build the current version, as soon as Temporal knows its worker."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=deployment,
        build_id=build_id,
        identity="test",
    )
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(RPCError):
                await client.workflow_service.set_worker_deployment_current_version(request)
                return
            await asyncio.sleep(0.2)
