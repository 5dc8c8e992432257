"""Who takes part: each makes a burst of the same releases and tells what it took."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.client import Client

from tests.bench import noop
from tests.bench.burst import Burst
from tests.bench.pipeline import BAKE, SETTLE, check, release
from tests.bench.scene import Scene
from tests.bench.usage import Meter

_numbers = itertools.count(1)


def new_prefix(who: str) -> str:
    """A name for the functions of one burst."""
    return f"{who}{next(_numbers)}"


@dataclass(frozen=True)
class Taken:
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


Contender = Callable[[Scene, int], Awaitable[Taken]]


async def bare(scene: Scene, count: int) -> Taken:
    """The script."""
    return await _process(scene, "bare", count)


def dbos(what: str) -> Contender:
    """DBOS on SQLite, on a database of its own: only the ``steps``, or a release's whole ``shape``."""

    async def contend(scene: Scene, count: int) -> Taken:
        return await _process(
            scene, "peer", count, f"sqlite:///{scene.directory}/dbos-{next(_numbers)}.sqlite", what
        )

    return contend


async def _process(scene: Scene, module: str, count: int, *arguments: str) -> Taken:
    prefix = new_prefix(module)
    await scene.functions(prefix, count)
    found = await scene.contender(
        f"tests.bench.{module}", scene.ground.url, prefix, str(count), *arguments
    )
    check(module, await scene.told(prefix))
    return Taken(found["walls"], {"process": found["cpu"]})


def ours(worker: str = "ours") -> Contender:
    """``Release`` and ``Rollout``, by the worker of this name."""

    async def contend(scene: Scene, count: int) -> Taken:
        prefix = new_prefix(worker)
        await scene.functions(prefix, count)

        async def one(function: str) -> None:
            handle: Any = await scene.ground.client.start_workflow(
                "Release", release(function), id=f"release-{function}", task_queue=worker
            )
            await handle.result()

        await one(f"{prefix}w-0")
        taken = await _burst(scene, worker, [one(f"{prefix}-{number}") for number in range(count)])
        check(worker, await scene.told(prefix))
        return taken

    return contend


def ceiling(settle: float = SETTLE, worker: str = "noop") -> Contender:
    """The no-op workflows of the same shape; ``settle`` is how long the activity waits that waits for AWS."""

    async def contend(scene: Scene, count: int) -> Taken:
        prefix = new_prefix(worker)
        plain = await Client.connect(scene.ground.address)

        async def one(function: str) -> None:
            order = noop.Order(function, BAKE, settle)
            await plain.execute_workflow(
                noop.Outer.run, order, id=f"noop-{function}", task_queue=noop.QUEUE
            )

        await one(f"{prefix}w-0")
        return await _burst(scene, worker, [one(f"{prefix}-{number}") for number in range(count)])

    return contend


async def _burst(scene: Scene, worker: str, releases: list[Any]) -> Taken:
    meter = Meter(
        {
            "worker": scene.pids[worker],
            "server": scene.pids["server"],
            "stand-in": scene.pids["stand-in"],
        }
    )
    driving = time.process_time()
    burst = Burst()
    await asyncio.gather(*map(burst.timed, releases))
    await asyncio.sleep(0.1)
    return Taken(burst.walls, {**meter.read(), "driver": time.process_time() - driving})


FIXED: Final = SETTLE + BAKE
"""Seconds that a release waits for AWS and for its bake, whoever carries it out."""
