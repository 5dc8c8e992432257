"""A workflow that only waits for another one, for long, is not kept in memory: its worker forgets it, and has it back when it is needed.

A ``Release`` waits for its ``Rollout``: for hours, if that bakes for hours. To keep it would cost as much memory as to keep one more
``Rollout``; to rebuild it from its short history, once, at the end, costs some milliseconds.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from temporalio.worker import Worker

_POLL_SECONDS: Final = 1.0
"""Seconds between two looks at who dozes."""


class IdleWorkflows:
    """Runs that only wait from now on. Told from threads that run workflows, to all workers of the process: one of them has it."""

    def __init__(self) -> None:
        """None does, and no worker is there."""
        self._lock = threading.Lock()
        self._told: list[list[str]] = []

    def mark_idle(self, run_id: str) -> None:
        """Nothing is to be done for this run for a long time."""
        with self._lock:
            for runs in self._told:
                runs.append(run_id)

    async def evict_from(self, worker: Worker) -> None:
        """Have a worker forget whoever dozes. Without end. One that has woken up meanwhile, is over, or is another worker's, is none the worse for it."""
        runs: list[str] = []
        with self._lock:
            self._told.append(runs)
        try:
            while True:
                await asyncio.sleep(_POLL_SECONDS)
                with self._lock:
                    dozing, runs[:] = list(runs), []
                for run_id in dozing:
                    worker._bridge_worker.request_workflow_eviction(run_id)  # pyright: ignore[reportPrivateUsage] - no public way  # noqa: SLF001 - # pyright: ignore[reportPrivateUsage] - no public way
        finally:
            with self._lock:
                self._told = [others for others in self._told if others is not runs]


IDLE_WORKFLOWS: Final = IdleWorkflows()
"""Those of this process."""
