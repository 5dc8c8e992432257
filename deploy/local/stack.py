"""The processes of the local stack: Temporal, the local Lambda and a worker."""

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
from deploy.local.processes import Process, ProcessError

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
"""Settings that make the dev server as fast as a server in production.

Without the first ones a release waits 50 ms for each of its steps. Without the last one each change
of a search attribute reads the database, in the middle of a workflow task and behind all writes:
70 ms while hundreds of activities are scheduled.
"""

SQLITE_SETTINGS: Final = (
    "--sqlite-pragma",
    "journal_mode=WAL",
    "--sqlite-pragma",
    "synchronous=NORMAL",
)
"""Settings of the dev server's SQLite file that avoid a flush of the disk at every step.

The flushes are half of the server's work for a release. Written data survives the death of the
server; the last moments may not survive that of the machine.
"""

_TASK_QUEUE: Final = "lambda-releases"
_START_TIMEOUT: Final = 60.0
"""Seconds until a process must be ready. Temporal needs about one, the worker a few."""

_POLL_SECONDS: Final = 0.05
_EXIT_POLL_SECONDS: Final = 0.2

_DRAIN_TIMEOUT: Final = 40.0
"""Seconds until a stopping worker is killed: more than it gives its own activities."""


@dataclass(frozen=True)
class Stack:
    """A running local stack."""

    ports: Ports
    directory: Path
    """The directory of the logs and of Temporal's database."""
    aws: LocalLambda
    temporal: Client
    processes: tuple[Process, ...]

    @property
    def ui_url(self) -> str:
        """The URL of Temporal's Web UI."""
        return f"http://127.0.0.1:{self.ports.ui}"

    @property
    def address(self) -> str:
        """The address of Temporal, for clients and for its CLI."""
        return f"127.0.0.1:{self.ports.temporal}"

    async def wait_for_exit(self) -> Process:
        """Wait until a process exits by itself, and return it."""
        while True:
            for process in self.processes:
                if process.has_exited:
                    return process
            await asyncio.sleep(_EXIT_POLL_SECONDS)

    @classmethod
    @asynccontextmanager
    async def start(
        cls, ports: Ports, directory: Path, *, keep: bool = False
    ) -> AsyncIterator[Stack]:
        """Run all processes for the length of the block, and stop them in reverse order.

        They are stopped however the block ends. With ``keep``, Temporal's histories and everything
        in the local AWS are kept for the next start; without it every start is a new one. Raises
        :class:`~deploy.local.processes.ProcessError` with the reason, and the end of the log, where
        a process does not start.
        """
        ports.check_free()
        async with AsyncExitStack() as stack:
            stack.enter_context(_lock_directory(directory))
            _remove_old_files(directory, keep=keep)
            temporal = _start_temporal(ports, directory)
            stack.push_async_callback(temporal.stop)
            client = await wait_until_ready(temporal, lambda: _connect(ports))
            local_lambda = LocalLambda.start(
                ports.awslambda,
                state=directory / "aws" if keep else None,
                log=directory / "lambda.log",
                settle=1.0,
                provision=2.0,
            )
            aws = await stack.enter_async_context(local_lambda)
            worker = _start_worker(ports, aws, directory)
            stack.push_async_callback(worker.stop)
            await wait_until_ready(worker, lambda: list_pollers(client, _TASK_QUEUE))
            yield cls(ports, directory, aws, client, (temporal, aws.process, worker))


@contextmanager
def _lock_directory(directory: Path) -> Iterator[None]:
    """Keep a second stack out, which would remove the first one's database."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / ".gitignore").write_text("*\n")
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProcessError(
                f"another local stack runs in {directory}: stop it, or use --directory"
            ) from None
        yield


def _remove_old_files(directory: Path, *, keep: bool) -> None:
    for path in () if keep else [*directory.glob("*.log"), *directory.glob("temporal.db*")]:
        path.unlink()


def _build_environment(ports: Ports, aws: LocalLambda) -> dict[str, str]:
    """Build an environment without a real AWS account or another Temporal."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TEMPORAL_"))
    }
    files = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    return {**kept, **files, **aws.environment, "TEMPORAL_ADDRESS": f"127.0.0.1:{ports.temporal}"}


def _start_temporal(ports: Ports, directory: Path) -> Process:
    in_venv = Path(sys.executable).with_name("temporal")
    temporal = str(in_venv) if in_venv.exists() else shutil.which("temporal")
    if temporal is None:
        raise ProcessError("there is no `temporal` command: run `make install`")
    options = {
        "ip": "127.0.0.1",
        "port": ports.temporal,
        "ui-port": ports.ui,
        "db-filename": directory / "temporal.db",
        "log-level": "error",
    }
    command = [temporal, "server", "start-dev", "--ui-disable-news-fetch"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    command += [*LOW_LATENCY_SETTINGS, *SQLITE_SETTINGS]
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
        environment=_build_environment(ports, aws),
        directory=ROOT,
        log=directory / "worker.log",
        stop_timeout=_DRAIN_TIMEOUT,
    )


async def _connect(ports: Ports) -> Client | None:
    try:
        return await Client.connect(f"127.0.0.1:{ports.temporal}")
    except (RuntimeError, RPCError):  # raised while the server is starting
        return None


async def wait_until_ready(process: Process, probe: Callable[[], Awaitable[_T | None]]) -> _T:
    """Call ``probe`` until it returns something, and return that.

    Raises ``ProcessError`` with the end of the log where the process exits or takes too long.
    """
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        if process.has_exited:
            problem = "exited while it was starting"
            break
        if found := await probe():
            return found
        await asyncio.sleep(_POLL_SECONDS)
    else:
        problem = f"is not ready after {_START_TIMEOUT:.0f} s"
    raise ProcessError(f"{process.name} {problem} ({process.log}):\n{process.read_log_tail()}")
