"""The local Lambda as an ``async with``: a process of its own for as long as the block runs."""

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

from deploy.local.processes import PartError, Process

ROOT: Final = Path(__file__).parents[2]
"""The root of the repository."""

_PATIENCE: Final = 30.0
"""Seconds the local Lambda gets to come up. It needs less than one."""

_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",  # botocore reads this one
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class LocalLambda:
    """A running local Lambda. Its account is 000000000000, or the access key if that is an account id."""

    endpoint_url: str
    process: Process
    environment: Mapping[str, str] = field(repr=False)
    """What a program needs in its environment to take this for AWS."""

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
        """Run it on this port, or on any free one; ready when the block begins, gone when it ends.

        ``settle`` and ``provision`` are the seconds that a change of a function and provisioned concurrency take; ``metrics`` those after which
        GetMetricData tells of a minute that is over (0: while it lasts). ``state`` is an absolute path of a directory to keep everything in from one run to the
        next; without it nothing is kept. Raises :class:`~deploy.local.processes.PartError`
        with the reason when it does not come up.
        """
        private = Path(
            tempfile.mkdtemp(prefix="local-lambda-")
        )  # the process removes it, even when we are killed; so do we, if it is
        command = [
            sys.executable,
            "-m",
            "deploy.local.awslambda",
            "--port",
            str(port or 0),
            "--directory",
            str(private),
        ]
        command += [
            "--settle",
            str(settle),
            "--provision",
            str(provision),
            "--metrics",
            str(metrics),
        ]
        command += ["--state", str(state)] if state else []
        process = Process.start(
            "the local Lambda", command, environment=os.environ, directory=ROOT, log=log, piped=True
        )
        try:
            line = await process.first_line(_PATIENCE)
            if not line.startswith("ready "):
                raise PartError(
                    f"the local Lambda did not start: {process.tail() or 'no word from it'}"
                )
            url = line.removeprefix("ready ")
            yield cls(url, process, {**_CREDENTIALS, "AWS_ENDPOINT_URL": url})
        finally:
            await process.stop()
            shutil.rmtree(private, ignore_errors=True)
