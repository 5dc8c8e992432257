"""Section: how soon an alias is restored after an abort.

The worker keeps to AWS's 15 calls a second here, as in production. The time starts when the server
accepts ``abort``, by its clock, and ends when the stand-in has written the alias. Both are
processes of this machine.
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
_INTERVAL_SECONDS: Final = 0.4
"""Between two aborts: the worker is still busy with the rest of the one before."""

_BAKE_SECONDS: Final = 3600.0


async def measure(harness: BenchHarness, *, aborts: int, backlog: int, repetitions: int) -> Section:
    """Measure aborts on an idle queue and behind a backlog, in turns.

    The aborts of all turns count together, since a p99 needs many.
    """
    await harness.start_product_worker(QUEUE, RELEASES_AWS_RATE="15")
    idle: list[RollbackTimes] = []
    busy: list[RollbackTimes] = []
    waiting: list[tuple[int, int]] = []
    calls = 0
    for turn in range(repetitions):
        quiet, crowded, crowd = f"idle-{turn}", f"busy-{turn}", f"crowd-{turn}"
        idle += await _abort_releases(harness, quiet, await _start_releases(harness, quiet, aborts))
        calls = max(
            calls,
            *(
                report["calls"]["update_alias"] - 1
                for report in (await harness.read_functions(quiet)).values()
            ),
        )
        handles = await _start_releases(harness, crowded, aborts)
        await _fill_queue(harness, crowd, backlog)
        before = backlog - await _count_done(harness, crowd)
        busy += await _abort_releases(harness, crowded, handles)
        waiting.append((before, backlog - await _count_done(harness, crowd)))
        await _wait_for_backlog(partial(_count_done, harness, crowd), backlog)
    before, after = min(first for first, _ in waiting), min(last for _, last in waiting)
    rows = [
        ["idle", *_format_times(idle)],
        [
            f"{backlog} activities waiting ({before} at the first verdict, {after} after the last)",
            *_format_times(busy),
        ],
    ]
    ratio = percentile([one.total for one in busy], 99) / percentile(
        [one.total for one in idle], 99
    )
    requirements = [
        Requirement(
            "verdict to alias restored: one AWS call", str(calls), calls == 1, counted=True
        ),
        Requirement(
            "p99 under a backlog ≤ 2 × the idle p99", f"{ratio:.2f} ×", ratio <= 2 and after > 0
        ),
    ]
    note = (
        f"{aborts * repetitions} aborts each, {_INTERVAL_SECONDS:g} s apart, in {repetitions} "
        "turns, started once Temporal lists all waiting activities; the worker at AWS's 15 calls a "
        "second, the waiting activities at the default priority."
    )
    parts = (
        "The three on the right are medians of its parts: until the workflow has scheduled the "
        "call, until a worker has started it, until AWS has received it."
    )
    columns = ["", "p50, ms", "p99, ms", "max, ms", "scheduled", "started", "written"]
    return Section("From verdict to alias restored", columns, rows, (note, parts), requirements)


async def _wait_for_backlog(count: Callable[[], Awaitable[int]], backlog: int) -> None:
    """Wait until ``count`` has counted all of the backlog. Raises ``TimeoutError``."""
    for _ in range(600):
        if await count() == backlog:
            return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{await count()} of the backlog of {backlog} are counted after two minutes")


@dataclass(frozen=True)
class RollbackTimes:
    """Seconds from an abort until the alias is restored, in three parts."""

    scheduled: float
    """From the abort until the workflow has scheduled UpdateAlias."""
    started: float
    """From there until a worker has started it."""
    written: float
    """From there until AWS has written the alias."""

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return self.scheduled + self.started + self.written


def _format_times(times: list[RollbackTimes]) -> list[str]:
    totals = [time.total for time in times]
    parts = (
        median(part)
        for part in zip(
            *((time.scheduled, time.started, time.written) for time in times), strict=True
        )
    )
    return [
        f"{1000 * value:.0f}"
        for value in (percentile(totals, 50), percentile(totals, 99), max(totals), *parts)
    ]


async def _fill_queue(harness: BenchHarness, crowd: str, backlog: int) -> None:
    """Start activities that wait in the queue, until the server lists them all.

    Listing is the last that the server does for a new activity.
    """
    await harness.create_functions(crowd, 1)
    request = {"FunctionName": f"{crowd}-0", "Name": LIVE}

    async def start(number: int) -> None:
        await harness.services.client.start_activity(
            "get_alias",
            request,
            id=f"{crowd}-{number}",
            task_queue=QUEUE,
            start_to_close_timeout=timedelta(seconds=30),
        )

    await asyncio.gather(*map(start, range(backlog)))
    await _wait_for_backlog(partial(_count_listed, harness, crowd), backlog)


async def _count_listed(harness: BenchHarness, crowd: str) -> int:
    """Count the waiting activities that Temporal lists."""
    return (
        await harness.services.client.count_activities(f"ActivityId STARTS_WITH '{crowd}-'")
    ).count


async def _count_done(harness: BenchHarness, crowd: str) -> int:
    """Count the activities that have called AWS."""
    count: int = (await harness.read_functions(crowd))[f"{crowd}-0"]["calls"].get("get_alias", 0)
    return count


async def _start_releases(
    harness: BenchHarness, prefix: str, count: int
) -> list[WorkflowHandle[Any, Any]]:
    """Start releases and wait until all of them bake."""
    await harness.create_functions(prefix, count)
    for number in range(count):
        await start_release(harness, f"{prefix}-{number}", bake=_BAKE_SECONDS, queue=QUEUE)
    handles = [get_rollout(harness, f"{prefix}-{number}") for number in range(count)]
    for handle in handles:
        await wait_until_baking(handle)
    return handles


async def _abort_releases(
    harness: BenchHarness, prefix: str, handles: list[WorkflowHandle[Any, Any]]
) -> list[RollbackTimes]:
    """Abort the releases one after the other, and measure each rollback."""

    async def abort(at: int, handle: WorkflowHandle[Any, Any]) -> None:
        await asyncio.sleep(at * _INTERVAL_SECONDS)
        await handle.execute_update("abort", {"by": "bench", "reason": "p99 is up"})

    await asyncio.gather(*(abort(at, handle) for at, handle in enumerate(handles)))
    async with asyncio.timeout(120):
        reports = await harness.read_functions(prefix)
        while any((one["live"], one["weights"]) != ("1", {}) for one in reports.values()):
            await asyncio.sleep(0.1)
            reports = await harness.read_functions(prefix)
    return [
        await _read_times(handle, reports[f"{prefix}-{number}"]["moved_at"])
        for number, handle in enumerate(handles)
    ]


async def _read_times(handle: WorkflowHandle[Any, Any], written_at: float) -> RollbackTimes:
    """Read the abort and the first UpdateAlias after it from the history."""
    aborted_at = scheduled_at = started_at = 0.0
    scheduled = 0
    async for event in handle.fetch_history_events():
        at = event.event_time.ToNanoseconds() / 1e9
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                aborted_at = at
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED if aborted_at and not scheduled:
                scheduled_at, scheduled = at, event.event_id
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED if (
                event.activity_task_started_event_attributes.scheduled_event_id == scheduled
            ):
                started_at = at
    return RollbackTimes(
        scheduled_at - aborted_at, started_at - scheduled_at, written_at - started_at
    )
