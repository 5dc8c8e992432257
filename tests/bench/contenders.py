"""Who takes part: each makes a burst of the same releases and tells what it took."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.client import Client

from tests.bench import noop_workflows
from tests.bench.burst import Burst
from tests.bench.harness import BenchHarness
from tests.bench.pipeline import BAKE, SETTLE, build_release, check_released
from tests.bench.usage import Meter

_numbers = itertools.count(1)


def new_prefix(who: str) -> str:
    """A name for the functions of one burst."""
    return f"{who}{next(_numbers)}"


@dataclass(frozen=True)
class BurstResult:
    """What one burst took: seconds until each release was over, and CPU seconds by process."""

    walls: list[float]
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Until the last was over."""
        return max(self.walls)

    @property
    def rate(self) -> float:
        """Releases a second."""
        return len(self.walls) / self.seconds


Contender = Callable[[BenchHarness, int], Awaitable[BurstResult]]


async def run_bare_script(harness: BenchHarness, count: int) -> BurstResult:
    """The script."""
    return await _process(harness, "bare", count)


def make_dbos_contender(what: str) -> Contender:
    """DBOS on SQLite, on a database of its own: only the ``steps``, or a release's whole ``shape``."""

    async def contend(harness: BenchHarness, count: int) -> BurstResult:
        return await _process(
            harness,
            "peer",
            count,
            f"sqlite:///{harness.directory}/dbos-{next(_numbers)}.sqlite",
            what,
        )

    return contend


async def _process(harness: BenchHarness, module: str, count: int, *arguments: str) -> BurstResult:
    prefix = new_prefix(module)
    await harness.functions(prefix, count)
    found = await harness.contender(
        f"tests.bench.{module}", harness.services.url, prefix, str(count), *arguments
    )
    check_released(module, await harness.read_functions(prefix))
    return BurstResult(found["walls"], {"process": found["cpu"]})


def make_release_contender(worker: str = "ours") -> Contender:
    """``Release`` and ``Rollout``, by the worker of this name."""

    async def contend(harness: BenchHarness, count: int) -> BurstResult:
        prefix = new_prefix(worker)
        await harness.functions(prefix, count)

        async def one(function: str) -> None:
            handle: Any = await harness.services.client.start_workflow(
                "Release", build_release(function), id=f"release-{function}", task_queue=worker
            )
            await handle.result()

        await one(f"{prefix}w-0")
        taken = await _burst(
            harness, worker, [one(f"{prefix}-{number}") for number in range(count)]
        )
        check_released(worker, await harness.read_functions(prefix))
        return taken

    return contend


def make_noop_contender(settle: float = SETTLE, worker: str = "noop") -> Contender:
    """The no-op workflows of the same shape; ``settle`` is how long the activity waits that waits for AWS."""

    async def contend(harness: BenchHarness, count: int) -> BurstResult:
        prefix = new_prefix(worker)
        plain = await Client.connect(harness.services.address)

        async def one(function: str) -> None:
            order = noop_workflows.NoopInput(function, BAKE, settle)
            await plain.execute_workflow(
                noop_workflows.NoopRelease.run,
                order,
                id=f"noop-{function}",
                task_queue=noop_workflows.QUEUE,
            )

        await one(f"{prefix}w-0")
        return await _burst(harness, worker, [one(f"{prefix}-{number}") for number in range(count)])

    return contend


async def _burst(harness: BenchHarness, worker: str, releases: list[Any]) -> BurstResult:
    meter = Meter(
        {
            "worker": harness.pids[worker],
            "server": harness.pids["server"],
            "stand-in": harness.pids["stand-in"],
        }
    )
    driving = time.process_time()
    burst = Burst()
    await asyncio.gather(*map(burst.timed, releases))
    await asyncio.sleep(0.1)
    return BurstResult(burst.walls, {**meter.read(), "driver": time.process_time() - driving})


FIXED: Final = SETTLE + BAKE
"""Seconds that a release waits for AWS and for its bake, whoever carries it out."""
