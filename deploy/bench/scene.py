"""The stage of the benchmark: a Temporal dev server, the stand-in for Lambda, and worker processes, all of them ended with the block."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.emulator import ROOT
from deploy.local.ports import Ports
from deploy.local.processes import PartError, Process
from deploy.local.stack import AT_ONCE, ON_FILE
from workflows.plugin import LambdaReleases

_PATIENCE: Final = 60.0
_FREE: Final = "10000"
"""A second: what the worker's limit is set to, so that it does not count."""


@dataclass
class Scene:
    """Everything that runs, by name, and how to reach it."""

    directory: Path
    url: str
    address: str
    client: Client
    http: aiohttp.ClientSession
    processes: dict[str, Process]
    stack: AsyncExitStack
    environment: Mapping[str, str] = field(repr=False)
    places: dict[str, str] = field(default_factory=dict)
    """Where else something serves, by name."""

    async def functions(self, prefix: str, count: int) -> None:
        """Make functions ``<prefix>-0`` …, and one to warm up with."""
        for one, many in ((f"{prefix}w", 1), (prefix, count)):
            async with self.http.put(f"{self.url}/bench/{one}/{many}") as answer:
                await answer.read()

    async def told(self, prefix: str) -> dict[str, Any]:
        """How they are now."""
        async with self.http.get(f"{self.url}/bench/{prefix}") as answer:
            found: dict[str, Any] = json.loads(await answer.read())
            return found

    async def worker(self, name: str, command: list[str], queue: str, **environment: str) -> Process:
        """Start a worker process and wait until it polls its queue."""
        log = self.directory / f"{name}.log"
        process = Process.start(name, [sys.executable, *command], environment={**self.environment, **environment}, directory=ROOT, log=log)
        self.processes[name] = process
        self.stack.push_async_callback(process.stop)
        async with asyncio.timeout(_PATIENCE):
            while not await polled(self.client, queue):
                if process.ended:
                    raise PartError(f"{name} ended while it was starting:\n{process.tail()}")
                await asyncio.sleep(0.05)
        return process

    async def product(self, name: str = "ours", **environment: str) -> Process:
        """Start the product's worker, ``python worker.py``, with AWS's limits out of the way; its task queue is its name."""
        limits = {"RELEASES_TASK_QUEUE": name, "RELEASES_AWS_RATE": _FREE, "RELEASES_LOG_LEVEL": "warning"}
        return await self.worker(name, ["worker.py"], name, **{**limits, **environment})

    async def contender(self, *arguments: str, seconds: float = 300) -> dict[str, Any]:
        """Run a contender that is a process of its own for one burst; what it printed."""
        command = [sys.executable, "-m", *arguments]
        process = Process.start(arguments[0], command, environment=self.environment, directory=ROOT, log=None, piped=True)
        try:
            line = await process.first_line(seconds)
            if not line.startswith("{"):
                raise PartError(f"{arguments[0]} did not come to an end: {line} {process.tail()}")
            found: dict[str, Any] = json.loads(line)
            return found
        finally:
            await process.stop()

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run for the whole of the benchmark."""
        return {name: process.pid for name, process in self.processes.items()}


@asynccontextmanager
async def scene(directory: Path, *, settings: Sequence[str] = (*AT_ONCE, *ON_FILE)) -> AsyncIterator[Scene]:
    """Start the stand-in and Temporal; workers are started as they are needed."""
    async with AsyncExitStack() as stack:
        command = [sys.executable, "-m", "deploy.bench.standin"]
        standin = Process.start("the stand-in", command, environment=os.environ, directory=ROOT, log=directory / "standin.log", piped=True)
        stack.push_async_callback(standin.stop)
        line = await standin.first_line(_PATIENCE)
        if not line.startswith("ready "):
            raise PartError(f"the stand-in did not start: {standin.tail()}")
        url = line.removeprefix("ready ")
        ports = Ports.any_free()
        address = f"127.0.0.1:{ports.temporal}"
        binary = str(Path(sys.executable).with_name("temporal"))
        start = [binary, "server", "start-dev", "--ip", "127.0.0.1", "--port", str(ports.temporal), "--headless", "--log-level", "error"]
        start += ["--db-filename", str(directory / "temporal.db"), *settings]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TEMPORAL_", "RELEASES_", "PYTHON"))}
        clean["PYTHONPYCACHEPREFIX"] = str(directory / "bytecode")  # as where it is installed, even if this shell or folder keeps none
        server = Process.start("Temporal", start, environment=clean, directory=ROOT, log=directory / "temporal.log")
        stack.push_async_callback(server.stop)
        client = await _connected(address, server)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        nowhere = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "TEMPORAL_CONFIG_FILE"), os.devnull)
        aws = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_ENDPOINT_URL": url}
        aws |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        environment = {**clean, **nowhere, **aws, "TEMPORAL_ADDRESS": address}
        yield Scene(directory, url, address, client, http, {"server": server, "stand-in": standin}, stack, environment)


async def _connected(address: str, server: Process) -> Client:
    async with asyncio.timeout(_PATIENCE):
        while True:
            if server.ended:
                raise PartError(f"Temporal did not start:\n{server.tail()}")
            try:
                client = await Client.connect(address, plugins=[LambdaReleases()])
                await client.count_workflows("")
            except (RuntimeError, RPCError):  # what a server that is not there yet raises
                await asyncio.sleep(0.1)
            else:
                return client


async def polled(client: Client, queue: str) -> bool:
    """Whether a worker asks for work."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    )
    return bool((await client.workflow_service.describe_task_queue(request)).pollers)
