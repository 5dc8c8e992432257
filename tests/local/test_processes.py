"""Child processes of the local stack."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.local.processes import Process
from tests.local.harness import is_alive


def start(*command: str, pipe_stdout: bool = True) -> Process:
    return Process.start(
        "a child",
        command,
        environment=os.environ,
        directory=Path.cwd(),
        log=None,
        pipe_stdout=pipe_stdout,
        stop_timeout=0.1,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_child_does_not_ignore_sigint_where_its_parent_does() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = start("grep", "SigIgn", "/proc/self/status")
        line = await child.read_first_line(60)
        await child.stop()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not int(line.split()[1], 16) & 1 << signal.SIGINT - 1


async def test_child_that_ignores_sigterm_is_killed() -> None:
    child = start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done")
    assert await child.read_first_line(60) == "ready"
    await child.stop()
    assert not is_alive(child.pid)
    assert child.popen.returncode == -signal.SIGKILL


async def test_child_without_a_line_has_an_empty_one() -> None:
    child = start("true")
    assert await child.read_first_line(60) == ""
    await child.stop()


async def test_first_line_needs_a_pipe() -> None:
    child = start("true", pipe_stdout=False)
    with pytest.raises(ValueError, match="the standard output of a child is not piped"):
        await child.read_first_line(60)
    await child.stop()
