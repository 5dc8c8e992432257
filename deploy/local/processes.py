"""Child processes that are always stopped and waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeVar

_PARENT_DEATH_SIGNAL: Final = Path(__file__).with_name("parent_death_signal.py")

_T = TypeVar("_T")

_START_TIMEOUT: Final = 60.0
"""Seconds until a process must be ready. Temporal needs about one, the worker a few."""

_POLL_SECONDS: Final = 0.05

_TAIL_BYTES: Final = 10_000
"""How much of a log's end an error message may quote from."""


class ProcessError(Exception):
    """A process did not start, or exited too early; the message is for the user."""


@dataclass(frozen=True)
class Process:
    """A running child process and its log."""

    name: str
    popen: subprocess.Popen[bytes]
    output: IO[bytes]
    """The log, open for reading."""
    log: Path | None
    """The path of the log; None for a temporary file without a name."""
    stop_timeout: float
    """Seconds between SIGTERM and SIGKILL."""

    @classmethod
    def start(  # noqa: PLR0913 - what it takes to start a process, all named
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        log: Path | None,
        pipe_stdout: bool = False,
        stop_timeout: float = 10.0,
    ) -> Process:
        """Start a command in a session of its own.

        Ctrl-C in the terminal therefore reaches only the parent, which stops the child in its turn.
        With ``pipe_stdout``, standard output is read by :meth:`read_first_line` and not logged.
        """
        tied = [sys.executable, "-I", "-S", str(_PARENT_DEATH_SIGNAL), str(os.getpid()), *command]
        output: IO[bytes] = log.open("a+b") if log else tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        popen = subprocess.Popen(
            tied,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipe_stdout else output,
            stderr=output,
            start_new_session=True,
        )
        return cls(name, popen, output, log, stop_timeout)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.popen.pid

    @property
    def has_exited(self) -> bool:
        """Whether the process has exited."""
        return self.popen.poll() is not None

    async def read_first_line(self, seconds: float) -> str:
        """Read the first line of standard output.

        Empty where the process exits without one, or takes longer than ``seconds``: it is killed
        then. Raises ``ValueError`` where standard output is not piped.
        """
        output = self.popen.stdout
        if output is None:
            raise ValueError(f"the standard output of {self.name} is not piped")
        read = asyncio.ensure_future(asyncio.to_thread(output.readline))
        try:
            return (await asyncio.wait_for(asyncio.shield(read), seconds)).decode().strip()
        except TimeoutError:
            self.popen.kill()  # closes the pipe, which ends the thread that reads it
            return ""

    async def stop(self) -> None:
        """Stop the process and wait for it, even where the waiting task is cancelled.

        SIGTERM first, SIGKILL after ``stop_timeout``. Stopping a stopped process does nothing.
        """
        await asyncio.shield(asyncio.ensure_future(asyncio.to_thread(self.stop_blocking)))

    def stop_blocking(self) -> None:
        """Do the same as :meth:`stop`, without an event loop."""
        if not self.has_exited:
            self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(self.stop_timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        self.output.close()

    def describe_exit(self) -> str:
        """``the worker (pid 7) was ended by SIGKILL``, once it has exited."""
        status = self.popen.returncode
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"exited ({status})"
        return f"{self.name} (pid {self.pid}) {how}"

    async def wait_until_ready(self, probe: Callable[[], Awaitable[_T | None]]) -> _T:
        """Call ``probe`` until it returns something true, and return that.

        Raises :class:`ProcessError` with the end of the log where the process exits or takes too
        long.
        """
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            if self.has_exited:
                problem = "exited while it was starting"
                break
            if found := await probe():
                return found
            await asyncio.sleep(_POLL_SECONDS)
        else:
            problem = f"is not ready after {_START_TIMEOUT:.0f} s"
        raise ProcessError(f"{self.name} {problem} ({self.log}):\n{self.read_log_tail()}")

    def read_log_tail(self, lines: int = 15) -> str:
        """Read the last lines of the log, for an error message."""
        size = os.fstat(self.output.fileno()).st_size
        start = max(0, size - _TAIL_BYTES)
        # pread and not read: the child shares this file's position and writes at it.
        tail = os.pread(self.output.fileno(), size - start, start)
        return "\n".join(tail.decode(errors="replace").splitlines()[-lines:])
