"""``releases``, run as a command: what CI relies on is what everybody may rely on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Output:
    """What a command printed; ``document`` is its JSON, None where it printed none."""

    status: int
    document: Any
    text: str
    problem: str


def find_command() -> str:
    """Find ``releases``: that of this Python's environment, else by PATH."""
    beside = Path(sys.executable).with_name("releases")
    return str(beside) if beside.exists() else "releases"


def run(*arguments: str) -> Output:
    """Run a command to its end."""
    done = subprocess.run(
        [find_command(), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        document = json.loads(done.stdout)
    except ValueError:
        document = None
    return Output(done.returncode, document, done.stdout.strip(), done.stderr.strip())


class Lines:
    """The lines of JSON that a command prints while it runs; then its exit status."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start nothing yet."""
        self._arguments = arguments
        self.status = 0

    def __iter__(self) -> Iterator[Any]:
        """Run the command; standard error goes to the log."""
        with subprocess.Popen(
            [find_command(), *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    yield json.loads(line)
            finally:
                process.terminate()  # does nothing to one that has ended
        self.status = process.returncode
