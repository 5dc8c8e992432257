"""Thousands of sleeping canaries.

Their memory, a restart, and the burst when their bakes end.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import typer
from temporalio.client import WorkflowHandle

from deploy.local.processes import Process
from tests.bench import usage
from tests.load.burst import LONG, measure_abort_wait, measure_alarm_wait
from tests.load.harness import (
    AWS_RATE,
    Call,
    LoadHarness,
    count_busiest_second,
    open_harness,
    read_ending,
    wait_until_baking,
)

_CALLS_TO_BAKE: Final = 3
"""Control-plane calls until a canary bakes.

The alias twice, and its provisioned concurrency.
"""

_AT_ONCE: Final = 100
"""Concurrent requests to Temporal."""

CANDIDATE: Final = {"kind": "version", "version": "2"}


class TooSlowError(Exception):
    """The bakes were over before all canaries slept."""


@dataclass(frozen=True)
class Plan:
    """The sizes of a run.

    ``start_rate``: AWS's control-plane calls a second during the starts; afterwards it is 15.
    """

    canaries: int
    cached: int
    start_rate: float = AWS_RATE
    rollbacks: int = 20
    """So many are aborted, and as many stopped by an alarm, amid the burst."""
    rest: float = 10
    """Seconds that all sleep, to measure their CPU."""
    slack: float = 90
    """Seconds of the bakes beyond the starts, for the restart and for a slow machine."""

    @property
    def starts_a_second(self) -> float:
        """A tenth slower than AWS allows, so that no queue grows."""
        return 0.9 * self.start_rate / _CALLS_TO_BAKE

    @property
    def starting(self) -> float:
        """Seconds that the starts take."""
        return self.canaries / self.starts_a_second


@dataclass
class Memory:
    """Bytes of worker and server at one moment, and the sleeping canaries."""

    canaries: int
    worker: int
    server: int


@dataclass
class Crowd:
    """The figures of a run."""

    plan: Plan
    moments: dict[str, Memory] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    starting: list[Call] = field(default_factory=list)
    burst: list[Call] = field(default_factory=list)
    wall: float = 0.0
    """Seconds from the end of the bakes to the last moved alias."""
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU seconds for a minute of sleep."""
    effort: dict[str, float] = field(default_factory=dict)
    idle: list[float] = field(default_factory=list)
    aborts: list[float] = field(default_factory=list)
    alarms: list[float] = field(default_factory=list)

    @property
    def within(self) -> float:
        """kB of the worker for each canary while all are in its cache."""
        return self._each("worker", "before the first", "as many as are kept in memory")

    @property
    def beyond(self) -> float:
        """kB of the worker for each canary beyond its cache."""
        return self._each("worker", "as many as are kept in memory", "all asleep")

    def _each(self, whose: str, before: str, after: str) -> float:
        first, last = self.moments[before], self.moments[after]
        return (
            (getattr(last, whose) - getattr(first, whose))
            / max(1, last.canaries - first.canaries)
            / 1000
        )

    @property
    def floor(self) -> float:
        """The least time that AWS allows for the burst."""
        return sum(call.control_plane and not call.throttled for call in self.burst) / AWS_RATE

    @property
    def throttled(self) -> float:
        """The part of all calls that AWS throttled."""
        calls = [*self.starting, *self.burst]
        return sum(call.throttled for call in calls) / len(calls)

    @property
    def busiest(self) -> int:
        """The most control-plane calls within a second of the burst."""
        return count_busiest_second(self.burst)

    def rows(self) -> list[tuple[str, str]]:
        """The rows of the table."""
        plan = self.plan
        rows = [
            ("canaries in flight", str(plan.canaries)),
            (
                "workflows kept in memory",
                f"{plan.cached} (one a canary asleep, two a canary awake)",
            ),
            (
                "started at",
                f"{plan.starts_a_second:.1f} a second ({plan.start_rate:g} control-plane calls)",
            ),
        ]
        for what, memory in self.moments.items():
            rows.append(
                (
                    f"memory, {what} ({memory.canaries})",
                    f"worker {memory.worker / 1e6:.0f} MB, server {memory.server / 1e6:.0f} MB",
                )
            )
        rows += [
            ("worker, each canary within the cache", f"{self.within:.0f} kB"),
            ("worker, each canary beyond it", f"{self.beyond:.1f} kB"),
            (
                "server, each canary",
                f"{self._each('server', 'before the first', 'all asleep'):.0f} kB",
            ),
            ("CPU asleep, a minute", _format_cpu(self.cpu)),
            ("endings", ", ".join(f"{count} {how}" for how, count in self.endings.items())),
            ("burst: control-plane calls at 15 a second", f"{self.floor * AWS_RATE:.0f}"),
            (
                "burst: wall time, and the floor",
                f"{self.wall:.0f} s, {self.floor:.0f} s ({self.wall / max(self.floor, 0.1):.3f})",
            ),
            ("burst: CPU", _format_cpu(self.effort)),
            ("burst: busiest second", f"{self.busiest} control-plane calls"),
            (
                "throttled, of all calls",
                f"{self.throttled:.2%} of {len(self.starting) + len(self.burst)}",
            ),
            ("abort → alias back, all asleep", _format_waits(self.idle)),
            ("abort → alias back, amid the burst", _format_waits(self.aborts)),
            ("alarm read → alias back, amid the burst", _format_waits(self.alarms)),
        ]
        return rows


def _format_cpu(cpu: dict[str, float]) -> str:
    return ", ".join(f"{who} {seconds:.1f} s" for who, seconds in cpu.items())


def _format_waits(seconds: list[float]) -> str:
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    return f"median {median:.0f} ms, worst {worst:.0f} ms, of {len(seconds)}"


async def crowd(directory: Path, plan: Plan) -> Crowd:
    """Start canaries whose bakes end together.

    Restart the worker; stop some amid the burst.
    """
    figures = Crowd(plan)
    kept = min(
        plan.cached * 9 // 10, plan.canaries // 2
    )  # a tenth for the others, and for those awake, which are two workflows each
    async with open_harness(directory) as harness:
        await harness.aws("functions", "canary", plan.canaries, 2)
        await harness.aws("functions", "stopped", plan.rollbacks + 5, 2)
        await harness.aws("functions", "alarmed", plan.rollbacks, 2)
        await harness.aws("rate", plan.start_rate)
        settings = {"RELEASES_CACHED_WORKFLOWS": str(plan.cached), "RELEASES_LOG_LEVEL": "warning"}
        worker = await harness.worker("worker", RELEASES_AWS_RATE=str(plan.start_rate), **settings)
        others = await _start_others(harness, plan)
        await _measure_abort_waits(harness, range(plan.rollbacks, plan.rollbacks + 2))
        figures.moments["before the first"] = _read_memory(harness, worker, 0)

        together = time.time() + plan.starting * 1.15 + plan.slack
        _print(
            f"started {2 * plan.rollbacks} that will be stopped; "
            f"all bakes end in {together - time.time():.0f} s"
        )
        handles = await _start_canaries(harness, plan, range(kept), together)
        await wait_until_baking(harness, [f"canary-{kept - 1}"], seconds=plan.starting + 60)
        await asyncio.sleep(5)
        figures.moments["as many as are kept in memory"] = _read_memory(harness, worker, kept)
        handles += await _start_canaries(harness, plan, range(kept, plan.canaries), together)
        await wait_until_baking(
            harness,
            (f"canary-{number}" for number in range(plan.canaries)),
            seconds=plan.starting + 60,
        )
        await asyncio.sleep(5)
        _print(f"all {plan.canaries} sleep, {together - time.time():.0f} s before their end")
        figures.moments["all asleep"] = _read_memory(harness, worker, plan.canaries)
        figures.cpu = await _measure_sleep(harness, worker, plan.rest)
        figures.idle = await _measure_abort_waits(
            harness, range(plan.rollbacks + 2, plan.rollbacks + 5)
        )

        await worker.stop()
        await harness.aws("rate", AWS_RATE)
        worker = await harness.worker("worker-again", RELEASES_AWS_RATE=str(AWS_RATE), **settings)
        figures.moments["after the restart"] = _read_memory(harness, worker, plan.canaries)
        _print("the worker was restarted")
        if time.time() > together:
            raise TooSlowError(
                f"the bakes were over {time.time() - together:.0f} s before all canaries slept: "
                f"this machine does not start {plan.starts_a_second:.1f} a second; "
                f"make load CANARIES={plan.canaries} AWS_RATE={plan.start_rate / 2:g}"
            )
        figures.starting = await harness.calls()
        await asyncio.sleep(together - time.time())

        meter = usage.Meter({"worker": worker.pid, "server": harness.ground.temporal.pid})
        await _stop_some(harness, plan, figures, together)
        figures.effort = meter.read()
        _print(f"the burst is over, after {time.time() - together:.0f} s")
        figures.moments["after the burst"] = _read_memory(harness, worker, 0)
        figures.endings.update(await _read_endings(handles))
        figures.endings.update(
            "rolled back" if how == "ReleaseRolledBack" else how
            for how in await _read_endings(others)
        )
        figures.burst = await harness.calls(together)
        figures.wall = (
            max(call.at for call in figures.burst if call.which.startswith("canary-")) - together
        )
        figures.alarms = [
            measure_alarm_wait(figures.burst, number) for number in range(plan.rollbacks)
        ]
        for prefix, live in (("canary", "2"), ("stopped", "1"), ("alarmed", "1")):
            states = (await harness.functions(prefix)).values()
            if wrong := sum((state["live"], state["weights"]) != (live, {}) for state in states):
                figures.endings[f"{prefix}: wrong"] = wrong
        return figures


async def _start_others(harness: LoadHarness, plan: Plan) -> list[WorkflowHandle[Any, Any]]:
    """Start the canaries that will be stopped; their bakes last until then."""
    strategy = {"steps": [{"kind": "set_weight", "percent": 10}, LONG]}
    others = []
    for number in range(plan.rollbacks):
        await harness.aws("alarm", f"alarm-{number}", "OK")
        guards = {"alarms": [f"alarm-{number}"]}
        others.append(
            await harness.start(
                f"alarmed-{number}", artifact=CANDIDATE, strategy=strategy, guards=guards
            )
        )
    others += [
        await harness.start(f"stopped-{number}", artifact=CANDIDATE, strategy=strategy)
        for number in range(plan.rollbacks + 5)
    ]
    await wait_until_baking(harness, [f"alarmed-{number}" for number in range(plan.rollbacks)])
    await wait_until_baking(harness, [f"stopped-{number}" for number in range(plan.rollbacks + 5)])
    await asyncio.sleep(1)
    return others


async def _measure_abort_waits(harness: LoadHarness, numbers: range) -> list[float]:
    return [await measure_abort_wait(harness, f"stopped-{number}") for number in numbers]


async def _start_canaries(
    harness: LoadHarness, plan: Plan, numbers: range, together: float
) -> list[WorkflowHandle[Any, Any]]:
    """Start canaries evenly, with bakes that end at the same moment."""
    begun, started = time.time(), list[WorkflowHandle[Any, Any]]()
    for count, number in enumerate(numbers):
        await asyncio.sleep(max(0.0, begun + count / plan.starts_a_second - time.time()))
        left = max(1, round(together - time.time() - 0.5))
        steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": f"PT{left}S"}]
        started.append(
            await harness.start(f"canary-{number}", artifact=CANDIDATE, strategy={"steps": steps})
        )
    return started


async def _measure_sleep(harness: LoadHarness, worker: Process, seconds: float) -> dict[str, float]:
    """CPU seconds of a minute of sleep."""
    meter = usage.Meter({"worker": worker.pid, "server": harness.ground.temporal.pid})
    await asyncio.sleep(seconds)
    return {who: used * 60 / seconds for who, used in meter.read().items()}


async def _stop_some(harness: LoadHarness, plan: Plan, figures: Crowd, together: float) -> None:
    """Set off alarms at the beginning, and abort some over the first half of the burst."""
    length = plan.canaries / AWS_RATE / 2
    for number in range(plan.rollbacks):
        await harness.aws("alarm", f"alarm-{number}", "ALARM")
    for number in range(plan.rollbacks):
        moment = together + 1 + length * (number + random.random()) / plan.rollbacks
        await asyncio.sleep(max(0.0, moment - time.time()))
        figures.aborts.append(await measure_abort_wait(harness, f"stopped-{number}"))
    while time.time() < together + 2 * length * 1.5 + 120:
        if not any(state["weights"] for state in (await harness.functions("canary")).values()):
            return
        await asyncio.sleep(2)


async def _read_endings(handles: list[WorkflowHandle[Any, Any]]) -> list[str]:
    """Read their endings, some at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(handle: WorkflowHandle[Any, Any]) -> str:
        async with gate, asyncio.timeout(120):
            return await read_ending(handle)

    return list(await asyncio.gather(*map(one, handles)))


def _print(what: str) -> None:
    typer.echo(f"{time.strftime('%H:%M:%S')} {what}")


def _read_memory(harness: LoadHarness, worker: Process, canaries: int) -> Memory:
    return Memory(
        canaries, _read_tree_memory(worker.pid), _read_tree_memory(harness.ground.temporal.pid)
    )


def _read_tree_memory(pid: int) -> int:
    """Bytes of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return usage.read_memory_bytes(pid) + sum(_read_tree_memory(int(child)) for child in children)
