"""The local Lambda as an async context manager, a process of its own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.local.processes import Process, ProcessError

ROOT: Final = Path(__file__).parents[2]
"""The root of the repository."""

_START_TIMEOUT: Final = 60.0
"""Seconds until the local Lambda must be ready. It needs less than one."""

_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",  # botocore reads this one
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class LocalLambda:
    """A running local Lambda.

    Its account is 000000000000, or the access key where that is an account id.
    """

    endpoint_url: str
    process: Process
    environment: Mapping[str, str] = field(repr=False)
    """Environment variables that make a program use this local Lambda as AWS."""

    @classmethod
    @asynccontextmanager
    async def start(  # noqa: PLR0913 - each has a default, and most callers give two
        cls,
        port: int | None = None,
        *,
        settle: float = 0.5,
        provision: float = 0.5,
        metrics: float = 0.0,
        state: Path | None = None,
        log: Path | None = None,
    ) -> AsyncIterator[LocalLambda]:
        """Run the local Lambda for the length of the block.

        Args:
            port: None for any free one.
            settle: Seconds that a change of a function takes.
            provision: Seconds that provisioned concurrency takes.
            metrics: Seconds after the end of a minute until GetMetricData returns it; 0 returns
                a minute while it lasts.
            state: Absolute path of a directory that keeps everything from one run to the next.
                Without it nothing is kept.
            log: Where standard error is written; None for a temporary file.

        Raises:
            ProcessError: It did not start. The message says why.
        """
        # Removed by the process itself, even where this one is killed; and below, where the
        # process is killed.
        private = Path(tempfile.mkdtemp(prefix="local-lambda-"))
        options = {
            "port": port or 0,
            "directory": private,
            "settle": settle,
            "provision": provision,
            "metrics": metrics,
            **({"state": state} if state else {}),
        }
        command = [sys.executable, "-m", "deploy.local.awslambda"]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        process = Process.start(
            "the local Lambda",
            command,
            environment=os.environ,
            directory=ROOT,
            log=log,
            pipe_stdout=True,
        )
        try:
            line = await process.read_first_line(_START_TIMEOUT)
            if not line.startswith("ready "):
                reason = process.read_log_tail() or "it wrote nothing"
                raise ProcessError(f"the local Lambda did not start: {reason}")
            url = line.removeprefix("ready ")
            yield cls(url, process, {**_CREDENTIALS, "AWS_ENDPOINT_URL": url})
        finally:
            await process.stop()
            shutil.rmtree(private, ignore_errors=True)
