"""A release that waits for its rollout is evicted from its worker's cache."""

from __future__ import annotations

import asyncio
import gc

import pytest

from tests.harness import CANARY, Harness, read_ending
from workflows.release import Release
from workflows.rollout import Rollout

SHORT_BAKE = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "PT40S"}]
    }
}


def count_instances(kind: type) -> int:
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


async def wait_for_eviction() -> None:
    """Wait until the worker keeps the release no more."""
    async with asyncio.timeout(50):
        while count_instances(Release):
            await asyncio.sleep(0.1)


@pytest.fixture(autouse=True)
def apart_from_other_tests() -> None:
    """Count what this test makes only; and look through that only, not through a whole session."""
    gc.collect()
    gc.freeze()


async def test_waiting_release_is_evicted_and_its_rollout_is_not(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await wait_for_eviction()
    assert count_instances(Rollout) == 1
    assert (await harness.finish(handle)).kind == "Completed"


async def test_evicted_release_that_is_cancelled_rolls_back(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await wait_for_eviction()
    await handle.cancel()
    assert (await read_ending(handle)).kind == "Canceled"
    assert harness.state.aliases["live"]["FunctionVersion"] == "2"


async def test_evicted_release_rolls_back_a_terminated_rollout(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await wait_for_eviction()
    await harness.rollout.terminate()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert harness.state.aliases["live"]["FunctionVersion"] == "2"


async def test_release_that_ends_within_a_minute_is_not_evicted(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **SHORT_BAKE)
    await asyncio.sleep(2.5)
    assert count_instances(Release) == 1
    assert (await harness.finish(handle)).kind == "Completed"
