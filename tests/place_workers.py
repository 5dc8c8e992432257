"""Workers that only poll, with the identity of a worker of some account and region."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker

from activities.identity import ServedAccount
from activities.limits.sharing import HEARTBEAT_INTERVAL, list_heartbeats

_NUMBERS = itertools.count(1)


@activity.defn
async def do_nothing() -> None:
    """Be there, since a worker must have something to do."""


def identify(account: str, region: str) -> str:
    """The identity of a worker of this place."""
    return ServedAccount(account, region).identify(f"{next(_NUMBERS)}@test")


@asynccontextmanager
async def serve_as(client: Client, identity: str, task_queue: str) -> AsyncIterator[None]:
    """Poll a queue with this identity, from when Temporal lists the worker."""
    own = await Client.connect(
        client.service_client.config.target_host,
        namespace=client.namespace,
        identity=identity,
        runtime=Runtime(
            telemetry=TelemetryConfig(), worker_heartbeat_interval=HEARTBEAT_INTERVAL / 2
        ),
    )
    async with Worker(own, task_queue=task_queue, activities=[do_nothing]):
        async with asyncio.timeout(120):
            while not any(
                beat.worker_identity == identity for beat in await list_heartbeats(own, task_queue)
            ):
                await asyncio.sleep(0.1)
        yield
