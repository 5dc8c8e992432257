"""How soon a worker takes work up, and how much memory it holds."""

from __future__ import annotations

import time

from tests.bench.report import Section, of
from tests.bench.scene import Scene
from tests.bench.usage import cpu, memory


async def measure(scene: Scene, *, repetitions: int) -> Section:
    """Start workers, one after the other, and look at one that has worked."""
    wall, busy, held = [], [], []
    for number in range(repetitions):
        begun = time.monotonic()
        process = await scene.product(f"fresh{number}")
        wall.append(time.monotonic() - begun)
        busy.append(cpu(process.pid))
        held.append(memory(process.pid) / 2**20)
        await process.stop()
        del scene.processes[f"fresh{number}"]
    rows = [
        ["from its start to its first poll, s", of(wall, ".2f")],
        ["CPU of that, s", of(busy, ".2f")],
        ["memory then, MiB", of(held, ".0f")],
        [
            "memory of the worker that has done all of this benchmark, MiB",
            f"{memory(scene.pids['ours']) / 2**20:.0f}",
        ],
        [
            "memory of the Temporal server by then, MiB",
            f"{memory(scene.pids['server']) / 2**20:.0f}",
        ],
    ]
    return Section("The worker", ["", "lambda-releases"], rows)
