"""A shell for tests: runs commands in this process, or as users do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from tests.harness import Harness
from workflows.cli import app
from workflows.client import ReleaseClient
from workflows.client.errors import NoSuchRelease

BINARY = Path(sys.executable).parent / "releases"
LAUNCHER = (
    sys.executable,
    "-c",
    """import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])""",
)
"""Restores SIGINT for a command.

A shell without job control starts background jobs with SIGINT ignored (``make test &`` in a
script). Processes inherit that, and Python then installs no handler for it.
"""

APPROVAL = '[{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]'


class Shell:
    """Runs commands against one server and one queue."""

    def __init__(self, address: str, queue: str) -> None:
        self.environment = {
            "TEMPORAL_ADDRESS": address,
            "RELEASES_TASK_QUEUE": queue,
            "LOGNAME": "ana",
            "COLUMNS": "120",
            "NO_COLOR": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    async def __call__(
        self, *arguments: str, stdin: str | None = None, **environment: str
    ) -> Result:
        """Run a command in this process, beside the worker."""
        given = {**self.environment, **environment}
        result = await asyncio.to_thread(
            CliRunner().invoke, app, list(arguments), input=stdin, env=given
        )
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    @contextlib.asynccontextmanager
    async def start_process(
        self, *arguments: str, **streams: Any
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a command as users do; kill it if it is still running after the test."""
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE, **streams}
        process = await asyncio.create_subprocess_exec(
            *LAUNCHER, BINARY, *arguments, env={**os.environ, **self.environment}, **pipes
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def start_waiting_release(shell: Shell, harness: Harness, package: str) -> None:
    """Start a release, and wait until it waits for approval."""
    assert (
        await shell("start", harness.function, "--s3", package, "--strategy", APPROVAL)
    ).exit_code == 0
    releases = ReleaseClient(harness.client)
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NoSuchRelease):
                if (await releases.status(harness.function)).phase == "awaiting_approval":
                    return
            await asyncio.sleep(0.02)
