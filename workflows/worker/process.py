"""Serves a task queue, from the first connection to the last activity."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import structlog
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities import list_operations
from activities.aws import connect
from activities.identity import AccountGuard, ServedAccount
from activities.limits.rate import Limits, Rates
from activities.limits.sharing import RateShare
from activities.limits.slots import create_worker_tuner
from workflows.release_metrics import LABELS, register_outcomes
from workflows.temporal.queue_account import check_after_start, check_before_start
from workflows.temporal.search_attribute_registration import (
    register_search_attributes,
    summarize_error,
)
from workflows.temporal.worker_runtime import create_runtime
from workflows.worker.account import find_account
from workflows.worker.connection import TemporalConnection
from workflows.worker.contact import Contact, ContactLostError
from workflows.worker.deployment_version import watch_current_version
from workflows.worker.release_count import count_running_releases
from workflows.worker.settings import WorkerSettings
from workflows.worker.web_server import find_free_address, parse_address, serve

_MIN_RUN_SECONDS: Final = 1.0
"""How long a worker runs at least.

The SDK's core must not shut down while it starts.
"""

_SHORTEST_GRACE: Final = timedelta(seconds=30)
"""For what takes seconds: a write that is cut off fails with the SDK's words, and is repeated."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


async def work(settings: WorkerSettings, *, stop: asyncio.Event) -> None:
    """Connect, serve the task queue until ``stop`` is set, and drain.

    A draining worker takes nothing new, and stays for the activities that it has begun: seconds for
    most, as long as the function runs for a hook or a probe, which must not be sent twice; at most
    ``settings.grace``, or 30 s where that is longer.

    Where ``stop`` is set before it serves, it ends at once. Raises :class:`WorkerStartError`,
    :class:`NamespaceError`, :class:`QueueAccountError` or :class:`AwsConfigurationError` before it
    takes any work. :class:`QueueAccountError` also a moment later, where another account's worker
    began at the same time, and :class:`ContactLostError` where Temporal does not answer any more.
    """
    async with AsyncExitStack() as stack:
        start = asyncio.ensure_future(_start(settings, stack, stop))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([start, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not start.done():
            start.cancel()
            await asyncio.wait([start])
            log.info("stopped before it had begun")
            return
        await start.result().serve(stop)
    log.info("stopped")


async def _start(settings: WorkerSettings, stack: AsyncExitStack, stop: asyncio.Event) -> _Process:
    """Connect to both sides, and make the worker; what must be closed goes on ``stack``."""
    address = parse_address(settings.metrics) if settings.metrics else None
    metrics = find_free_address() if address else None
    runtime = create_runtime(metrics)
    LABELS.by_function = settings.metrics_by_function
    register_outcomes(runtime.metric_meter)
    temporal = await TemporalConnection.open(runtime)
    client = temporal.client
    await register_search_attributes(client)
    limits = Limits(Rates().scale_to(settings.aws_rate))
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    aws = await stack.enter_async_context(connect(region=region, limits=limits))
    served = await find_account(aws, settings.account)
    identity = served.identify(client.identity) if served else client.identity
    share = RateShare(
        client,
        task_queue=settings.task_queue,
        limits=limits,
        identity=identity,
        workers=settings.workers,
    )
    await check_before_start(share, served)
    await share.start()
    contact = Contact(identity, settings.task_queue)
    if address and metrics:
        server = serve(address, metrics=metrics, find_problems=contact.find_problems)
        await stack.enter_async_context(server)
    grace = max(settings.grace, _SHORTEST_GRACE)
    worker = Worker(
        client,
        task_queue=settings.task_queue,
        identity=identity,
        activities=list_operations(AccountGuard(aws, served) if served else aws, settings.access),
        tuner=create_worker_tuner(limits),
        max_task_queue_activities_per_second=settings.rate,
        max_cached_workflows=settings.cached,
        graceful_shutdown_timeout=grace,
        deployment_config=settings.deployment,
    )
    # What exists by now stays. Later collections are about workflows, and are then short:
    # https://docs.python.org/3/library/gc.html#gc.freeze
    gc.collect()
    gc.freeze()
    log.info(
        "working",
        account=served.account if served else "unknown",
        region=aws.region,
        task_queue=settings.task_queue,
        namespace=client.namespace,
        temporal=client.service_client.config.target_host,
    )
    meter = runtime.metric_meter
    watches: list[Coroutine[Any, Any, None]] = [
        share.maintain(),
        temporal.renew(worker, share),
        contact.watch_temporal(lambda: temporal.client, stop),
        watch_current_version(lambda: temporal.client, settings.deployment),
    ]
    watches += [contact.watch_aws(aws)] if served and settings.account is None else []
    watches += (
        [count_running_releases(lambda: temporal.client, settings.task_queue, meter)]
        if metrics
        else []
    )
    return _Process(worker, share, served, watches, grace)


class _Process:
    """A worker that is ready to serve, with what goes on beside it."""

    def __init__(
        self,
        worker: Worker,
        share: RateShare,
        served: ServedAccount | None,
        watches: list[Coroutine[Any, Any, None]],
        grace: timedelta,
    ) -> None:
        self._worker = worker
        self._grace = grace
        self._share = share
        self._served = served
        self._watches = watches

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, or one of the watches fails; then drain."""
        check = check_after_start(self._share, self._served, stop)
        watches = [asyncio.ensure_future(each) for each in (check, *self._watches)]
        for watch in watches:
            watch.add_done_callback(lambda done: _stop_on_error(done, stop))
        try:
            await _run_until_stopped(self._worker, stop, self._grace)
        except (RPCError, RuntimeError) as error:
            raise ContactLostError(
                f"Temporal ended this worker: {summarize_error(error)}"
            ) from None
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.wait(watches)
            for watch in watches:
                if not watch.cancelled():
                    watch.result()


def _stop_on_error(done: asyncio.Future[None], stop: asyncio.Event) -> None:
    if not done.cancelled() and done.exception() is not None:
        stop.set()


async def _run_until_stopped(worker: Worker, stop: asyncio.Event, grace: timedelta) -> None:
    worker_task = asyncio.ensure_future(worker.run())
    stop_task = asyncio.ensure_future(stop.wait())
    await asyncio.wait(
        [worker_task, asyncio.ensure_future(asyncio.sleep(_MIN_RUN_SECONDS))],
        return_when=asyncio.FIRST_COMPLETED,
    )
    await asyncio.wait([worker_task, stop_task], return_when=asyncio.FIRST_COMPLETED)
    if not worker_task.done():
        log.info("draining", at_most=grace.total_seconds())
        await worker.shutdown()
    stop_task.cancel()
    await worker_task
