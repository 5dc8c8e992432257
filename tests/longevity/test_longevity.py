"""Releases that live for months, in skipped time, with histories as long as they are in production.

Not a part of ``make test``: ``make longevity`` takes an hour or more. ``SHARE=0.01`` is a hundredth
of each time.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Final

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from tests.fake_lambda import FakeLambda
from tests.harness import (
    TEMPORAL_CLI,
    Handle,
    Harness,
    create_harness,
    read_ending,
    run_worker,
)
from tests.workflows.test_continuation import list_runs, run_length
from tests.workflows.test_live_analysis import (
    GUARDED,
    USUAL_ERROR_RATE,
    assert_promoted,
    bake_step,
    canary_with,
    set_traffic,
)
from workflows import continuation, search_attributes
from workflows.temporal.plugin import LambdaReleases

SHARE: Final = float(os.environ.get("SHARE", "1"))
PATIENCE: Final = 7200 * SHARE + 300
"""Seconds of real time."""

LONGEST_HISTORY: Final = 3_000

pytestmark = pytest.mark.timeout(PATIENCE)


def days(number: float) -> timedelta:
    return timedelta(days=number) * SHARE


def to_text(duration: timedelta) -> str:
    return f"{int(duration.total_seconds())}s"


async def finish(handle: Handle, harness: Harness) -> None:
    """Wait for a release that is to succeed; check that no history of it became long."""
    started = time.monotonic()
    assert_promoted(await read_ending(handle, seconds=PATIENCE), harness)
    runs = await list_runs(harness)
    lengths = [await run_length(harness, run) for run in runs]
    print(  # noqa: T201 - the figures of docs/load.md
        f"\n{len(runs)} runs, {sum(lengths)} events, the longest run {max(lengths)}, "
        f"{time.monotonic() - started:.0f} s"
    )
    assert max(lengths) < LONGEST_HISTORY
    assert {run.status for run in runs[:-1]} <= {WorkflowExecutionStatus.CONTINUED_AS_NEW}


async def test_bake_of_ninety_days_completes(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    steps = canary_with(bake_step(duration=to_text(days(90))))
    request = harness.request(artifact=harness.package("three"), **GUARDED, **steps)
    await finish(await harness.start("Release", request), harness)


async def test_watch_of_fourteen_days_completes(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    guards = {"guards": {"after": to_text(days(14)), **GUARDED["guards"]}}
    request = harness.request(artifact=harness.package("three"), strategy="AllAtOnce", **guards)
    await finish(await harness.start("Release", request), harness)


async def test_ramp_on_hold_for_thirty_days_completes(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=100)
    handle = await harness.begin(
        artifact=harness.package("three"), strategy={"adaptive": {"max_duration": "20m"}}
    )
    await harness.wait_for_phase("baking", "shifting")
    await harness.fast_forward(timedelta(minutes=21))
    await harness.wait_for_phase("awaiting_approval")
    await harness.fast_forward(days(30))
    assert (await harness.status()).phase == "awaiting_approval"
    await harness.send("approve")
    await finish(handle, harness)


async def test_three_thousand_pauses_leave_a_release_that_can_be_aborted(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **canary_with(bake_step(duration="1h")))
    for number in range(int(3_000 * SHARE)):
        await harness.send("pause", reason=f"look {number}")
        await harness.send("resume")
    await harness.send("abort", reason="enough")
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_abort_is_heard_by_a_fresh_worker_within_ten_seconds() -> None:
    """The history is as long as it gets; the worker that knew it is gone."""
    async with await WorkflowEnvironment.start_local(
        plugins=[LambdaReleases()],
        dev_server_existing_path=TEMPORAL_CLI,
        search_attributes=search_attributes.KEYS,
    ) as env:
        aws = FakeLambda()
        async with run_worker(env) as accounts:
            harness = create_harness(env, accounts, aws)
            handle = await harness.begin_until("baking", **canary_with(bake_step(duration="1h")))
            while await harness.history_length() < continuation.MAX_EVENTS - 20:
                await harness.send("pause", reason="look")
                await harness.send("resume")
        length, started = await harness.history_length(), time.monotonic()
        async with run_worker(env) as accounts:
            accounts.add(harness.function, aws)
            await harness.send("abort", reason="wrong build")
            heard = time.monotonic() - started
            end = await read_ending(handle)
    print(f"\nabort heard {heard:.1f} s after the start of a worker, {length} events")  # noqa: T201
    assert end.kind == "ReleaseRolledBack"
    assert heard < 10
