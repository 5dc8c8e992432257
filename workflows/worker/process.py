"""Serves a task queue, from the first connection to the last activity."""

from __future__ import annotations

import asyncio
import gc
import os
from datetime import timedelta
from typing import Final

import structlog
from temporalio.worker import Worker

from activities import list_operations
from activities.aws import connect
from activities.identity import AccountGuard
from activities.limits.rate import Limits, Rates
from activities.limits.sharing import RateShare
from activities.limits.slots import create_worker_tuner
from workflows.temporal.queue_account import check_after_start, check_before_start
from workflows.temporal.search_attribute_registration import register_search_attributes
from workflows.worker.account import find_account
from workflows.worker.connection import connect_to_temporal
from workflows.worker.deployment_version import read_versioning
from workflows.worker.settings import WorkerSettings

GRACEFUL_SHUTDOWN_TIMEOUT: Final = timedelta(seconds=30)
"""How long a stopping worker lets AWS calls finish: longer than any single one."""

_MIN_RUN_SECONDS: Final = 1.0
"""How long a worker runs at least.

The SDK's core must not shut down while it starts.
"""

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


async def work(settings: WorkerSettings, *, stop: asyncio.Event) -> None:
    """Connect, serve the task queue until ``stop`` is set, and drain.

    Raises :class:`WorkerStartError`, :class:`NamespaceError`, :class:`QueueAccountError` or
    :class:`AwsConfigurationError` before it takes any work. :class:`QueueAccountError` also a
    moment later, where another account's worker began at the same time.
    """
    client = await connect_to_temporal(settings.metrics)
    await register_search_attributes(client)
    limits = Limits(Rates().scale_to(settings.aws_rate))
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    async with connect(region=region, limits=limits) as aws:
        served = await find_account(aws, settings.account)
        identity = served.identify(client.identity) if served else client.identity
        share = RateShare(client, task_queue=settings.task_queue, limits=limits, identity=identity)
        await check_before_start(share, served)
        await share.start()
        worker = Worker(
            client,
            task_queue=settings.task_queue,
            identity=identity,
            activities=list_operations(
                AccountGuard(aws, served) if served else aws, settings.access
            ),
            tuner=create_worker_tuner(limits),
            max_task_queue_activities_per_second=settings.rate,
            max_cached_workflows=settings.cached,
            graceful_shutdown_timeout=GRACEFUL_SHUTDOWN_TIMEOUT,
            **read_versioning(),
        )
        # What exists by now stays. Later collections are about workflows, and are then short:
        # https://docs.python.org/3/library/gc.html#gc.freeze
        gc.collect()
        gc.freeze()
        share_task = asyncio.ensure_future(share.maintain())
        check_task = asyncio.ensure_future(check_after_start(share, served, stop))
        worker_task = asyncio.ensure_future(_run_until_stopped(worker, stop))
        log.info(
            "working",
            account=served.account if served else "unknown",
            region=aws.region,
            task_queue=settings.task_queue,
            namespace=client.namespace,
            temporal=client.service_client.config.target_host,
        )
        try:
            await worker_task
        finally:
            share_task.cancel()
            check_task.cancel()
        if check_task.done():
            check_task.result()
    log.info("stopped")


async def _run_until_stopped(worker: Worker, stop: asyncio.Event) -> None:
    worker_task = asyncio.ensure_future(worker.run())
    stop_task = asyncio.ensure_future(stop.wait())
    await asyncio.wait(
        [worker_task, asyncio.ensure_future(asyncio.sleep(_MIN_RUN_SECONDS))],
        return_when=asyncio.FIRST_COMPLETED,
    )
    await asyncio.wait([worker_task, stop_task], return_when=asyncio.FIRST_COMPLETED)
    if not worker_task.done():
        log.info("draining", at_most=GRACEFUL_SHUTDOWN_TIMEOUT.total_seconds())
        await worker.shutdown()
    stop_task.cancel()
    await worker_task
