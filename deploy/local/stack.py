"""The local stack: Temporal, the local Lambda and a worker, and what they keep."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.emulator import LocalLambda
from deploy.local.local_worker import LocalWorker
from deploy.local.ports import Ports
from deploy.local.processes import Process, ProcessError

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

_EXIT_POLL_SECONDS: Final = 0.2
_TEMPORAL_FILES: Final = "temporal.db*"
_AWS_STATE: Final = "aws"


@dataclass(frozen=True)
class Stack:
    """A running local stack."""

    ports: Ports
    directory: Path
    """The directory of the logs, of Temporal's database and of the local AWS."""
    aws: LocalLambda
    temporal: Process
    worker: LocalWorker

    @property
    def ui_url(self) -> str:
        """The URL of Temporal's Web UI."""
        return f"http://127.0.0.1:{self.ports.ui}"

    @property
    def http_url(self) -> str:
        """The URL of Temporal's HTTP API."""
        return f"http://127.0.0.1:{self.ports.http}"

    @property
    def address(self) -> str:
        """The address of Temporal, for clients and for its CLI."""
        return f"127.0.0.1:{self.ports.temporal}"

    async def wait_for_exit(self, report: Callable[[str], None]) -> Process:
        """Wait until Temporal or the local Lambda exits by itself, and return it.

        A worker that exits is started again, and ``report`` gets a line that says so: a release
        goes on with the next worker, whatever ended the last one. Raises
        :class:`~deploy.local.processes.ProcessError` where the new one does not start.
        """
        while True:
            for process in (self.temporal, self.aws.process):
                if process.has_exited:
                    return process
            if self.worker.process.has_exited:
                report(f"{self.worker.process.describe_exit()}; it is started again …")
                await self.worker.start()
                report(f"the worker serves again: pid {self.worker.process.pid}")
            await asyncio.sleep(_EXIT_POLL_SECONDS)

    @classmethod
    @asynccontextmanager
    async def start(
        cls, ports: Ports, directory: Path, *, keep: bool = False
    ) -> AsyncIterator[Stack]:
        """Run all processes for the length of the block, and stop them in reverse order.

        They are stopped however the block ends. With ``keep``, it begins with Temporal's histories
        and everything in the local AWS as the last stack of this directory left them; without it
        they are removed first. Raises :class:`~deploy.local.processes.ProcessError` with the
        reason, and the end of the log, where a process does not start.
        """
        ports.check_free()
        async with AsyncExitStack() as stack:
            stack.enter_context(_lock_directory(directory))
            if not keep:
                _remove_old_files(directory)
            temporal = _start_temporal(ports, directory)
            stack.push_async_callback(temporal.stop)
            client = await temporal.wait_until_ready(lambda: _connect(ports))
            local_lambda = LocalLambda.start(
                ports.awslambda,
                state=directory / _AWS_STATE,
                log=directory / "lambda.log",
                settle=1.0,
                provision=2.0,
            )
            aws = await stack.enter_async_context(local_lambda)
            worker = LocalWorker(client, _build_environment(ports, aws), directory / "worker.log")
            stack.push_async_callback(worker.stop)
            await worker.start()
            yield cls(ports, directory, aws, temporal, worker)


def has_kept_state(directory: Path) -> bool:
    """Whether an earlier stack left histories in this directory."""
    return any(directory.glob(_TEMPORAL_FILES))


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


def _remove_old_files(directory: Path) -> None:
    for path in [*directory.glob("*.log"), *directory.glob(_TEMPORAL_FILES)]:
        path.unlink()
    shutil.rmtree(directory / _AWS_STATE, ignore_errors=True)


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
        "http-port": ports.http,
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


async def _connect(ports: Ports) -> Client | None:
    try:
        return await Client.connect(f"127.0.0.1:{ports.temporal}")
    except (RuntimeError, RPCError):  # raised while the server is starting
        return None
