"""A hundred releases at once at AWS's limits.

Their duration, and the waits of rollbacks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowHandle

from tests.bench import pipeline, usage
from tests.load.harness import (
    AWS_RATE,
    Call,
    LoadHarness,
    count_busiest_second,
    format_operations,
    open_harness,
    read_ending,
    wait_until_baking,
)

LONG: Final = {"kind": "bake", "duration": "PT30M"}
STEPS: Final = {"steps": [{"kind": "set_weight", "percent": 10}, LONG]}


_CALLS: Final = 6
"""Control-plane calls of one release at best; four before its alias moves."""


@dataclass(frozen=True)
class Burst:
    """The figures of a burst. Durations are in seconds."""

    workers: int
    endings: Counter[str]
    calls: list[Call]
    wall: float
    cpu: dict[str, float]
    idle: list[float]
    aborts: list[float]
    """From an abort amid the burst to the alias back."""
    alarms: list[float]
    """From CloudWatch's response with the alarm to the alias back."""

    @property
    def floor(self) -> float:
        """The least time that AWS allows for these calls."""
        return sum(call.control_plane and not call.throttled for call in self.calls) / AWS_RATE

    @property
    def throttled(self) -> float:
        """The part of the calls that AWS throttled."""
        return sum(call.throttled for call in self.calls) / len(self.calls)

    @property
    def busiest(self) -> int:
        """The most control-plane calls within a second."""
        return count_busiest_second(self.calls)

    def rows(self) -> list[tuple[str, str]]:
        """The rows of the table."""
        return [
            ("worker processes", str(self.workers)),
            ("endings", ", ".join(f"{count} {how}" for how, count in self.endings.items())),
            ("wall time", f"{self.wall:.1f} s"),
            ("floor (control-plane calls ÷ 15)", f"{self.floor:.1f} s"),
            ("wall ÷ floor", f"{self.wall / self.floor:.3f}"),
            ("CPU", ", ".join(f"{who} {seconds:.1f} s" for who, seconds in self.cpu.items())),
            ("calls that reached AWS", f"{len(self.calls)} ({format_operations(self.calls)})"),
            ("throttled", f"{self.throttled:.2%}"),
            ("control-plane calls in the busiest second", str(self.busiest)),
            ("abort → alias back, nothing else going on", _format_waits(self.idle)),
            ("abort → alias back, amid the burst", _format_waits(self.aborts)),
            ("alarm read → alias back, amid the burst", _format_waits(self.alarms)),
        ]


def _format_waits(seconds: list[float]) -> str:
    return ", ".join(f"{each * 1000:.0f}" for each in sorted(seconds)) + " ms"


async def burst(directory: Path, *, workers: int, releases: int, rollbacks: int = 4) -> Burst:
    """Release so many functions at once.

    Meanwhile abort others, and set off two alarms.
    """
    async with open_harness(directory) as harness:
        await harness.aws("functions", "new", releases, 1)
        await harness.aws("functions", "stopped", rollbacks + 2, 2)
        await harness.aws("functions", "alarmed", 2, 2)
        processes = await harness.workers(workers)
        others = await _start_others(harness, rollbacks + 2)
        idle = [
            await measure_abort_wait(harness, f"stopped-{rollbacks + number}")
            for number in range(2)
        ]

        meter = usage.Meter(
            {
                "server": harness.ground.temporal.pid,
                **{process.name: process.pid for process in processes},
            }
        )
        begun = time.time()
        handles = await asyncio.gather(
            *(
                harness.start(f"new-{number}", **_create_request(f"new-{number}"))
                for number in range(releases)
            )
        )
        length = releases * _CALLS / AWS_RATE
        aborts: list[float] = []
        for number in range(rollbacks):
            await asyncio.sleep(
                max(0.0, begun + length * (number + 1) / (rollbacks + 2) - time.time())
            )
            aborts.append(await measure_abort_wait(harness, f"stopped-{number}"))
            if number == rollbacks // 2:
                for alarm in range(2):
                    await harness.aws("alarm", f"alarm-{alarm}", "ALARM")
        endings = Counter(await asyncio.gather(*map(read_ending, handles)))
        cpu = meter.read()
        endings.update(
            "rolled back" if how == "ReleaseRolledBack" else how
            for how in await asyncio.gather(*map(read_ending, others))
        )
        calls = await harness.calls(begun)
        last = max(call.at for call in calls if call.which.startswith("new-"))
        wrong = [
            name
            for name, state in (await harness.functions("new")).items()
            if (state["live"], state["weights"]) != ("2", {})
        ]
        for prefix in ("stopped", "alarmed"):
            wrong += [
                name
                for name, state in (await harness.functions(prefix)).items()
                if (state["live"], state["weights"]) != ("1", {})
            ]
        if wrong:
            endings["wrong"] = len(wrong)
        during = [call for call in calls if call.at <= last]
        return Burst(
            workers,
            endings,
            during,
            last - begun,
            cpu,
            idle,
            aborts,
            [measure_alarm_wait(calls, number) for number in range(2)],
        )


def _create_request(function: str) -> dict[str, object]:
    wanted = pipeline.build_release(function)
    return {"artifact": wanted["artifact"], "strategy": wanted["strategy"]}


async def _start_others(harness: LoadHarness, stopped: int) -> list[WorkflowHandle[Any, Any]]:
    """Start releases that bake, to be aborted or stopped by an alarm."""
    artifact = {"kind": "version", "version": "2"}
    others = [
        await harness.start(f"stopped-{number}", artifact=artifact, strategy=STEPS)
        for number in range(stopped)
    ]
    for number in range(2):
        await harness.aws("alarm", f"alarm-{number}", "OK")
        guards = {"alarms": [f"alarm-{number}"]}
        others.append(
            await harness.start(
                f"alarmed-{number}", artifact=artifact, strategy=STEPS, guards=guards
            )
        )
    await wait_until_baking(
        harness,
        [
            *(f"stopped-{number}" for number in range(stopped)),
            *(f"alarmed-{number}" for number in range(2)),
        ],
    )
    await asyncio.sleep(1)
    return others


async def measure_abort_wait(harness: LoadHarness, function: str) -> float:
    """Abort a release; return the seconds until its alias is back."""
    begun = time.time()
    await harness.abort(function)
    while True:
        state = (await harness.functions(function.rpartition("-")[0]))[function]
        if not state["weights"]:
            return float(state["moved_at"] - begun)
        await asyncio.sleep(0.02)


def measure_alarm_wait(calls: list[Call], number: int) -> float:
    """The seconds from the first poll with a firing alarm until the alias was back."""
    fired_at = next(
        call.at
        for call in calls
        if call.operation == "describe_alarms" and f"alarm-{number}" in (call.details or ())
    )
    return (
        next(
            call.at
            for call in calls
            if call.operation == "update_alias"
            and call.which == f"alarmed-{number}"
            and call.at > fired_at
        )
        - fired_at
    )
