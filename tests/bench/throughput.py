"""How many releases a second, of 1, 10, 100 and 400 begun at once, in seven ways; and whose CPU that takes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from tests.bench.contenders import (
    BurstResult,
    Contender,
    make_dbos_contender,
    make_noop_contender,
    make_release_contender,
    run_bare_script,
)
from tests.bench.harness import BenchHarness
from tests.bench.report import Requirement, Section, format_median
from tests.bench.step_functions import run_step_functions

CONTENDERS: Final[Mapping[str, Contender]] = {
    "bare script": run_bare_script,
    "DBOS on SQLite": make_dbos_contender("steps"),
    "DBOS on SQLite, same shape": make_dbos_contender("shape"),
    "Step Functions, emulated": run_step_functions,
    "no-op, at once": make_noop_contender(0.0),
    "no-op": make_noop_contender(),
    "lambda-releases": make_release_contender(),
}
_ABOUT: Final = 100
"""How many at once the lines are about."""

_CEILING: Final = 0.9


async def measure(harness: BenchHarness, *, counts: Sequence[int], repetitions: int) -> Section:
    """All contenders, one after the other, again and again."""
    taken: dict[tuple[str, int], list[BurstResult]] = defaultdict(list)
    for count in counts:
        for turn in range(repetitions):
            order = list(CONTENDERS.items())
            for name, contend in order[turn % len(order) :] + order[: turn % len(order)]:
                taken[name, count].append(await contend(harness, count))
                print(
                    f"  {count} at once, {name}: {taken[name, count][-1].rate:.2f}/s (load {os.getloadavg()[0]:.1f})",
                    flush=True,
                )
    return _section(taken, counts)


def _section(
    taken: Mapping[tuple[str, int], Sequence[BurstResult]], counts: Sequence[int]
) -> Section:
    rates = {key: [one.rate for one in runs] for key, runs in taken.items()}
    many = _ABOUT if _ABOUT in counts else max(counts)
    rows = [
        [
            name,
            *(format_median(rates[name, count], ".2f") for count in counts),
            *_cpu(taken[name, many], many),
        ]
        for name in CONTENDERS
    ]
    mine = rates["lambda-releases", many]

    def paired(other: str) -> float:
        """The median of the ratios of runs that stood side by side."""
        return median(a / b for a, b in zip(mine, rates[other, many], strict=True))

    lines = [
        Requirement(
            f"throughput at {many} at once ≥ {_CEILING} of the no-op ceiling",
            f"{paired('no-op'):.2f}",
            paired("no-op") >= _CEILING,
        ),
        *(
            Requirement(
                f"throughput at {many} at once no lower than {peer}",
                f"{paired(peer):.2f}",
                paired(peer) >= 1,
            )
            for peer in ("DBOS on SQLite", "DBOS on SQLite, same shape")
        ),
    ]
    notes = [
        "Releases a second. CPU is of one release, in milliseconds: of the worker (or of the process that does it all) and of the Temporal server.",
        (
            "`no-op` is the ceiling: outer and child workflow, the same activities, timer, upserts and memos, payloads of about the same size, no AWS; "
            "the one activity that waits for AWS in a release waits as long, and in `no-op, at once` not at all. Its worker has the SDK's own settings, sandboxed, its modules passed through."
        ),
        (
            "DBOS runs every workflow in one process with a step for each AWS call, on its own SQLite settings; the bare script keeps nothing. `same shape` is as `no-op`: "
            "a workflow that starts the one that shifts traffic, and an event of DBOS's wherever a release upserts, for what its list shows (function, phase, version, percent) and what it would put back."
        ),
        (
            "Step Functions is ministack's, in memory, with SDK integrations that reach the same stand-in. It has none for PublishVersion and for provisioned concurrency, so that machine "
            "publishes by UpdateFunctionCode and makes two calls less; its waits are whole seconds. It says what an emulator takes on this machine, and nothing about AWS's service."
        ),
    ]
    return Section(
        "Throughput",
        ["", *(f"{count} at once" for count in counts), "CPU worker", "CPU server"],
        rows,
        notes,
        lines,
    )


def _cpu(runs: Sequence[BurstResult], count: int) -> list[str]:
    """Milliseconds of CPU for a release: of the worker, and of the server where there is one."""
    worker = [1000 * (one.cpu.get("worker") or one.cpu["process"]) / count for one in runs]
    server = [1000 * one.cpu.get("server", 0) / count for one in runs]
    return [f"{median(worker):.0f}", f"{median(server):.0f}" if any(server) else "–"]
