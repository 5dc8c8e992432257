"""How soon an alias is back once a release is to be stopped: idle, and while 500 other activities wait for AWS.

The worker keeps to AWS's 15 calls a second here, as in earnest. A verdict is an accepted ``abort``, by the server's clock; the alias is
back when the stand-in has written it. Both are processes of this machine.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from deploy.bench.anatomy import baking, begin, rollout
from deploy.bench.pipeline import LIVE
from deploy.bench.report import Line, Section, percentile
from deploy.bench.scene import Scene

QUEUE: Final = "limited"
APART: Final = 0.5
"""Seconds between two verdicts: each is met by a worker that is busy with what follows the one before."""

_LONG: Final = 3600.0


async def measure(scene: Scene, *, aborts: int, backlog: int) -> Section:
    """So many aborts without, and as many with so many activities before them in the queue."""
    await scene.product(QUEUE, RELEASES_AWS_RATE="15")
    idle = await _abort(scene, "idle", await _prepared(scene, "idle", aborts))
    calls = max(told["calls"]["update_alias"] for told in (await scene.told("idle")).values()) - 1
    await scene.functions("crowd", 1)
    handles: list[WorkflowHandle[Any, Any]] = await _prepared(scene, "busy", aborts)
    asked = {"FunctionName": "crowd-0", "Name": LIVE}

    async def queue(number: int) -> None:
        await scene.client.start_activity(
            "get_alias", asked, id=f"crowd-{number}", task_queue=QUEUE, start_to_close_timeout=timedelta(seconds=30)
        )

    await asyncio.gather(*map(queue, range(backlog)))
    before = backlog - await _done(scene)
    busy = await _abort(scene, "busy", handles)
    after = backlog - await _done(scene)
    rows = [
        ["idle", *_figures(idle)],
        [f"{backlog} activities waiting ({before} at the first verdict, {after} after the last)", *_figures(busy)],
    ]
    ratio = percentile(busy, 99) / percentile(idle, 99)
    lines = [
        Line("verdict to alias restored: one AWS call", str(calls), calls == 1),
        Line("p99 under a backlog ≤ 2 × the idle p99", f"{ratio:.2f} ×", ratio <= 2 and after > 0),  # noqa: PLR2004 - the line's own
    ]
    note = (
        f"{aborts} aborts each, {APART:g} s apart; the worker at AWS's 15 calls a second, the activities that wait at the default priority."
    )
    return Section("From verdict to alias restored", ["", "p50, ms", "p99, ms", "most, ms"], rows, (note,), lines)


def _figures(seconds: list[float]) -> list[str]:
    return [f"{1000 * value:.0f}" for value in (percentile(seconds, 50), percentile(seconds, 99), max(seconds))]


async def _done(scene: Scene) -> int:
    count: int = (await scene.told("crowd"))["crowd-0"]["calls"].get("get_alias", 0)
    return count


async def _prepared(scene: Scene, prefix: str, count: int) -> list[WorkflowHandle[Any, Any]]:
    """So many releases that bake."""
    await scene.functions(prefix, count)
    for number in range(count):
        await begin(scene, f"{prefix}-{number}", bake=_LONG, queue=QUEUE)
    handles = [rollout(scene, f"{prefix}-{number}") for number in range(count)]
    for handle in handles:
        await baking(handle)
    return handles


async def _abort(scene: Scene, prefix: str, handles: list[WorkflowHandle[Any, Any]]) -> list[float]:
    """Seconds from each verdict to its alias being back."""

    async def one(at: int, handle: WorkflowHandle[Any, Any]) -> None:
        await asyncio.sleep(at * APART)
        await handle.execute_update("abort", {"by": "bench", "reason": "p99 is up"})

    await asyncio.gather(*(one(at, handle) for at, handle in enumerate(handles)))
    async with asyncio.timeout(120):
        told = await scene.told(prefix)
        while any((one["live"], one["weights"]) != ("1", {}) for one in told.values()):
            await asyncio.sleep(0.1)
            told = await scene.told(prefix)
    return [told[f"{prefix}-{number}"]["moved_at"] - await _verdict(handle) for number, handle in enumerate(handles)]


async def _verdict(handle: WorkflowHandle[Any, Any]) -> float:
    accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    events = [event async for event in handle.fetch_history_events() if event.event_type == accepted]
    return events[0].event_time.ToNanoseconds() / 1e9
