"""``python -m tests.bench``: run the benchmark, print its tables, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from deploy.local.processes import ProcessError
from tests.bench import release_cost, rollback_latency, throughput, worker_startup
from tests.bench.harness import start_harness
from tests.bench.pipeline import ContenderError
from tests.bench.report import PAGE, Section, render_page
from tests.bench.sizes import FULL, SMOKE, Sizes

Measure = Callable[..., Awaitable[Section]]

SECTIONS: Final = {
    "throughput": lambda harness, sizes: throughput.measure(
        harness, counts=sizes.counts, repetitions=sizes.repetitions
    ),
    "release": lambda harness, sizes: release_cost.measure(
        harness, repetitions=sizes.repetitions, watched=sizes.watched
    ),
    "verdict": lambda harness, sizes: rollback_latency.measure(
        harness, aborts=sizes.aborts, backlog=sizes.backlog, repetitions=sizes.repetitions
    ),
    "worker": lambda harness, sizes: worker_startup.measure(harness, repetitions=sizes.repetitions),
}


def main() -> int:
    """Measure what was asked for. Exit status 1: something did not run, or a contender did not do its job, or a line that is decided by counting does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="What a release costs, against other ways to do it.",
    )
    parser.add_argument(
        "--smoke",
        action="store_const",
        dest="sizes",
        const=SMOKE,
        default=FULL,
        help="tiny numbers: does it still run?",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        help="only this section; may be given several times",
    )
    parser.add_argument(
        "--counts", type=int, nargs="+", help="how many releases at once (default: 1 10 100 400)"
    )
    parser.add_argument("--repetitions", type=int, help="how often each is measured (default: 3)")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help=f"where to write the page (default: {PAGE.name}, if all of it was run)",
    )
    arguments = parser.parse_args()
    sizes: Sizes = arguments.sizes.but(counts=arguments.counts, repetitions=arguments.repetitions)
    whole = sizes == FULL and not arguments.only
    try:
        sections = asyncio.run(_measured(arguments.only or list(SECTIONS), sizes))
    except asyncio.CancelledError:
        print("bench: ended before it was done", file=sys.stderr)
        return 130
    except (ContenderError, ProcessError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    for section in sections:
        print(section.plain())
        for line in section.lines:
            print(f"{'holds' if line.holds else 'DOES NOT HOLD'}: {line.claim}: {line.measured}")
    target = arguments.write or (PAGE if whole else None)
    if target:
        command = "make bench" if whole else f"python -m tests.bench {' '.join(sys.argv[1:])}"
        load = f"Medians of {sizes.repetitions} repetitions; load of the machine when it ended: {os.getloadavg()[0]:.1f}."
        target.write_text(render_page(sections, command=command, load=load))
    return int(
        any(line.counted and not line.holds for section in sections for line in section.lines)
    )


async def _measured(names: list[str], sizes: Sizes) -> list[Section]:
    """Run the sections; SIGTERM ends it as Ctrl-C does, with everything that was started."""
    if (task := asyncio.current_task()) is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        async with start_harness(Path(directory)) as harness:
            await harness.product()
            await harness.worker("noop", ["-m", "tests.bench.noop_worker"], "noop")
            sections = []
            for name in names:
                print(f"{name} …", flush=True)
                sections.append(await SECTIONS[name](harness, sizes))
            return sections


if __name__ == "__main__":
    sys.exit(main())
