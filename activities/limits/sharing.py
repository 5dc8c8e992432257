"""Which part of AWS's rates is this worker's: as many workers as serve the queue now, so many equal parts.

Nobody sets it: every worker lets Temporal know every two seconds that it is there, asks as often who else is, and goes on at its part.
One that just started counts itself at once, and keeps to half of its part until the others must have noticed it. One that is gone,
stopped or killed, is forgotten within ten seconds. While Temporal does not answer, everything stays as it is.

A Temporal that keeps no list of workers (server before 1.30, or switched off) is asked who polls the queue: there a worker that is
gone counts for another 75 seconds.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.limits.rate import Limits

HEARTBEAT_INTERVAL: Final = timedelta(seconds=2)
"""How often a worker says that it is there (``Runtime(worker_heartbeat_interval=…)``), and how often each asks."""

REDUCED_SHARE_SECONDS: Final = 2.5 * HEARTBEAT_INTERVAL.total_seconds()
"""Seconds that a new worker keeps to half of its part: it is listed after one beat, and everybody has asked after another."""

HEARTBEAT_EXPIRY_SECONDS: Final = 4 * HEARTBEAT_INTERVAL.total_seconds()
"""Seconds without a beat after which a worker is gone."""

_POLLER_EXPIRY: Final = timedelta(seconds=75)
"""A worker that has nothing to do polls once a minute."""

_REQUEST_TIMEOUT: Final = timedelta(seconds=5)
_PAGE_SIZE: Final = 1_000
_TASK_QUEUE_TYPES: Final = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)

log = logging.getLogger("releases.share")


class RateShare:
    """This worker's part of the rates. The identity of its client must be its own."""

    def __init__(self, client: Client, *, task_queue: str, limits: Limits) -> None:
        """Nobody was asked yet."""
        self._client = client
        self._task_queue = task_queue
        self._limits = limits
        self._workers = 1
        self._heard: dict[str, tuple[int, float]] = {}

    async def start(self) -> None:
        """Count the workers that there are and this one, and begin with half of its part: before it polls for the first time."""
        await self._count()
        self._limits.divide_rates(2 * self._workers)

    async def maintain(self) -> None:
        """Go on at its part, whoever comes and goes. Without end."""
        before, until = 0, asyncio.get_running_loop().time() + REDUCED_SHARE_SECONDS
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
            await self._count()
            if asyncio.get_running_loop().time() < until:
                self._limits.divide_rates(2 * self._workers)
                continue
            self._limits.divide_rates(self._workers)
            if self._workers != before:
                log.info(
                    "%d workers serve %s: %.3g calls to AWS a second each",
                    self._workers,
                    self._task_queue,
                    self._limits.control_plane,
                )
            before = self._workers

    async def _count(self) -> None:
        """How many workers serve the queue; as many as before where Temporal does not say."""
        try:
            found = await self._beating() or await list_pollers(self._client, self._task_queue)
        except RPCError as error:
            log.warning("Temporal does not say who serves %s: %s", self._task_queue, error.message)
        else:
            self._workers = len({self._client.identity, *found})

    async def _beating(self) -> set[str]:
        """The identities of those whose beat was heard of late, by our own clock; none where Temporal keeps no list."""
        request = ListWorkersRequest(
            namespace=self._client.namespace,
            query=f'TaskQueue="{self._task_queue}"',
            page_size=_PAGE_SIZE,
        )
        try:
            answer = await self._client.workflow_service.list_workers(request, timeout=_REQUEST_TIMEOUT)
        except RPCError:  # not known, not allowed, or not there: the other question tells which
            return set()
        now, found = asyncio.get_running_loop().time(), set[str]()
        heard = self._heard
        self._heard = {}
        for info in answer.workers_info:
            worker = info.worker_heartbeat
            if worker.status == WorkerStatus.WORKER_STATUS_SHUTDOWN:
                continue
            beat = worker.heartbeat_time.ToNanoseconds()
            last, at = heard.get(worker.worker_instance_key, (0, 0.0))
            self._heard[worker.worker_instance_key] = (beat, now if beat != last else at)
            if now - self._heard[worker.worker_instance_key][1] < HEARTBEAT_EXPIRY_SECONDS:
                found.add(worker.worker_identity)
        return found


async def list_pollers(client: Client, task_queue: str) -> set[str]:
    """The identities of those that poll a queue, for workflows or for activities: one that is busy may poll for one of them only.

    Raises ``RPCError``.
    """
    found: set[str] = set()
    for kind in _TASK_QUEUE_TYPES:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
        )
        answer = await client.workflow_service.describe_task_queue(request, timeout=_REQUEST_TIMEOUT)
        since = datetime.now(UTC) - _POLLER_EXPIRY
        found |= {
            poller.identity
            for poller in answer.pollers
            if poller.last_access_time.ToDatetime(tzinfo=UTC) > since
        }
    return found
