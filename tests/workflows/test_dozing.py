"""A release that only waits for its rollout is forgotten by its worker, and is all there when it is needed."""

from __future__ import annotations

import asyncio
import gc

import pytest

from tests.harness import CANARY, Harness, read_ending
from workflows.release import Release
from workflows.rollout import Rollout

HURRIED = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "PT40S"}]
    }
}


def in_memory(kind: type) -> int:
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


async def forgotten(releases: int) -> None:
    """Wait until no more than so many releases are kept."""
    async with asyncio.timeout(10):
        while in_memory(Release) > releases:
            await asyncio.sleep(0.1)


@pytest.fixture
async def releases() -> int:
    """How many others are kept: those that are over, or doze, are gone within a second."""
    before = -1
    async with asyncio.timeout(10):
        while before != (before := in_memory(Release)):
            await asyncio.sleep(1.5)
    return before


async def test_a_release_that_sleeps_for_minutes_is_forgotten_and_its_rollout_is_not(
    harness: Harness, releases: int
) -> None:
    rollouts = in_memory(Rollout)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await forgotten(releases)
    assert in_memory(Rollout) == rollouts + 1
    assert (await harness.finish(handle)).kind == "Completed"


async def test_a_forgotten_release_that_is_cancelled_rolls_back(
    harness: Harness, releases: int
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await forgotten(releases)
    await handle.cancel()
    assert (await read_ending(handle)).kind == "Canceled"
    assert harness.state.aliases["live"]["FunctionVersion"] == "2"


async def test_a_forgotten_release_mends_what_a_killed_rollout_leaves(
    harness: Harness, releases: int
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await forgotten(releases)
    await harness.rollout.terminate()
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    assert harness.state.aliases["live"]["FunctionVersion"] == "2"


async def test_a_release_that_is_over_within_a_minute_is_not_forgotten(
    harness: Harness, releases: int
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **HURRIED)
    await harness.wait_for_phase("baking")
    await asyncio.sleep(2.5)
    assert in_memory(Release) == releases + 1
    assert (await harness.finish(handle)).kind == "Completed"
