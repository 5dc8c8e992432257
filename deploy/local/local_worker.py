"""The worker of the local stack, which may be killed and started again."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from temporalio.client import Client

from activities.limits.sharing import list_pollers
from deploy.local.emulator import ROOT
from deploy.local.processes import Process, ProcessError

_TASK_QUEUE: Final = "lambda-releases"
_DRAIN_TIMEOUT: Final = 40.0
"""Seconds until a stopping worker is killed: more than it gives its own activities."""


class LocalWorker:
    """``worker.py`` as a process."""

    def __init__(self, client: Client, environment: Mapping[str, str], log: Path) -> None:
        """Have nothing started yet; all its processes write to the same ``log``."""
        self._client = client
        self._environment = environment
        self._log = log
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The latest process. Raises ``ProcessError`` before the first."""
        if self._process is None:
            raise ProcessError("the worker is not started")
        return self._process

    async def start(self) -> None:
        """Start a process, after the one before has exited, and wait until it serves its queue."""
        await self.stop()
        self._process = Process.start(
            "the worker",
            [sys.executable, "worker.py"],
            environment=self._environment,
            directory=ROOT,
            log=self._log,
            stop_timeout=_DRAIN_TIMEOUT,
        )
        await self._process.wait_until_ready(self._is_serving)

    async def stop(self) -> None:
        """Stop the process, if there is one, and wait for it."""
        if self._process is not None:
            await self._process.stop()

    async def _is_serving(self) -> bool:
        """Whether this process polls: Temporal goes on listing a killed one for minutes."""
        ours = re.compile(rf"(?:.*:)?{self.process.pid}@.*")
        return any(map(ours.fullmatch, await list_pollers(self._client, _TASK_QUEUE)))
