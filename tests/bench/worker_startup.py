"""Section: how soon a worker polls, and how much memory it holds."""

from __future__ import annotations

import time

from tests.bench.harness import BenchHarness
from tests.bench.report import Section, format_median
from tests.bench.usage import read_cpu_seconds, read_memory_bytes


async def measure(harness: BenchHarness, *, repetitions: int) -> Section:
    """Start workers one after the other, and read the memory of one that has worked."""
    wall, busy, held = [], [], []
    for number in range(repetitions):
        started = time.monotonic()
        process = await harness.start_product_worker(f"fresh{number}")
        wall.append(time.monotonic() - started)
        busy.append(read_cpu_seconds(process.pid))
        held.append(read_memory_bytes(process.pid) / 2**20)
        await process.stop()
        del harness.processes[f"fresh{number}"]
    rows = [
        ["from its start to its first poll, s", format_median(wall, ".2f")],
        ["CPU of that, s", format_median(busy, ".2f")],
        ["memory then, MiB", format_median(held, ".0f")],
        [
            "memory of the worker that has done all of this benchmark, MiB",
            f"{read_memory_bytes(harness.pids['ours']) / 2**20:.0f}",
        ],
        [
            "memory of the Temporal server by then, MiB",
            f"{read_memory_bytes(harness.pids['server']) / 2**20:.0f}",
        ],
    ]
    return Section("The worker", ["", "lambda-releases"], rows)
