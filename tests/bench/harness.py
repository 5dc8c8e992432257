"""The harness of the benchmark: its servers, workers and contenders."""

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
from deploy.local.stack import LOW_LATENCY_SETTINGS, SQLITE_SETTINGS
from tests.bench.services import Services

_UNLIMITED_RATE: Final = "10000"
"""AWS calls a second: a rate limit of the worker that has no effect."""


@dataclass
class BenchHarness:
    """The running processes, by name, and how to reach them."""

    directory: Path
    services: Services
    processes: dict[str, Process]
    stack: AsyncExitStack
    urls: dict[str, str] = field(default_factory=dict)
    """URLs of further servers, by name."""

    async def create_functions(self, prefix: str, count: int) -> None:
        """Create functions ``<prefix>-0`` …, and ``<prefix>w-0`` to warm up with."""
        for name, number in ((f"{prefix}w", 1), (prefix, count)):
            async with self.services.http.put(
                f"{self.services.url}/bench/{name}/{number}"
            ) as response:
                await response.read()

    async def read_functions(self, prefix: str) -> dict[str, Any]:
        """Read the functions as the stand-in has them, by name."""
        async with self.services.http.get(f"{self.services.url}/bench/{prefix}") as response:
            found: dict[str, Any] = json.loads(await response.read())
            return found

    async def start_worker(
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
        await process.wait_until_ready(lambda: list_pollers(self.services.client, queue))
        return process

    async def start_product_worker(self, name: str = "ours", **environment: str) -> Process:
        """Start ``python worker.py`` without a rate limit. Its task queue is ``name``."""
        limits = {
            "RELEASES_TASK_QUEUE": name,
            "RELEASES_AWS_RATE": _UNLIMITED_RATE,
            "RELEASES_LOG_LEVEL": "warning",
        }
        return await self.start_worker(name, ["worker.py"], name, **{**limits, **environment})

    async def run_contender(self, *arguments: str, seconds: float = 300) -> dict[str, Any]:
        """Run a contender that is a process of its own; returns the JSON that it printed."""
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
                    f"{arguments[0]} did not finish: {line} {process.read_log_tail()}"
                )
            found: dict[str, Any] = json.loads(line)
            return found
        finally:
            await process.stop()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids, by name."""
        return {name: process.pid for name, process in self.processes.items()}


@asynccontextmanager
async def start_harness(directory: Path) -> AsyncIterator[BenchHarness]:
    """Start the stand-in and Temporal; everything is stopped when the block ends."""
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
