"""The harness of a survival test.

The local Lambda, and a server and workers to kill.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import random
import socket
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiobotocore.session import get_session
from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.emulator import LocalLambda
from deploy.local.processes import Process
from deploy.local.stack import LOW_LATENCY_SETTINGS
from workflows.temporal.plugin import LambdaReleases

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::000000000000:role/lambda"
REFUSING = (
    "def handler(event, context):\n"
    "    return {'accept': False, 'reason': 'the smoke test failed'}\n"
)


def zip_source(source: str) -> bytes:
    """A .zip package of one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py", (2026, 1, 1, 0, 0, 0)), source)
    return buffer.getvalue()


def build_package(number: int) -> bytes:
    """The package of version ``number``."""
    return zip_source(f"def handler(event, context):\n    return {{'build': {number}}}\n")


@asynccontextmanager
async def open_client(local: LocalLambda, service: str) -> AsyncIterator[Any]:
    """Open a client of the local AWS."""
    client = get_session().create_client(
        service,
        endpoint_url=local.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    async with client as opened:
        yield opened


async def create_function(local: LocalLambda, name: str, body: bytes) -> None:
    """Create a function.

    Version 1 live, 8 executions reserved, 2 provisioned on version 1.
    """
    async with open_client(local, "lambda") as client:
        await client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=ROLE,
            Handler="index.handler",
            Code={"ZipFile": body},
        )
        await wait_until_active(client, name)
        await client.publish_version(FunctionName=name)
        await wait_until_active(client, name, Qualifier="1")
        await client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        await client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=8)
        await client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2
        )


async def wait_until_active(client: Any, name: str, **qualifier: str) -> None:
    """Wait until a function or a version is ready."""
    for _ in range(100):
        found = (await client.get_function(FunctionName=name, **qualifier))["Configuration"]
        if (
            found.get("State") == "Active"
            and found.get("LastUpdateStatus", "Successful") == "Successful"
        ):
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(name)


async def read_state(local: LocalLambda, name: str) -> dict[str, Any]:
    """Read everything that a release can change or publish."""
    async with open_client(local, "lambda") as client:
        alias = await client.get_alias(FunctionName=name, Name="live")
        versions = (await client.list_versions_by_function(FunctionName=name))["Versions"]
        function = await client.get_function(FunctionName=name)
        provisioned = {}
        for version in versions:
            if version["Version"] != "$LATEST":
                try:
                    config = await client.get_provisioned_concurrency_config(
                        FunctionName=name, Qualifier=version["Version"]
                    )
                    provisioned[version["Version"]] = config[
                        "RequestedProvisionedConcurrentExecutions"
                    ]
                except client.exceptions.ProvisionedConcurrencyConfigNotFoundException:
                    pass
        sha = {version["Version"]: version["CodeSha256"] for version in versions}
        return {
            "live": alias["FunctionVersion"],
            "weights": (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {},
            "versions": sorted(set(sha) - {"$LATEST"}, key=int),
            "reserved": (function.get("Concurrency") or {}).get("ReservedConcurrentExecutions"),
            "provisioned": provisioned,
            "latest": next(
                (
                    version
                    for version in sha
                    if version != "$LATEST" and sha[version] == sha["$LATEST"]
                ),
                None,
            ),
            "memory": function["Configuration"]["MemorySize"],
        }


_ports = iter(random.sample(range(20_000, 32_000), k=1_000))


def free_port() -> int:
    """A free port: none twice, and none of the range of outgoing connections."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


class TemporalServer:
    """A Temporal dev server on SQLite that can be killed and restarted on its file and port."""

    def __init__(self, directory: Path) -> None:
        """Choose a port; the server is not started yet."""
        self._directory = directory
        self._port = free_port()
        self._process: Process | None = None
        self.address = f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start, and wait until it answers."""
        command = [
            str(ROOT / ".venv/bin/temporal"),
            "server",
            "start-dev",
            "--ip",
            "127.0.0.1",
            "--port",
            str(self._port),
            "--headless",
        ]
        command += [
            "--db-filename",
            str(self._directory / "temporal.db"),
            "--log-level",
            "error",
            *LOW_LATENCY_SETTINGS,
        ]
        log = self._directory / "temporal.log"
        self._process = Process.start(
            "Temporal", command, environment=os.environ, directory=ROOT, log=log
        )
        await self.connect()

    async def connect(self) -> Client:
        """Connect, as soon as the server answers."""
        for _ in range(150):
            try:
                client = await Client.connect(self.address, plugins=[LambdaReleases()])
                await client.count_workflows("")
            except (RuntimeError, RPCError):  # what a server that is not there yet raises
                await asyncio.sleep(0.2)
            else:
                return client
        raise TimeoutError("Temporal did not come up")

    async def restart(self, *, down: float = 0) -> None:
        """SIGKILL it, and restart it ``down`` seconds later on its database."""
        assert self._process is not None
        self._process.popen.kill()
        await self._process.stop()
        await asyncio.sleep(down)
        await self.start()

    async def stop(self) -> None:
        """Stop the process."""
        if self._process is not None:
            await self._process.stop()


class WorkerProcess:
    """A worker process, ``python worker.py``, that can be killed and restarted."""

    def __init__(
        self,
        name: str,
        *,
        temporal: str,
        directory: Path,
        queue: str | None = None,
        continue_after: int | None = None,
    ) -> None:
        """``name`` is also its task queue, unless ``queue`` is given.

        Its releases continue in new runs after so many events, where that is given. It is not
        started yet.
        """
        self._continue_after = continue_after
        self._name = name
        self._queue = queue or name
        self._temporal = temporal
        self._log = directory / f"{name}.log"
        self._environment: dict[str, str] = {}
        self._process: Process | None = None

    def start(self, local: LocalLambda, endpoint: str) -> None:
        """Start it; ``endpoint`` is its AWS."""
        self._environment = {
            **os.environ,
            **local.environment,
            "AWS_ENDPOINT_URL": endpoint,
            "TEMPORAL_ADDRESS": self._temporal,
        }
        self._environment |= {"RELEASES_TASK_QUEUE": self._queue}
        if self._continue_after is not None:
            self._environment["CONTINUE_AFTER"] = str(self._continue_after)
        self._spawn()

    def _spawn(self) -> None:
        is_short = self._continue_after is not None
        self._process = Process.start(
            self._name,
            [sys.executable, "tests/survival/short_histories.py" if is_short else "worker.py"],
            environment=self._environment,
            directory=ROOT,
            log=self._log,
        )

    async def kill(self, *, down: float = 0) -> None:
        """SIGKILL it, and start another one ``down`` seconds later."""
        assert self._process is not None
        self._process.popen.kill()
        await self._process.stop()
        await asyncio.sleep(down)
        self._spawn()

    async def stop(self) -> None:
        """Stop the process."""
        if self._process is not None:
            await self._process.stop()

    def log(self) -> str:
        """Its log."""
        return self._log.read_text(errors="replace")
