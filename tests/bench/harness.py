"""The harness of the benchmark: a Temporal dev server, the stand-in for Lambda, and worker processes, all of them ended with the block."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from activities.limits.sharing import list_pollers
from deploy.local.emulator import ROOT
from deploy.local.processes import Process, ProcessError
from deploy.local.stack import LOW_LATENCY_SETTINGS, SQLITE_SETTINGS, wait_until_ready
from tests.bench.services import Services

_FREE: Final = "10000"
"""A second: what the worker's limit is set to, so that it does not count."""


@dataclass
class BenchHarness:
    """Everything that runs, by name, and how to reach it."""

    directory: Path
    services: Services
    processes: dict[str, Process]
    stack: AsyncExitStack
    places: dict[str, str] = field(default_factory=dict)
    """Where else something serves, by name."""

    async def functions(self, prefix: str, count: int) -> None:
        """Make functions ``<prefix>-0`` …, and one to warm up with."""
        for one, many in ((f"{prefix}w", 1), (prefix, count)):
            async with self.services.http.put(f"{self.services.url}/bench/{one}/{many}") as answer:
                await answer.read()

    async def read_functions(self, prefix: str) -> dict[str, Any]:
        """How they are now."""
        async with self.services.http.get(f"{self.services.url}/bench/{prefix}") as answer:
            found: dict[str, Any] = json.loads(await answer.read())
            return found

    async def worker(
        self, name: str, command: list[str], queue: str, **environment: str
    ) -> Process:
        """Start a worker process and wait until it polls its queue."""
        log = self.directory / f"{name}.log"
        process = Process.start(
            name,
            [sys.executable, *command],
            environment={**self.services.environment, **environment},
            directory=ROOT,
            log=log,
        )
        self.processes[name] = process
        self.stack.push_async_callback(process.stop)
        await wait_until_ready(process, lambda: list_pollers(self.services.client, queue))
        return process

    async def product(self, name: str = "ours", **environment: str) -> Process:
        """Start the product's worker, ``python worker.py``, with AWS's limits out of the way; its task queue is its name."""
        limits = {
            "RELEASES_TASK_QUEUE": name,
            "RELEASES_AWS_RATE": _FREE,
            "RELEASES_LOG_LEVEL": "warning",
        }
        return await self.worker(name, ["worker.py"], name, **{**limits, **environment})

    async def contender(self, *arguments: str, seconds: float = 300) -> dict[str, Any]:
        """Run a contender that is a process of its own for one burst; what it printed."""
        command = [sys.executable, "-m", *arguments]
        process = Process.start(
            arguments[0],
            command,
            environment=self.services.environment,
            directory=ROOT,
            log=None,
            pipe_stdout=True,
        )
        try:
            line = await process.read_first_line(seconds)
            if not line.startswith("{"):
                raise ProcessError(
                    f"{arguments[0]} did not come to an end: {line} {process.read_log_tail()}"
                )
            found: dict[str, Any] = json.loads(line)
            return found
        finally:
            await process.stop()

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run for the whole of the benchmark."""
        return {name: process.pid for name, process in self.processes.items()}


@asynccontextmanager
async def start_harness(directory: Path) -> AsyncIterator[BenchHarness]:
    """Start the stand-in and Temporal; workers are started as they are needed."""
    settings = (
        "--db-filename",
        str(directory / "temporal.db"),
        *LOW_LATENCY_SETTINGS,
        *SQLITE_SETTINGS,
    )
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(
            Services.start(directory, standin="tests.bench.standin", settings=settings)
        )
        yield BenchHarness(
            directory, services, {"server": services.temporal, "stand-in": services.standin}, stack
        )
