"""``make bench``: what a release costs beside other ways to do it.

``python -m tests.bench`` runs the benchmark, prints its tables and writes docs/benchmarks.md. Each
contender carries out the same pipeline. The product never imports this package. In reading order:

    pipeline                  the pipeline that every contender carries out, and its AWS calls
    standin                   the stand-in for AWS Lambda that all of them call, a fast process
    services                  starts the stand-in and a Temporal dev server
    harness                   starts the processes of the benchmark, and reads from them
    burst                     times releases that are started at the same time
    usage                     CPU time and memory of processes
    contenders                starts a burst of each contender, this product included
    noop_workflows            contender: workflows of the same shape that do nothing, the ceiling
    noop_worker               their worker
    bare_script               contender: a script without durability
    dbos_pipeline             contender: DBOS
    step_functions            contender: a Step Functions state machine
    step_functions_emulator   ministack's Step Functions, which calls the stand-in
    sizes                     how many releases are measured, in full and for ``--smoke``
    throughput                section: releases a second
    release_cost              section: what one release consists of
    history                   counts events and billed actions, for that section
    rollback_latency          section: how soon an alias is restored
    worker_startup            section: start and memory of the worker
    report                    the tables and the page
    judgement/                ``make bench-judgement``: simulated releases under several policies
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from deploy.local.processes import ProcessError
from tests.bench import release_cost, rollback_latency, throughput, worker_startup
from tests.bench.harness import start_harness
from tests.bench.pipeline import ContenderError
from tests.bench.report import PAGE, Section, render_page
from tests.bench.sizes import FULL, SMOKE, Sizes

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
    """Run the requested sections.

    Exit status 1: something did not run, a contender did not do its job, or a requirement that is
    decided by counting does not hold.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="What a release costs beside other ways to do it.",
    )
    parser.add_argument(
        "--smoke",
        action="store_const",
        dest="sizes",
        const=SMOKE,
        default=FULL,
        help="small numbers, to check that it still runs",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        help="run only this section; may be repeated",
    )
    parser.add_argument(
        "--counts",
        type=int,
        nargs="+",
        help="how many releases are started at once (default: 1 10 100 400)",
    )
    parser.add_argument(
        "--repetitions", type=int, help="how often each contender is measured (default: 3)"
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help=f"where the page is written (default: {PAGE.name}, after a full run)",
    )
    arguments = parser.parse_args()
    sizes: Sizes = arguments.sizes.override(
        counts=arguments.counts, repetitions=arguments.repetitions
    )
    is_full = sizes == FULL and not arguments.only
    try:
        sections = asyncio.run(_measure(arguments.only or list(SECTIONS), sizes))
    except asyncio.CancelledError:
        print("bench: stopped before it was finished", file=sys.stderr)
        return 130
    except (ContenderError, ProcessError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    for section in sections:
        print(section.format_plain())
        for requirement in section.requirements:
            holds = "holds" if requirement.holds else "DOES NOT HOLD"
            print(f"{holds}: {requirement.claim}: {requirement.measured}")
    target = arguments.write or (PAGE if is_full else None)
    if target:
        command = "make bench" if is_full else f"python -m tests.bench {' '.join(sys.argv[1:])}"
        load = (
            f"Medians of {sizes.repetitions} repetitions; "
            f"load of the machine when it ended: {os.getloadavg()[0]:.1f}."
        )
        target.write_text(render_page(sections, command=command, load=load))
    return int(
        any(
            requirement.counted and not requirement.holds
            for section in sections
            for requirement in section.requirements
        )
    )


async def _measure(names: list[str], sizes: Sizes) -> list[Section]:
    """Run the sections. SIGINT and SIGTERM stop everything that was started."""
    if (task := asyncio.current_task()) is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        async with start_harness(Path(directory)) as harness:
            await harness.start_product_worker()
            await harness.start_worker("noop", ["-m", "tests.bench.noop_worker"], "noop")
            sections = []
            for name in names:
                print(f"{name} …", flush=True)
                sections.append(await SECTIONS[name](harness, sizes))
            return sections


if __name__ == "__main__":
    sys.exit(main())
