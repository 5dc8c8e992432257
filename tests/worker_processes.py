"""Worker processes of a test: ``python worker.py`` on the session's Temporal server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.limits.sharing import list_pollers
from deploy.local.processes import Process
from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import REGION
from tests.fake_lambda.http import FakeLambdaServer

ROOT = Path(__file__).parents[1]
NOWHERE = "http://127.0.0.1:9"
PATIENCE = 240.0
"""Seconds for worker processes to begin or end: two cores may be busy with other tests."""


@dataclass
class Workers:
    """Starts workers, and ends those that are left at the end of a test."""

    temporal: WorkflowEnvironment
    directory: Path
    stack: AsyncExitStack

    async def endpoint(self, account: str, *, region: str = REGION) -> str:
        """The address of an account's AWS."""
        aws = FakeLambda(region=region, account_id=account)
        return (await self.stack.enter_async_context(Stub(FakeLambdaServer(aws)))).url

    def start(self, name: str, queue: str, **settings: str) -> Process:
        """Start a worker process."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AWS_", "TEMPORAL_", "RELEASES_"))
        }
        credentials = {
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        process = Process.start(
            name,
            [sys.executable, "worker.py"],
            environment={
                **kept,
                **credentials,
                "TEMPORAL_ADDRESS": self.temporal.client.service_client.config.target_host,
                "RELEASES_TASK_QUEUE": queue,
                **settings,
            },
            directory=ROOT,
            log=self.directory / f"{name}.log",
        )
        self.stack.push_async_callback(process.stop)
        return process

    async def wait_until_polling(
        self, queue: str, *, before: AbstractSet[str] = frozenset()
    ) -> str:
        """Wait for a worker of a queue, one more than those of ``before``; return its identity.

        Temporal closes each connection after some minutes, and a request on it may be lost.
        """
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(RPCError):
                    if found := await list_pollers(self.temporal.client, queue) - before:
                        return found.pop()
                await asyncio.sleep(0.1)

    @staticmethod
    async def read_refusal(process: Process) -> str:
        """Wait until a worker has exited with status 1; return the end of its log."""
        async with asyncio.timeout(PATIENCE):
            while not process.has_exited:
                await asyncio.sleep(0.1)
        text = process.read_log_tail()
        assert process.popen.returncode == 1, text
        return text
