"""The worker process: connects once, serves one place or several, and drains."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog

from workflows.release_metrics import LABELS, register_outcomes
from workflows.temporal.search_attribute_registration import register_search_attributes
from workflows.temporal.worker_runtime import create_runtime
from workflows.worker.connection import TemporalConnection
from workflows.worker.deployment_version import watch_current_version
from workflows.worker.place_keeper import PlaceKeeper
from workflows.worker.place_worker import PlaceWorker, Shared, start_worker, stop_on_error
from workflows.worker.readiness import PlaceState, Readiness
from workflows.worker.settings import WorkerSettings
from workflows.worker.traces import open_traces
from workflows.worker.web_server import find_free_address, parse_address, serve

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


async def work(settings: WorkerSettings, *, stop: asyncio.Event) -> None:
    """Connect, serve the task queue of each place until ``stop`` is set, and drain.

    A draining worker takes nothing new, and stays for the activities that it has begun: seconds for
    most, as long as the function runs for a hook or a probe, which must not be sent twice; at most
    ``settings.grace``, or 30 s where that is longer.

    Where ``stop`` is set before it serves, it ends at once. Raises :class:`WorkerStartError`,
    :class:`NamespaceError`, :class:`QueueAccountError` or :class:`AwsConfigurationError` before it
    takes any work. :class:`QueueAccountError` also a moment later, where another account's worker
    began at the same time, and :class:`ContactLostError` where Temporal does not answer any more.
    With several places only what is about Temporal ends it: a place that fails is tried again.
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
    """Connect to Temporal, and make what serves; what must be closed goes on ``stack``."""
    address = parse_address(settings.metrics) if settings.metrics else None
    metrics = find_free_address() if address else None
    runtime = create_runtime(metrics)
    meter = runtime.metric_meter
    LABELS.by_function = settings.metrics_by_function
    register_outcomes(meter)
    traces = await stack.enter_async_context(open_traces(settings.traces))
    temporal = await TemporalConnection.open(runtime, plugins=traces)
    await register_search_attributes(temporal.client)
    readiness = Readiness()
    if address and metrics:
        await stack.enter_async_context(serve(address, metrics=metrics, readiness=readiness))
    shared = Shared(settings, temporal, meter, is_measured=metrics is not None)
    watches = [
        watch_current_version(lambda: temporal.client, settings.deployment),
        readiness.report(meter),
    ]
    if not settings.places:
        state = readiness.add(PlaceState())
        only = await stack.enter_async_context(start_worker(shared, None, state, stop))
        _freeze()
        return _Process([only], [], watches)
    keepers = [
        PlaceKeeper(
            shared,
            place,
            readiness.add(
                PlaceState(
                    str(place.served),
                    account=place.account,
                    region=place.region,
                    task_queue=place.queue,
                )
            ),
        )
        for place in settings.places
    ]
    return _Process([], keepers, [*watches, temporal.renew(), _freeze_when_tried(keepers)])


async def _freeze_when_tried(keepers: list[PlaceKeeper]) -> None:
    for keeper in keepers:
        await keeper.was_tried.wait()
    _freeze()


def _freeze() -> None:
    """Spare the garbage collector what exists by now, and stays.

    Later collections are about workflows, and are then short:
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()


class _Process:
    """What a process serves: the worker of its only place, or the keepers of several."""

    def __init__(
        self,
        workers: list[PlaceWorker],
        keepers: list[PlaceKeeper],
        watches: Sequence[Coroutine[Any, Any, None]],
    ) -> None:
        self._workers = workers
        self._keepers = keepers
        self._watches = watches

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, or anything here fails; then drain all places."""
        services = [asyncio.ensure_future(worker.serve(stop)) for worker in self._workers]
        services += [asyncio.ensure_future(keeper.keep(stop)) for keeper in self._keepers]
        watches = [asyncio.ensure_future(watch) for watch in self._watches]
        for each in (*services, *watches):
            each.add_done_callback(lambda done: stop_on_error(done, stop))
        try:
            await asyncio.wait(services)
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.wait(watches)
        for each in (*services, *watches):
            if not each.cancelled():
                each.result()
