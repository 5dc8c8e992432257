"""Releases at AWS's limits, and canaries asleep, in small: ``make load`` does the same with thousands. See docs/load.md."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.load.burst import Burst, burst
from tests.load.crowd import Plan, crowd

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def at_once(tmp_path_factory: pytest.TempPathFactory) -> Burst:
    return await burst(tmp_path_factory.mktemp("burst"), workers=2, releases=12, rollbacks=2)


async def test_releases_at_once_all_end_and_are_hardly_throttled(at_once: Burst) -> None:
    assert at_once.endings == {"succeeded": 12, "as it was": 6}
    assert at_once.throttled < 0.01


async def test_two_workers_share_the_rate_of_aws_and_use_it(at_once: Burst) -> None:
    assert (
        at_once.busiest <= 19
    )  # fifteen, and what several workers and a network may shift from one second into the next
    assert (
        at_once.wall < 3 * at_once.floor + 10
    )  # a machine that runs other tests beside; docs/load.md has what a quiet one does


async def test_rollbacks_amid_a_burst_wait_less_than_the_burst(at_once: Burst) -> None:
    assert sorted(at_once.aborts + at_once.alarms)[len(at_once.aborts)] < 2


async def test_canaries_survive_a_restart_and_end_within_the_rate_of_aws(
    tmp_path: Path,
) -> None:
    plan = Plan(canaries=60, cached=40, start_rate=60, rollbacks=2, rest=1, slack=18)
    async with asyncio.timeout(200):
        seen = await crowd(tmp_path, plan)
    assert seen.endings == {"succeeded": 60, "as it was": 2 * plan.rollbacks + 5}
    assert seen.throttled < 0.01
    assert seen.busiest <= 17
    assert seen.within < 400  # of so few canaries hardly a measurement; docs/load.md has those
