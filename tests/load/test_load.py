"""Releases at AWS's limits, and sleeping canaries.

``make load`` is the same with thousands.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.load.burst import Burst, burst
from tests.load.crowd import Plan, TooSlowError, crowd

pytestmark = pytest.mark.timeout(480)


@pytest.fixture(scope="module")
async def at_once(tmp_path_factory: pytest.TempPathFactory) -> Burst:
    return await burst(tmp_path_factory.mktemp("burst"), workers=2, releases=12, rollbacks=2)


async def test_releases_at_once_all_end_and_are_hardly_throttled(at_once: Burst) -> None:
    assert at_once.endings == {"succeeded": 12, "rolled back": 6}
    assert at_once.throttled < 0.01


async def test_two_workers_share_the_rate_of_aws_and_use_it(at_once: Burst) -> None:
    # Fifteen, and the calls that several workers may shift from one second into the next.
    assert at_once.busiest <= 19
    # Other tests may run on this machine; docs/load.md has the figures of a quiet one.
    assert at_once.wall < 3 * at_once.floor + 10 + 20 * max(at_once.idle)


async def test_rollbacks_amid_a_burst_do_not_wait_for_it(at_once: Burst) -> None:
    # Each waits for at most a few calls of its worker. How long that takes on this machine at this
    # time shows a rollback before the burst. In the queue of the burst it would wait for its end.
    waits = [*at_once.aborts, *at_once.alarms]
    assert len(waits) == 4
    assert max(waits) < 2 + 10 * max(at_once.idle), waits


async def test_canaries_survive_a_restart_and_end_within_the_rate_of_aws(
    tmp_path: Path,
) -> None:
    figures = None
    for slack in (18, 60, 120):  # seconds; the longer ones are for a busy machine
        plan = Plan(canaries=60, cached=40, start_rate=60, rollbacks=2, rest=1, slack=slack)
        (directory := tmp_path / f"slack-{slack}").mkdir()
        with contextlib.suppress(TooSlowError, TimeoutError):
            figures = await crowd(directory, plan)
            break
    assert figures is not None, "this machine is too slow"
    assert figures.endings == {"succeeded": 60, "rolled back": 9}
    assert figures.throttled < 0.01
    assert figures.busiest <= 17
    assert figures.within < 400  # kB; hardly a measurement of so few, docs/load.md has those
