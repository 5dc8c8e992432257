"""The servers of benchmark and load test: a stand-in for AWS, and Temporal."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.emulator import ROOT
from deploy.local.ports import Ports
from deploy.local.processes import Process, ProcessError
from tests.fake_lambda.account import ACCOUNT
from workflows.temporal.plugin import LambdaReleases

_START_TIMEOUT: Final = 60.0
_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_NO_FILES: Final = dict.fromkeys(
    ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "TEMPORAL_CONFIG_FILE"), os.devnull
)


@dataclass(frozen=True)
class Services:
    """A running stand-in and a running Temporal dev server."""

    url: str
    """The URL of the stand-in for AWS."""
    address: str
    """The address of Temporal."""
    client: Client
    http: aiohttp.ClientSession
    standin: Process
    temporal: Process
    environment: Mapping[str, str] = field(repr=False)
    """Environment variables that make a process use both, and nothing else."""

    @classmethod
    @asynccontextmanager
    async def start(
        cls, directory: Path, *, standin: str, settings: Sequence[str]
    ) -> AsyncIterator[Services]:
        """Start the module ``standin``, which prints ``ready <url>``, and a dev server.

        Both are stopped when the block ends. Processes keep bytecode in ``directory``, as installed
        ones do, even where this shell or folder keeps none.
        """
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TEMPORAL_", "RELEASES_", "PYTHON"))
        }
        clean["PYTHONPYCACHEPREFIX"] = str(directory / "bytecode")
        async with AsyncExitStack() as stack:
            log, command = directory / "standin.log", [sys.executable, "-m", standin]
            aws = Process.start(
                "the stand-in",
                command,
                environment=clean,
                directory=ROOT,
                log=log,
                pipe_stdout=True,
            )
            stack.push_async_callback(aws.stop)
            line = await aws.read_first_line(_START_TIMEOUT)
            if not line.startswith("ready "):
                raise ProcessError(f"the stand-in did not start: {aws.read_log_tail()}")
            url, port = line.removeprefix("ready "), Ports.any_free().temporal
            address = f"127.0.0.1:{port}"
            binary = str(Path(sys.executable).with_name("temporal"))
            start = [
                binary,
                "server",
                "start-dev",
                "--ip",
                "127.0.0.1",
                "--port",
                str(port),
                "--headless",
                "--log-level",
                "error",
                *settings,
            ]
            temporal = Process.start(
                "Temporal", start, environment=clean, directory=ROOT, log=directory / "temporal.log"
            )
            stack.push_async_callback(temporal.stop)
            client = await temporal.wait_until_ready(lambda: _connect(address))
            http = await stack.enter_async_context(aiohttp.ClientSession())
            environment = {
                **clean,
                **_NO_FILES,
                **_CREDENTIALS,
                "AWS_ENDPOINT_URL": url,
                "TEMPORAL_ADDRESS": address,
                "RELEASES_ACCOUNT": ACCOUNT,
            }
            yield cls(url, address, client, http, aws, temporal, environment)


async def _connect(address: str) -> Client | None:
    try:
        client = await Client.connect(address, plugins=[LambdaReleases()])
        await client.count_workflows("")
    except (RuntimeError, RPCError):  # raised while the server is starting
        return None
    return client
