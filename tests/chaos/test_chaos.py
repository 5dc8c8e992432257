"""A short chaos run with a fixed seed; ``make chaos`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import run
from tests.chaos.schedule import draw

SEED = 26


@pytest.mark.timeout(300)
async def test_releases_in_a_short_run_break_no_invariant(tmp_path: Path) -> None:
    schedule = draw(SEED, 20, over=6, workers=2, kills=1)
    result = await run(schedule, workers=2, limit=200, keep=tmp_path)
    assert result.violations == [], f"{schedule}\n\n" + "\n".join(result.violations)
    assert result.endings["Completed"] >= 3, result.endings
    assert result.met["Temporal killed"] == result.met["worker killed"] == 1


def test_seed_determines_the_schedule() -> None:
    assert draw(7, 50, over=30, workers=3, kills=2) == draw(7, 50, over=30, workers=3, kills=2)
    assert draw(7, 50, over=30, workers=3, kills=2) != draw(8, 50, over=30, workers=3, kills=2)
