"""The harness of the workflow tests."""

from __future__ import annotations

import asyncio

from tests.harness import CANARY, Harness


async def test_starts_side_by_side_leave_time_skipping_on(harness: Harness) -> None:
    plan = harness.request(artifact={"kind": "latest"})
    await asyncio.gather(*(harness.start("Plan", plan, skipping=False) for _ in range(3)))
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "Completed", end
