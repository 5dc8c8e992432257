"""Section: releases a second of each contender, and their CPU."""

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
_REQUIRED_COUNT: Final = 100
"""The number of concurrent releases that the requirements are about."""

_MIN_SHARE_OF_CEILING: Final = 0.9


async def measure(harness: BenchHarness, *, counts: Sequence[int], repetitions: int) -> Section:
    """Measure all contenders in turns, in another order each time."""
    results: dict[tuple[str, int], list[BurstResult]] = defaultdict(list)
    for count in counts:
        for turn in range(repetitions):
            order = list(CONTENDERS.items())
            for name, contend in order[turn % len(order) :] + order[: turn % len(order)]:
                results[name, count].append(await contend(harness, count))
                rate, load = results[name, count][-1].rate, os.getloadavg()[0]
                print(f"  {count} at once, {name}: {rate:.2f}/s (load {load:.1f})", flush=True)
    return _build_section(results, counts)


def _build_section(
    results: Mapping[tuple[str, int], Sequence[BurstResult]], counts: Sequence[int]
) -> Section:
    rates = {key: [one.rate for one in runs] for key, runs in results.items()}
    many = _REQUIRED_COUNT if _REQUIRED_COUNT in counts else max(counts)
    rows = [
        [
            name,
            *(format_median(rates[name, count], ".2f") for count in counts),
            *_format_cpu(results[name, many], many),
        ]
        for name in CONTENDERS
    ]
    ours = rates["lambda-releases", many]

    def compare(other: str) -> float:
        """Return the median ratio of runs of the same turn."""
        return median(a / b for a, b in zip(ours, rates[other, many], strict=True))

    requirements = [
        Requirement(
            f"throughput at {many} at once ≥ {_MIN_SHARE_OF_CEILING} of the no-op ceiling",
            f"{compare('no-op'):.2f}",
            compare("no-op") >= _MIN_SHARE_OF_CEILING,
        ),
        *(
            Requirement(
                f"throughput at {many} at once no lower than {peer}",
                f"{compare(peer):.2f}",
                compare(peer) >= 1,
            )
            for peer in ("DBOS on SQLite", "DBOS on SQLite, same shape")
        ),
    ]
    notes = [
        (
            "Releases a second. CPU is of one release, in milliseconds: of the worker (or of the "
            "process that does it all) and of the Temporal server."
        ),
        (
            "`no-op` is the ceiling: outer and child workflow, the same activities, timer, upserts "
            "and memos, payloads of about the same size, no AWS. The one activity that waits for "
            "AWS in a release waits as long, and in `no-op, at once` not at all. Its worker has "
            "the SDK's own settings, sandboxed, its modules passed through."
        ),
        (
            "DBOS runs every workflow in one process with a step for each AWS call, on its own "
            "SQLite settings; the bare script keeps nothing. `same shape` is as `no-op`: a "
            "workflow starts the one that shifts traffic, and DBOS sets an event wherever a "
            "release upserts, for what its list shows (function, phase, version, percent) and "
            "what it would restore."
        ),
        (
            "Step Functions is ministack's, in memory, with SDK integrations that reach the same "
            "stand-in. It has none for PublishVersion and for provisioned concurrency, so that "
            "state machine publishes by UpdateFunctionCode and makes two calls less; its waits are "
            "whole seconds. It shows what an emulator takes on this machine, and nothing about "
            "AWS's service."
        ),
    ]
    return Section(
        "Throughput",
        ["", *(f"{count} at once" for count in counts), "CPU worker", "CPU server"],
        rows,
        notes,
        requirements,
    )


def _format_cpu(runs: Sequence[BurstResult], count: int) -> list[str]:
    """Format the milliseconds of CPU for a release, of worker and server."""
    worker = [1000 * (one.cpu.get("worker") or one.cpu["process"]) / count for one in runs]
    server = [1000 * one.cpu.get("server", 0) / count for one in runs]
    return [f"{median(worker):.0f}", f"{median(server):.0f}" if any(server) else "–"]
