"""The contenders: each runs a burst of releases and returns what it took."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from temporalio.client import Client

from tests.bench import noop_workflows
from tests.bench.burst import Burst
from tests.bench.harness import BenchHarness
from tests.bench.pipeline import BAKE, RELEASE_CALLS, SETTLE, build_release, check_released
from tests.bench.usage import Meter

_numbers = itertools.count(1)


def make_prefix(contender: str) -> str:
    """Make a name for the functions of one burst."""
    return f"{contender}{next(_numbers)}"


@dataclass(frozen=True)
class BurstResult:
    """What one burst took: seconds of each release, CPU seconds by process."""

    walls: list[float]
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds until the last release ended."""
        return max(self.walls)

    @property
    def rate(self) -> float:
        """Releases a second."""
        return len(self.walls) / self.seconds


Contender = Callable[[BenchHarness, int], Awaitable[BurstResult]]
"""Runs a burst of so many releases."""


async def run_bare_script(harness: BenchHarness, count: int) -> BurstResult:
    """Run a burst of the bare script."""
    return await _run_process(harness, "bare", "tests.bench.bare_script", count)


def make_dbos_contender(kind: Literal["steps", "shape"]) -> Contender:
    """Make the contender DBOS on SQLite: only the steps, or a release's shape."""

    async def contend(harness: BenchHarness, count: int) -> BurstResult:
        database = f"sqlite:///{harness.directory}/dbos-{next(_numbers)}.sqlite"
        return await _run_process(
            harness, "dbos", "tests.bench.dbos_pipeline", count, database, kind
        )

    return contend


async def _run_process(
    harness: BenchHarness, name: str, module: str, count: int, *arguments: str
) -> BurstResult:
    prefix = make_prefix(name)
    await harness.create_functions(prefix, count)
    result = await harness.run_contender(
        module, harness.services.url, prefix, str(count), *arguments
    )
    check_released(name, await harness.read_functions(prefix))
    return BurstResult(result["walls"], {"process": result["cpu"]})


def make_release_contender(worker: str = "ours") -> Contender:
    """Make the contender ``Release`` and ``Rollout``, run by the worker of this name."""

    async def contend(harness: BenchHarness, count: int) -> BurstResult:
        prefix = make_prefix(worker)
        await harness.create_functions(prefix, count)

        async def release(function: str) -> None:
            handle: Any = await harness.services.client.start_workflow(
                "Release", build_release(function), id=f"release-{function}", task_queue=worker
            )
            await handle.result()

        await release(f"{prefix}w-0")
        releases = [release(f"{prefix}-{number}") for number in range(count)]
        result = await _run_burst(harness, worker, releases)
        check_released(worker, await harness.read_functions(prefix), calls=RELEASE_CALLS)
        return result

    return contend


def make_noop_contender(settle: float = SETTLE, worker: str = "noop") -> Contender:
    """Make the contender of no-op workflows of the same shape.

    One of their activities waits for ``settle`` seconds, as a release waits for AWS.
    """

    async def contend(harness: BenchHarness, count: int) -> BurstResult:
        prefix = make_prefix(worker)
        plain = await Client.connect(harness.services.address)

        async def release(function: str) -> None:
            await plain.execute_workflow(
                noop_workflows.NoopRelease.run,
                noop_workflows.NoopInput(function, BAKE, settle),
                id=f"noop-{function}",
                task_queue=noop_workflows.QUEUE,
            )

        await release(f"{prefix}w-0")
        releases = [release(f"{prefix}-{number}") for number in range(count)]
        return await _run_burst(harness, worker, releases)

    return contend


async def _run_burst(harness: BenchHarness, worker: str, releases: list[Any]) -> BurstResult:
    names = {"worker": worker, "server": "server", "stand-in": "stand-in"}
    meter = Meter({role: harness.pids[name] for role, name in names.items()})
    cpu = time.process_time()
    burst = Burst()
    await asyncio.gather(*map(burst.run_timed, releases))
    await asyncio.sleep(0.1)
    return BurstResult(burst.walls, {**meter.read(), "driver": time.process_time() - cpu})
