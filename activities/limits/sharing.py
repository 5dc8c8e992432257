"""This worker's share of AWS's rates: the workers of a queue have equal shares.

The share is not configured. Each worker sends a heartbeat to Temporal every two seconds, lists
the live workers as often, and adjusts its share. A new worker counts itself at once, and uses half
of its share until the others must have observed it. A worker that stopped or was killed no longer
counts after ten seconds. While Temporal does not respond, the share stays unchanged.

Some Temporal servers keep no list of workers (before 1.30, or switched off). There the pollers of
the task queue are listed instead, and a worker that is gone counts for another 75 seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.limits.rate import Limits

HEARTBEAT_INTERVAL: Final = timedelta(seconds=2)
"""How often a worker sends a heartbeat, and how often it lists the workers.

The worker's runtime must have it too: ``Runtime(worker_heartbeat_interval=…)``.
"""

REDUCED_SHARE_SECONDS: Final = 2.5 * HEARTBEAT_INTERVAL.total_seconds()
"""How long a new worker uses half of its share.

It is listed after one interval, and all others have read the list after another.
"""

HEARTBEAT_EXPIRY_SECONDS: Final = 4 * HEARTBEAT_INTERVAL.total_seconds()
"""A worker without a heartbeat for this long is gone."""

_POLLER_EXPIRY: Final = timedelta(seconds=75)
"""A poller that did not poll for this long is gone.

An idle worker polls once a minute.
"""

_REQUEST_TIMEOUT: Final = timedelta(seconds=5)
_PAGE_SIZE: Final = 1_000
_TASK_QUEUE_TYPES: Final = (
    TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
)

_REFUSALS: Final = frozenset(
    {
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.UNIMPLEMENTED,
    }
)
"""Temporal answers, and does not say who the workers are: it will not soon."""

log = logging.getLogger("releases.share")


class RateShare:
    """This worker's share of the rates."""

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        limits: Limits,
        identity: str | None = None,
        workers: int | None = None,
    ) -> None:
        """Prepare to adjust ``limits``; nothing is requested yet.

        ``identity`` is the worker's, and must be unique; None for that of its client. ``workers``
        is how many there are, where Temporal does not list them.
        """
        self._fallback = workers
        self._problem: RPCStatusCode | None = None
        self.task_queue: Final = task_queue
        self._client = client
        self._identity = identity or client.identity
        self._limits = limits
        self._workers = 1
        self._heartbeats: dict[str, tuple[int, float]] = {}
        self._listed = set[str]()

    async def start(self) -> None:
        """Count the workers and use half of a share; call it before the first poll."""
        await self._count_workers()
        self._limits.divide_rates(2 * self._workers)

    async def maintain(self) -> None:
        """Adjust the share whenever workers come or go. Runs until it is cancelled."""
        before, until = 0, asyncio.get_running_loop().time() + REDUCED_SHARE_SECONDS
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
            await self._count_workers()
            if asyncio.get_running_loop().time() < until:
                self._limits.divide_rates(2 * self._workers)
                continue
            self._limits.divide_rates(self._workers)
            if self._workers != before:
                log.info(
                    "%d workers serve %s: %.3g calls to AWS a second each",
                    self._workers,
                    self.task_queue,
                    self._limits.control_plane,
                )
            before = self._workers

    async def _count_workers(self) -> None:
        """Count the workers; keep the last count if Temporal does not respond."""
        try:
            found = await self.list_workers()
        except RPCError as error:
            is_refused = error.status in _REFUSALS
            if is_refused and self._fallback:
                self._workers = self._fallback
            if is_refused and error.status != self._problem:
                log.warning(
                    "Temporal does not say who serves %s: %s. Grant this worker ListWorkers or "
                    "DescribeTaskQueue, or set RELEASES_WORKERS to how many there are; %d assumed",
                    self.task_queue,
                    error.message,
                    self._workers,
                )
            self._problem = error.status if is_refused else self._problem
        else:
            self._problem = None
            self._workers = len({self._identity, *found})

    def use(self, client: Client) -> None:
        """Use this client from now on: the connection was renewed."""
        self._client = client

    async def list_workers(self) -> set[str]:
        """The identities of the queue's live workers. Raises ``RPCError``.

        One that was killed is listed for :data:`HEARTBEAT_EXPIRY_SECONDS` after the first call.
        """
        live = await self._list_live_workers()
        if live:
            return live
        pollers = await list_pollers(self._client, self.task_queue)
        return pollers if live is None else pollers - self._listed

    async def _list_live_workers(self) -> set[str] | None:
        """The identities of workers with a recent heartbeat; None where Temporal gives no list.

        A heartbeat's age is measured with this machine's clock, from when its timestamp was first
        observed to change: the clocks of other workers may be wrong.
        """
        try:
            beats = await list_heartbeats(self._client, self.task_queue)
        except RPCError:  # unknown, not allowed, or unreachable: list_pollers shows which
            return None
        now, found = asyncio.get_running_loop().time(), set[str]()
        previous = self._heartbeats
        self._heartbeats = {}
        for worker in beats:
            self._listed.add(worker.worker_identity)
            if worker.status == WorkerStatus.WORKER_STATUS_SHUTDOWN:
                continue
            key, sent_at = worker.worker_instance_key, worker.heartbeat_time.ToNanoseconds()
            # One that has begun to drain is listed like that after its end, too: it counts once
            # another heartbeat of it arrives.
            is_draining = worker.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN
            unknown = (sent_at, -HEARTBEAT_EXPIRY_SECONDS) if is_draining else (0, 0.0)
            last_sent_at, observed_at = previous.get(key, unknown)
            observed_at = now if sent_at != last_sent_at else observed_at
            self._heartbeats[key] = (sent_at, observed_at)
            if now - observed_at < HEARTBEAT_EXPIRY_SECONDS:
                found.add(worker.worker_identity)
        return found


async def list_heartbeats(client: Client, task_queue: str | None = None) -> list[WorkerHeartbeat]:
    """List what the workers of a task queue, or of all, have reported last, stopped ones too.

    Raises ``RPCError``, also where Temporal keeps no list of workers, or may not give it.
    """
    request = ListWorkersRequest(
        namespace=client.namespace,
        query=f'TaskQueue="{task_queue}"' if task_queue else "",
        page_size=_PAGE_SIZE,
    )
    answer = await client.workflow_service.list_workers(request, timeout=_REQUEST_TIMEOUT)
    return [info.worker_heartbeat for info in answer.workers_info]


async def iterate_pollers(client: Client, task_queue: str) -> AsyncIterator[PollerInfo]:
    """Yield who polled a task queue in the last five minutes, for each kind of tasks.

    For workflow tasks and for activities: a busy worker may poll for one kind only. Raises
    ``RPCError``.
    """
    for kind in _TASK_QUEUE_TYPES:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
        )
        response = await client.workflow_service.describe_task_queue(
            request, timeout=_REQUEST_TIMEOUT
        )
        for poller in response.pollers:
            yield poller


async def list_pollers(client: Client, task_queue: str) -> set[str]:
    """The identities of a task queue's recent pollers. Raises ``RPCError``."""
    return {
        poller.identity
        async for poller in iterate_pollers(client, task_queue)
        if poller.last_access_time.ToDatetime(tzinfo=UTC) > datetime.now(UTC) - _POLLER_EXPIRY
    }
