"""How soon an alias is back once a release is to be stopped: idle, and while 500 other activities wait for AWS.

The worker keeps to AWS's 15 calls a second here, as in earnest. A verdict is an accepted ``abort``, by the server's clock; the alias is
back when the stand-in has written it. Both are processes of this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from tests.bench.harness import BenchHarness
from tests.bench.pipeline import LIVE
from tests.bench.release_cost import get_rollout, start_release, wait_until_baking
from tests.bench.report import Requirement, Section, percentile

QUEUE: Final = "limited"
APART: Final = 0.4
"""Seconds between two verdicts: each is met by a worker that is busy with what follows the one before."""

_LONG: Final = 3600.0


async def measure(harness: BenchHarness, *, aborts: int, backlog: int, repetitions: int) -> Section:
    """So many aborts without, and as many with so many activities before them in the queue; in turns, since a p99 needs many."""
    await harness.product(QUEUE, RELEASES_AWS_RATE="15")
    idle: list[RollbackTimes] = []
    busy: list[RollbackTimes] = []
    waiting: list[tuple[int, int]] = []
    calls = 0
    for turn in range(repetitions):
        quiet, crowded, crowd = f"idle-{turn}", f"busy-{turn}", f"crowd-{turn}"
        idle += await _abort(harness, quiet, await _prepared(harness, quiet, aborts))
        calls = max(
            calls,
            *(
                told["calls"]["update_alias"] - 1
                for told in (await harness.read_functions(quiet)).values()
            ),
        )
        handles = await _prepared(harness, crowded, aborts)
        await _queue(harness, crowd, backlog)
        before = backlog - await _done(harness, crowd)
        busy += await _abort(harness, crowded, handles)
        waiting.append((before, backlog - await _done(harness, crowd)))
        await _until(partial(_done, harness, crowd), backlog)
    before, after = min(first for first, _ in waiting), min(last for _, last in waiting)
    rows = [
        ["idle", *_figures(idle)],
        [
            f"{backlog} activities waiting ({before} at the first verdict, {after} after the last)",
            *_figures(busy),
        ],
    ]
    ratio = percentile([one.whole for one in busy], 99) / percentile(
        [one.whole for one in idle], 99
    )
    lines = [
        Requirement(
            "verdict to alias restored: one AWS call", str(calls), calls == 1, counted=True
        ),
        Requirement(
            "p99 under a backlog ≤ 2 × the idle p99", f"{ratio:.2f} ×", ratio <= 2 and after > 0
        ),
    ]
    note = f"{aborts * repetitions} aborts each, {APART:g} s apart, in {repetitions} turns, begun once Temporal lists all that waits; the worker at AWS's 15 calls a second, the activities that wait at the default priority."
    parts = "The three on the right are medians of its parts: until the workflow has asked for the call, until a worker has taken it, until AWS has it."
    columns = ["", "p50, ms", "p99, ms", "most, ms", "decided", "taken", "written"]
    return Section("From verdict to alias restored", columns, rows, (note, parts), lines)


async def _until(count: Callable[[], Awaitable[int]], backlog: int) -> None:
    """Wait until all of the backlog is counted."""
    for _ in range(600):
        if await count() == backlog:
            return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{await count()} of the backlog of {backlog} are counted after two minutes")


@dataclass(frozen=True)
class RollbackTimes:
    """Seconds from a verdict to the alias being back: until the call was asked for, was taken by a worker, was seen by AWS."""

    decided: float
    taken: float
    written: float

    @property
    def whole(self) -> float:
        """All of it."""
        return self.decided + self.taken + self.written


def _figures(ways: list[RollbackTimes]) -> list[str]:
    whole = [way.whole for way in ways]
    parts = (
        median(part)
        for part in zip(*((way.decided, way.taken, way.written) for way in ways), strict=True)
    )
    return [
        f"{1000 * value:.0f}"
        for value in (percentile(whole, 50), percentile(whole, 99), max(whole), *parts)
    ]


async def _queue(harness: BenchHarness, crowd: str, backlog: int) -> None:
    """Have so many activities wait, and the server done with taking them in: listed is what it does last."""
    await harness.functions(crowd, 1)
    asked = {"FunctionName": f"{crowd}-0", "Name": LIVE}

    async def one(number: int) -> None:
        await harness.services.client.start_activity(
            "get_alias",
            asked,
            id=f"{crowd}-{number}",
            task_queue=QUEUE,
            start_to_close_timeout=timedelta(seconds=30),
        )

    await asyncio.gather(*map(one, range(backlog)))
    await _until(partial(_listed, harness, crowd), backlog)


async def _listed(harness: BenchHarness, crowd: str) -> int:
    """How many of them Temporal lists."""
    return (
        await harness.services.client.count_activities(f"ActivityId STARTS_WITH '{crowd}-'")
    ).count


async def _done(harness: BenchHarness, crowd: str) -> int:
    """How many of them are carried out."""
    count: int = (await harness.read_functions(crowd))[f"{crowd}-0"]["calls"].get("get_alias", 0)
    return count


async def _prepared(
    harness: BenchHarness, prefix: str, count: int
) -> list[WorkflowHandle[Any, Any]]:
    """So many releases that bake."""
    await harness.functions(prefix, count)
    for number in range(count):
        await start_release(harness, f"{prefix}-{number}", bake=_LONG, queue=QUEUE)
    handles = [get_rollout(harness, f"{prefix}-{number}") for number in range(count)]
    for handle in handles:
        await wait_until_baking(handle)
    return handles


async def _abort(
    harness: BenchHarness, prefix: str, handles: list[WorkflowHandle[Any, Any]]
) -> list[RollbackTimes]:
    """Say abort to each, and tell how its alias came back."""

    async def one(at: int, handle: WorkflowHandle[Any, Any]) -> None:
        await asyncio.sleep(at * APART)
        await handle.execute_update("abort", {"by": "bench", "reason": "p99 is up"})

    await asyncio.gather(*(one(at, handle) for at, handle in enumerate(handles)))
    async with asyncio.timeout(120):
        told = await harness.read_functions(prefix)
        while any((one["live"], one["weights"]) != ("1", {}) for one in told.values()):
            await asyncio.sleep(0.1)
            told = await harness.read_functions(prefix)
    return [
        await _way(handle, told[f"{prefix}-{number}"]["moved_at"])
        for number, handle in enumerate(handles)
    ]


async def _way(handle: WorkflowHandle[Any, Any], back: float) -> RollbackTimes:
    """From the history: the verdict, and the first UpdateAlias asked for after it."""
    verdict = asked = taken = 0.0
    scheduled = 0
    async for event in handle.fetch_history_events():
        at = event.event_time.ToNanoseconds() / 1e9
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                verdict = at
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED if verdict and not scheduled:
                asked, scheduled = at, event.event_id
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED if (
                event.activity_task_started_event_attributes.scheduled_event_id == scheduled
            ):
                taken = at
    return RollbackTimes(asked - verdict, taken - asked, back - taken)
