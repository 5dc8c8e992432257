"""Eviction: a workflow that only waits does not stay in a worker's memory.

A ``Release`` waits for its ``Rollout``, for hours if that bakes for hours. In memory it would cost
as much as one more ``Rollout``. To rebuild it once, at the end, from its short history takes some
milliseconds.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from temporalio.worker import Worker

_POLL_SECONDS: Final = 1.0
"""Between two evictions of a worker."""


class IdleWorkflows:
    """The runs to evict, by id.

    Thread-safe: threads that run workflows mark a run idle. Every worker of the process receives a
    request to evict it, as it is not known which of them has it.
    """

    def __init__(self) -> None:
        """Start without an idle run, and without a worker."""
        self._lock = threading.Lock()
        self._queues: list[list[str]] = []

    def mark_idle(self, run_id: str) -> None:
        """Have this run evicted: it will only wait, for a long time."""
        with self._lock:
            for queue in self._queues:
                queue.append(run_id)

    async def evict_from(self, worker: Worker) -> None:
        """Evict idle runs from a worker, until cancelled.

        It does no harm to a run that has continued meanwhile, has ended, or is another worker's.
        """
        queue: list[str] = []
        with self._lock:
            self._queues.append(queue)
        try:
            while True:
                await asyncio.sleep(_POLL_SECONDS)
                with self._lock:
                    run_ids, queue[:] = list(queue), []
                for run_id in run_ids:
                    # The SDK has no public method to evict a run; its bridge to the core has one.
                    worker._bridge_worker.request_workflow_eviction(run_id)  # pyright: ignore[reportPrivateUsage] - no public way  # noqa: SLF001 - no public way
        finally:
            with self._lock:
                self._queues = [other for other in self._queues if other is not queue]


IDLE_WORKFLOWS: Final = IdleWorkflows()
"""The idle runs of this process."""
