"""The worker of one account and region: its connection to AWS, its task queue, its rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from temporalio.common import MetricMeter
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities import list_operations
from activities.aws import Connection, connect
from activities.identity import AccountGuard, ServedAccount
from activities.limits.rate import Limits, Rates
from activities.limits.sharing import RateShare
from activities.limits.slots import create_worker_tuner
from workflows.temporal.codec_check import find_unreadable
from workflows.temporal.queue_account import check_after_start, check_before_start
from workflows.temporal.search_attribute_registration import summarize_error
from workflows.worker.account import find_account, prove_account
from workflows.worker.connection import TemporalConnection
from workflows.worker.contact import Contact, PollLostError
from workflows.worker.places import WorkerPlace
from workflows.worker.readiness import PlaceState
from workflows.worker.release_count import count_running_releases
from workflows.worker.settings import WorkerSettings, WorkerStartError

_MIN_RUN_SECONDS: Final = 1.0
"""How long a worker runs at least.

The SDK's core must not shut down while it starts.
"""

_SHORTEST_GRACE: Final = timedelta(seconds=30)
"""For what takes seconds: a write that is cut off fails with the SDK's words, and is repeated."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


@dataclass(frozen=True)
class Shared:
    """What all workers of a process share; ``is_measured``: somebody may read the metrics."""

    settings: WorkerSettings
    temporal: TemporalConnection
    meter: MetricMeter
    is_measured: bool


class PlaceWorker:
    """A worker that is ready to serve, with what goes on beside it."""

    def __init__(
        self,
        worker: Worker,
        share: RateShare,
        served: ServedAccount | None,
        watches: Sequence[Coroutine[Any, Any, None]],
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
            watch.add_done_callback(lambda done: stop_on_error(done, stop))
        try:
            await _run_until_stopped(self._worker, stop, self._grace)
        except (RPCError, RuntimeError) as error:
            raise PollLostError(f"Temporal ended this worker: {summarize_error(error)}") from None
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.wait(watches)
            for watch in watches:
                if not watch.cancelled():
                    watch.result()


@asynccontextmanager
async def start_worker(
    shared: Shared, place: WorkerPlace | None, state: PlaceState, stop: asyncio.Event
) -> AsyncGenerator[PlaceWorker]:
    """Connect to AWS, and make the worker, until this block ends.

    ``place`` is one of a file; None for that of the environment. Raises :class:`WorkerStartError`,
    :class:`QueueAccountError` or :class:`AwsConfigurationError`.
    """
    settings, temporal = shared.settings, shared.temporal
    task_queue = place.queue if place else settings.task_queue
    limits = Limits(Rates().scale_to((place and place.aws_rate) or settings.aws_rate))
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(_connect_aws(shared, place, limits))
        served = await _find_account(aws, settings, place)
        process = temporal.client.identity
        identity = served.identify(process) if served else process
        if place:
            temporal = await temporal.open_another(identity)
        client = temporal.client
        if problem := await find_unreadable(client, task_queue):
            raise WorkerStartError(problem)
        share = RateShare(
            client,
            task_queue=task_queue,
            limits=limits,
            identity=identity,
            workers=settings.workers,
        )
        await check_before_start(share, served)
        await share.start()
        contact = Contact(identity, task_queue)
        grace = max(settings.grace, _SHORTEST_GRACE)
        port = AccountGuard(aws, served) if served else aws
        worker = Worker(
            client,
            task_queue=task_queue,
            identity=identity,
            activities=list_operations(port, settings.access),
            tuner=create_worker_tuner(limits),
            max_task_queue_activities_per_second=settings.rate,
            max_cached_workflows=settings.cached,
            graceful_shutdown_timeout=grace,
            deployment_config=settings.deployment,
        )
        stack.enter_context(temporal.lend(worker, share))
        account = served.account if served else "unknown"
        state.serve(contact, account=account, region=aws.region, task_queue=task_queue)
        log.info(
            "working",
            account=account,
            region=aws.region,
            task_queue=task_queue,
            namespace=client.namespace,
            temporal=client.service_client.config.target_host,
        )
        watches = [
            share.maintain(),
            temporal.renew(),
            contact.watch_temporal(lambda: temporal.client, stop),
        ]
        if served and (place or settings.account is None):
            watches.append(contact.watch_aws(aws))
        if shared.is_measured:
            count = count_running_releases(lambda: temporal.client, task_queue, shared.meter)
            watches.append(count)
        yield PlaceWorker(worker, share, served, watches, grace)


def _connect_aws(
    shared: Shared, place: WorkerPlace | None, limits: Limits
) -> AbstractAsyncContextManager[Connection]:
    if place is None:
        return connect(shared.settings.region, limits=limits)
    source = place.make_source(shared.temporal.client.identity)
    return connect(place.region, limits=limits, source=source, endpoint_url=place.endpoint_url)


async def _find_account(
    aws: Connection, settings: WorkerSettings, place: WorkerPlace | None
) -> ServedAccount | None:
    if place is None:
        return await find_account(aws, settings.account)
    await prove_account(aws, place.served)
    return place.served


def stop_on_error(done: asyncio.Future[None], stop: asyncio.Event) -> None:
    """Set ``stop`` where a task that is done has failed."""
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
