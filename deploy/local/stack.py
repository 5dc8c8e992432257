"""The parts of the local stack, started one after the other and ended in reverse: Temporal, the local Lambda, a worker."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from activities.limits.sharing import list_pollers
from deploy.local.emulator import ROOT, LocalLambda
from deploy.local.ports import Ports
from deploy.local.processes import ProcessError, Process

_T = TypeVar("_T")

LOW_LATENCY_SETTINGS: Final = (
    *(
        argument
        for queue in ("transfer", "timer", "visibility")
        for argument in ("--dynamic-config-value", f"history.{queue}ProcessorMaxPollRPS=2000")
    ),
    "--dynamic-config-value",
    "system.forceSearchAttributesCacheRefreshOnRead=false",
)
"""Settings of the dev server without which a release waits 50 ms for each of its steps, and each change of a search attribute, in the
middle of a workflow task, for a read of the database behind all that others write: 70 ms while hundreds of activities come in.
As a server in production is set."""

SQLITE_SETTINGS: Final = ("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL")
"""Settings of its SQLite on a file without which it flushes the disk at every step: half of the server's work for a release.

What it has written survives the death of the server; the last moments may not survive that of the machine."""

_TASK_QUEUE: Final = "lambda-releases"
_PATIENCE: Final = 60.0
"""Seconds a part gets to come up. Temporal needs about one, the worker a few."""

_DRAIN: Final = 40.0
"""Seconds the worker gets to finish what is under way: more than it takes for itself."""


@dataclass(frozen=True)
class Stack:
    """A running local stack."""

    ports: Ports
    directory: Path
    """Where the logs are, and Temporal's database."""
    aws: LocalLambda
    temporal: Client
    parts: tuple[Process, ...]

    @property
    def ui_url(self) -> str:
        """Where Temporal's Web UI is."""
        return f"http://127.0.0.1:{self.ports.ui}"

    @property
    def address(self) -> str:
        """Where Temporal is, for clients and for its CLI."""
        return f"127.0.0.1:{self.ports.temporal}"

    def environment(self) -> dict[str, str]:
        """This process's environment, pointed at the stack: nothing in it leads to a real account or another Temporal."""
        return _environment(self.ports, self.aws)

    async def end_of_a_part(self) -> Process:
        """The first part that ends by itself. While all is well this does not return."""
        while True:
            for part in self.parts:
                if part.ended:
                    return part
            await asyncio.sleep(0.2)

    @classmethod
    @asynccontextmanager
    async def start(
        cls, ports: Ports, directory: Path, *, keep: bool = False
    ) -> AsyncIterator[Stack]:
        """Run all parts for as long as the block runs. When it ends – in whatever way – they end, the last one first.

        With ``keep``, Temporal's histories and everything in the local AWS are there again next time; without it every start is a new one.
        Raises :class:`~deploy.local.processes.ProcessError` with the reason, and the end of the log, when a part does not come up.
        """
        ports.check_free()
        async with AsyncExitStack() as ending:
            ending.enter_context(_occupied(directory))
            _clear(directory, keep=keep)
            temporal = _start_temporal(ports, directory)
            ending.push_async_callback(temporal.stop)
            client = await wait_until_ready(temporal, lambda: _connect(ports))
            local_lambda = LocalLambda.start(
                ports.awslambda,
                state=directory / "aws" if keep else None,
                log=directory / "lambda.log",
                settle=1.0,
                provision=2.0,
            )
            aws = await ending.enter_async_context(local_lambda)
            worker = _start_worker(ports, aws, directory)
            ending.push_async_callback(worker.stop)
            await wait_until_ready(worker, lambda: list_pollers(client, _TASK_QUEUE))
            yield cls(ports, directory, aws, client, (temporal, aws.process, worker))


@contextmanager
def _occupied(directory: Path) -> Iterator[None]:
    """Keep a second stack out of the directory: it would remove the first one's database."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / ".gitignore").write_text("*\n")
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProcessError(
                f"another local stack runs in {directory}: end it, or use --directory"
            ) from None
        yield


def _clear(directory: Path, *, keep: bool) -> None:
    for stale in () if keep else [*directory.glob("*.log"), *directory.glob("temporal.db*")]:
        stale.unlink()


def _environment(ports: Ports, aws: LocalLambda) -> dict[str, str]:
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TEMPORAL_"))
    }
    files = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    return {**ours, **files, **aws.environment, "TEMPORAL_ADDRESS": f"127.0.0.1:{ports.temporal}"}


def _start_temporal(ports: Ports, directory: Path) -> Process:
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise ProcessError("there is no `temporal` command: run `make install`")
    command = [
        found,
        "server",
        "start-dev",
        "--ip",
        "127.0.0.1",
        "--port",
        str(ports.temporal),
        "--ui-port",
        str(ports.ui),
    ]
    command += [
        "--db-filename",
        str(directory / "temporal.db"),
        "--log-level",
        "error",
        "--ui-disable-news-fetch",
        *LOW_LATENCY_SETTINGS,
        *SQLITE_SETTINGS,
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")
    }
    return Process.start(
        "Temporal",
        command,
        environment=environment,
        directory=directory,
        log=directory / "temporal.log",
    )


def _start_worker(ports: Ports, aws: LocalLambda, directory: Path) -> Process:
    command = [sys.executable, "worker.py"]
    return Process.start(
        "the worker",
        command,
        environment=_environment(ports, aws),
        directory=ROOT,
        log=directory / "worker.log",
        patience=_DRAIN,
    )


async def _connect(ports: Ports) -> Client | None:
    try:
        return await Client.connect(f"127.0.0.1:{ports.temporal}")
    except (RuntimeError, RPCError):  # what a server that is not there yet raises
        return None


async def wait_until_ready(part: Process, look: Callable[[], Awaitable[_T | None]]) -> _T:
    """What ``look`` finds once the part is up. Raises ``ProcessError`` with the end of its log where it ends, or takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if part.ended:
            raise ProcessError(f"{part.name} ended while it was starting ({part.log}):\n{part.tail()}")
        if found := await look():
            return found
        await asyncio.sleep(0.05)
    raise ProcessError(f"{part.name} is not up after {_PATIENCE:.0f} s ({part.log}):\n{part.tail()}")
