"""``stats``."""

from __future__ import annotations

import json

from tests.cli.shell import Shell
from tests.harness import ALL_AT_ONCE, Harness


async def test_stats_show_the_keys_of_each_target(shell: Shell, harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for_closed_runs(1)
    name = f"{harness.function}:live"
    result = await shell("stats", name, "--since", "7d")
    assert result.exit_code == 0
    headings, everything, row = (line.split() for line in result.stdout.splitlines())
    assert headings[:2] == ["TARGET", "DEPLOYMENTS"]
    assert (everything[0], row[0], row[1], row[2]) == ("all", name, "1", "0.14")
    assert "0 (0%)" in result.stdout
    shown = json.loads((await shell("stats", name, "-o", "json")).stdout)
    assert [one["target"] for one in shown] == [None, name]
    assert shown[1]["change_failure_rate"] == 0


async def test_stats_refuse_a_period_that_is_none(shell: Shell) -> None:
    result = await shell("stats", "--since", "30")
    assert result.exit_code == 2
    assert result.stderr.startswith("releases: --since: not a duration: write ISO 8601")
