"""What the benchmark and the load test stand on: a stand-in for AWS, a Temporal dev server, and what a worker needs to find both."""

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
from deploy.local.stack import wait_until_ready
from workflows.temporal.plugin import LambdaReleases

_PATIENCE: Final = 60.0
_KEYS: Final = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_NOWHERE: Final = dict.fromkeys(
    ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "TEMPORAL_CONFIG_FILE"), os.devnull
)


@dataclass(frozen=True)
class Services:
    """Both, running."""

    url: str
    """Where the stand-in for AWS is."""
    address: str
    """Where Temporal is."""
    client: Client
    http: aiohttp.ClientSession
    standin: Process
    temporal: Process
    environment: Mapping[str, str] = field(repr=False)
    """What a process needs to take them for AWS and Temporal; nothing in it leads elsewhere."""

    @classmethod
    @asynccontextmanager
    async def start(
        cls, directory: Path, *, standin: str, settings: Sequence[str]
    ) -> AsyncIterator[Services]:
        """Start the module ``standin``, which prints ``ready <url>``, and a dev server with these ``settings``; both end with the block.

        Processes keep bytecode in ``directory``, as where they are installed, even if this shell or folder keeps none.
        """
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TEMPORAL_", "RELEASES_", "PYTHON"))
        }
        clean["PYTHONPYCACHEPREFIX"] = str(directory / "bytecode")
        async with AsyncExitStack() as ending:
            log, command = directory / "standin.log", [sys.executable, "-m", standin]
            aws = Process.start(
                "the stand-in",
                command,
                environment=clean,
                directory=ROOT,
                log=log,
                pipe_stdout=True,
            )
            ending.push_async_callback(aws.stop)
            line = await aws.read_first_line(_PATIENCE)
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
            ending.push_async_callback(temporal.stop)
            client = await wait_until_ready(temporal, lambda: _connect(address))
            http = await ending.enter_async_context(aiohttp.ClientSession())
            environment = {
                **clean,
                **_NOWHERE,
                **_KEYS,
                "AWS_ENDPOINT_URL": url,
                "TEMPORAL_ADDRESS": address,
            }
            yield cls(url, address, client, http, aws, temporal, environment)


async def _connect(address: str) -> Client | None:
    try:
        client = await Client.connect(address, plugins=[LambdaReleases()])
        await client.count_workflows("")
    except (RuntimeError, RPCError):  # what a server that is not there yet raises
        return None
    return client
