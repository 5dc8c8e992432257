"""The harness of a load test.

An in-memory Temporal server, an AWS with limits, and workers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.limits.sharing import HEARTBEAT_INTERVAL, REDUCED_SHARE_SECONDS, list_pollers
from deploy.local.emulator import ROOT
from deploy.local.processes import Process
from deploy.local.stack import LOW_LATENCY_SETTINGS
from tests.bench.services import Services
from workflows.client import ReleaseClient
from workflows.domain.status import ReleaseStatus

QUEUE: Final = "lambda-releases"
PLACE: Final = "lambda:123456789012:us-east-1"
AWS_RATE: Final = 15.0
"""Control-plane calls a second that AWS allows."""

_UNLIMITED: Final = {"get_function", "get_policy", "describe_alarms"}
"""Operations outside of the fifteen a second."""


@dataclass(frozen=True)
class Call:
    """A call that reached AWS.

    ``details``: the version of the alias after it, or the alarms that fired.
    """

    at: float
    operation: str
    which: str
    status: int
    details: Any

    @property
    def control_plane(self) -> bool:
        """Whether it counts against the fifteen a second."""
        return self.operation not in _UNLIMITED

    @property
    def throttled(self) -> bool:
        """Whether AWS refused it for its rate."""
        return self.status == 429 or (self.operation == "describe_alarms" and self.status == 400)


@dataclass
class LoadHarness:
    """Everything that runs."""

    directory: Path
    ground: Services
    stack: AsyncExitStack

    async def aws(self, *path: object) -> None:
        """Send a command to the stand-in for AWS."""
        async with self.ground.http.put(
            "/".join((self.ground.url, "load", *map(str, path)))
        ) as answer:
            answer.raise_for_status()

    async def functions(self, prefix: str) -> dict[str, Any]:
        """Read the states of these functions."""
        async with self.ground.http.get(f"{self.ground.url}/load/functions/{prefix}") as answer:
            found: dict[str, Any] = json.loads(await answer.read())
            return found

    async def calls(self, since: float = 0) -> list[Call]:
        """The calls that reached AWS."""
        async with self.ground.http.get(f"{self.ground.url}/load/calls") as answer:
            return [
                call
                for call in (Call(*each) for each in json.loads(await answer.read()))
                if call.at >= since
            ]

    async def worker(self, name: str, **settings: str) -> Process:
        """Start ``python worker.py``; it polls when this returns."""
        known = await list_pollers(self.ground.client, QUEUE)
        log = self.directory / f"{name}.log"
        process = Process.start(
            name,
            [sys.executable, "worker.py"],
            environment={**self.ground.environment, **settings},
            directory=ROOT,
            log=log,
            stop_timeout=40,
        )
        self.stack.push_async_callback(process.stop)

        async def new() -> set[str]:
            return await list_pollers(self.ground.client, QUEUE) - known

        await process.wait_until_ready(new)
        return process

    async def workers(self, count: int, **settings: str) -> list[Process]:
        """Start so many workers, which know of each other when this returns."""
        started = list(
            await asyncio.gather(
                *(self.worker(f"worker-{number}", **settings) for number in range(count))
            )
        )
        await asyncio.sleep(REDUCED_SHARE_SECONDS + 2 * HEARTBEAT_INTERVAL.total_seconds())
        return started

    async def start(self, function: str, **request: Any) -> WorkflowHandle[Any, ReleaseStatus]:
        """Start a release."""
        document = {
            "target": {"function": function, "alias": "live"},
            "requested_by": "load",
            "reason": "to know what it bears",
            **request,
        }
        return await self.ground.client.start_workflow(
            "Release",
            document,
            id=f"release-{function}",
            task_queue=QUEUE,
            result_type=ReleaseStatus,
        )

    def rollout(self, function: str) -> WorkflowHandle[Any, ReleaseStatus]:
        """The rollout of a function."""
        return self.ground.client.get_workflow_handle(
            f"{PLACE}:{function}:live", result_type=ReleaseStatus
        )

    async def abort(self, function: str) -> None:
        """Abort a release as the command line does."""
        await ReleaseClient(self.ground.client).abort(
            f"{function}:live", by="ana", reason="p99 is up"
        )


@asynccontextmanager
async def open_harness(directory: Path) -> AsyncIterator[LoadHarness]:
    """Start AWS and Temporal; everything has ended when the block has."""
    async with (
        AsyncExitStack() as stack
    ):  # in memory: what is under test is not the disk of this machine
        ground = await stack.enter_async_context(
            Services.start(directory, standin="tests.load.standin", settings=LOW_LATENCY_SETTINGS)
        )
        yield LoadHarness(directory, ground, stack)


async def read_ending(handle: WorkflowHandle[Any, ReleaseStatus]) -> str:
    """How a release ended: ``succeeded``, or the type of its failure."""
    try:
        return (await handle.result()).phase
    except WorkflowFailureError as failure:
        cause = failure.cause
        return (cause.type if isinstance(cause, ApplicationError) else None) or type(cause).__name__


def count_busiest_second(calls: Iterable[Call]) -> int:
    """The most control-plane calls in any window of one second."""
    times = [call.at for call in calls if call.control_plane]
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def format_operations(calls: Sequence[Call]) -> str:
    """Calls by operation, as text."""
    return ", ".join(
        f"{name} {count}"
        for name, count in sorted(Counter(call.operation for call in calls).items())
    )


async def wait_until_baking(
    harness: LoadHarness, functions: Iterable[str], *, seconds: float = 60
) -> None:
    """Wait until these functions' aliases have weights."""
    names = set(functions)
    async with asyncio.timeout(seconds):
        while names:
            for prefix in {name.rpartition("-")[0] for name in names}:
                names -= {
                    name
                    for name, state in (await harness.functions(prefix)).items()
                    if state["weights"]
                }
            await asyncio.sleep(0.2)
