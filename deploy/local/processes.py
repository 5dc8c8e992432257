"""Child processes that leave nothing behind: they end when told, when their parent ends, and are always waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_LEASH: Final = Path(__file__).with_name("leash.py")


_TAIL: Final = 10_000
"""Bytes of a log that an error message may quote from."""


class PartError(Exception):
    """A process did not come up, or ended before it should. The message is for whoever started it."""


@dataclass(frozen=True)
class Process:
    """A running child, and where it writes."""

    name: str
    popen: subprocess.Popen[bytes]
    output: IO[bytes]
    """What it wrote to its log so far."""
    log: Path | None
    """Where that is; None for a log without a name, which is gone with the process."""
    patience: float
    """Seconds it gets to end by itself when it is told to."""

    @classmethod
    def start(  # noqa: PLR0913 - what it takes to start a process, all named
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        log: Path | None,
        piped: bool = False,
        patience: float = 10.0,
    ) -> Process:
        """Start a command in a session of its own: Ctrl-C in the terminal reaches its parent, which then ends it in its turn."""
        leashed = [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), *command]
        output: IO[bytes] = log.open("a+b") if log else tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        popen = subprocess.Popen(
            leashed,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else output,
            stderr=output,
            start_new_session=True,
        )
        return cls(name, popen, output, log, patience)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.popen.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.popen.poll() is not None

    async def first_line(self, seconds: float) -> str:
        """The first line it prints (it must be piped); empty when it ends without one, or takes too long."""
        output = self.popen.stdout
        if output is None:
            raise ValueError(f"{self.name} is not piped")
        reading = asyncio.to_thread(output.readline)
        try:
            return (
                (await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(reading)), seconds))
                .decode()
                .strip()
            )
        except TimeoutError:
            self.popen.kill()  # which also ends the reading
            return ""

    async def stop(self) -> None:
        """End it, politely first, and wait for it. Does so even if the one who waits is cancelled."""
        await asyncio.shield(asyncio.ensure_future(asyncio.to_thread(self.end)))

    def end(self) -> None:
        """As :meth:`stop`, for whoever has no event loop."""
        if not self.ended:
            self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        self.output.close()

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log, for an error message."""
        size = os.fstat(self.output.fileno()).st_size
        start = max(0, size - _TAIL)
        # Not `read`: the position in the file is the one the process writes at.
        return "\n".join(
            os.pread(self.output.fileno(), size - start, start)
            .decode(errors="replace")
            .splitlines()[-lines:]
        )
