"""Section: the AWS calls, history, actions and time of one release."""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Any, Final

from temporalio.client import WorkflowHandle

from tests.bench.contenders import BurstResult, make_release_contender, run_bare_script
from tests.bench.harness import BenchHarness
from tests.bench.history import HistoryUsage, read_usage
from tests.bench.pipeline import BAKE, LIVE, build_release
from tests.bench.report import Requirement, Section, format_median

_MAX_CALLS: Final = 6
_LEFT_OVER: Final = {"get_policy", "list_event_source_mappings", "list_function_url_configs"}
"""The calls that find triggers: they take only turns that nobody else needs."""
_MAX_ACTIONS: Final = 25
_MAX_EVENTS: Final = 110
_MAX_GUARDED_EVENTS: Final = 200
_DAY_SECONDS: Final = 86_400.0


async def measure(harness: BenchHarness, *, repetitions: int, watched: float) -> Section:
    """Measure single releases beside the bare script, and one with a long bake.

    The long bake is observed for ``watched`` seconds and then promoted.
    """
    script: list[BurstResult] = []
    releases: list[BurstResult] = []
    for _ in range(repetitions):
        script.append(await run_bare_script(harness, 1))
        releases.append(await make_release_contender()(harness, 1))
    print(
        f"  one release: {releases[-1].seconds:.2f} s, bare {script[-1].seconds:.2f} s", flush=True
    )
    outer, inner, calls = await _run_release(harness, "anatomy", bake=BAKE)
    outer_long, inner_long, _ = await _run_release(harness, "longer", bake=3 * BAKE)
    added_events, guarded = await _run_guarded_release(harness, watched)
    both, both_long = outer + inner, outer_long + inner_long
    limited = sum(
        count for name, count in calls.items() if name not in {"get_function", *_LEFT_OVER}
    )
    actions = sum(both.actions.values())
    beyond = [[one.seconds - BAKE for one in runs] for runs in (releases, script)]
    rows = [
        ["wall time beyond the bake, s", format_median(beyond[0], ".2f")],
        ["… of the bare script", format_median(beyond[1], ".2f")],
        *([f"AWS calls: {name}", str(count)] for name, count in sorted(calls.items())),
        ["history events of Release / Rollout", f"{outer.events} / {inner.events}"],
        ["history bytes of Release / Rollout", f"{outer.size:,} / {inner.size:,}"],
        ["workflow tasks of Release / Rollout", f"{outer.tasks} / {inner.tasks}"],
        *([f"actions: {name}", str(count)] for name, count in both.actions.most_common()),
        ["actions together", str(actions)],
        [f"bake of a day with an alarm: events that {watched:g} s of it add", str(added_events)],
        ["… events of both at the end", str(guarded.events)],
    ]
    without_memos = actions - both.actions["memos"]
    actions_long = sum(both_long.actions.values())
    requirements = [
        Requirement(
            f"a canary: ≤ {_MAX_CALLS} control-plane calls outside GetFunction, and outside those "
            "in left-over turns that find triggers",
            str(limited),
            limited <= _MAX_CALLS,
            counted=True,
        ),
        Requirement(
            f"≤ {_MAX_ACTIONS} Temporal actions, whatever the length of the bake",
            f"{actions} ({without_memos} if memo upserts are free; "
            f"the bake three times as long: {actions_long})",
            max(actions, actions_long) <= _MAX_ACTIONS,
            counted=True,
        ),
        Requirement(
            f"≤ {_MAX_EVENTS} history events in both, whatever the length of the bake",
            f"{both.events} (the bake three times as long: {both_long.events})",
            max(both.events, both_long.events) <= _MAX_EVENTS,
            counted=True,
        ),
        Requirement(
            f"a 24-hour bake with an alarm: under {_MAX_GUARDED_EVENTS} events",
            str(guarded.events),
            added_events == 0 and guarded.events < _MAX_GUARDED_EVENTS,
            counted=True,
        ),
        Requirement(
            "wall time beyond the bakes ≤ 2 × the bare script + 1 s",
            f"{median(beyond[0]):.2f} s against {2 * median(beyond[1]) + 1:.2f} s",
            median(beyond[0]) <= 2 * median(beyond[1]) + 1,
        ),
    ]
    return Section("One release", ["", "lambda-releases"], rows, _NOTES, requirements)


_NOTES: Final = (
    (
        "Actions are what Temporal Cloud bills, counted as 1 each: start of a workflow, start of a "
        "child, attempt of an activity, timer, signal, update, upsert of search attributes, upsert "
        "of the memo. Queries and heartbeats that reach the server would count; there are none."
    ),
    (
        "The bake of a day is observed while it bakes and then promoted: its history does not grow "
        "meanwhile, so a day adds what a minute adds. The watch on its alarm is one activity whose "
        "polls are attempts, every ten seconds: no event, but an action each."
    ),
)


async def _run_release(
    harness: BenchHarness, prefix: str, *, bake: float
) -> tuple[HistoryUsage, HistoryUsage, dict[str, int]]:
    await harness.create_functions(prefix, 1)
    function = f"{prefix}-0"
    handle = await start_release(harness, function, bake=bake)
    await handle.result()
    calls: dict[str, int] = (await harness.read_functions(prefix))[function]["calls"]
    return await read_usage(handle), await read_usage(get_rollout(harness, function)), calls


async def _run_guarded_release(harness: BenchHarness, seconds: float) -> tuple[int, HistoryUsage]:
    """Run a guarded release with a day's bake, and promote it after some seconds.

    Returns the events that its history gained meanwhile, and the usage of both workflows.
    """
    await harness.create_functions("guarded", 1)
    handle = await start_release(harness, "guarded-0", bake=_DAY_SECONDS, alarms=("bench-errors",))
    inner = get_rollout(harness, "guarded-0")
    await wait_until_baking(inner)
    before = (await inner.describe()).history_length
    await asyncio.sleep(seconds)
    added_events = (await inner.describe()).history_length - before
    await inner.execute_update("promote", {"by": "bench", "reason": "enough observed"})
    await handle.result()
    return added_events, await read_usage(handle, inner)


async def start_release(
    harness: BenchHarness,
    function: str,
    *,
    bake: float,
    alarms: tuple[str, ...] = (),
    queue: str = "ours",
) -> WorkflowHandle[Any, Any]:
    """Start a release on this task queue."""
    request = build_release(function, bake=bake, alarms=alarms)
    return await harness.services.client.start_workflow(
        "Release", request, id=f"release-{function}", task_queue=queue
    )


def get_rollout(harness: BenchHarness, function: str) -> WorkflowHandle[Any, Any]:
    """Return the handle of a function's ``Rollout``."""
    return harness.services.client.get_workflow_handle(
        f"lambda:123456789012:us-east-1:{function}:{LIVE}"
    )


async def wait_until_baking(handle: WorkflowHandle[Any, Any], *, seconds: float = 120) -> None:
    """Wait until a rollout is baking."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                status: Any = await handle.query("status")
            except Exception:  # noqa: BLE001 - not started, or without a status yet
                status = {}
            if status.get("phase") == "baking":
                return
            await asyncio.sleep(0.1)
