"""``repair``: an alias whose release Temporal has lost."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.cli.shell import Shell, start_waiting_release
from tests.cli.test_output import read
from tests.harness import Harness
from workflows.client import ReleaseClient


async def lose_release(shell: Shell, harness: Harness, package: str) -> str:
    """Begin a release, and terminate its workflows, so that nobody goes on with the alias.

    Returns the run that has published its version.
    """
    await start_waiting_release(shell, harness, package)
    status = json.loads((await shell("status", harness.function, "-o", "json")).stdout)
    description = await harness.rollout.describe()
    await harness.client.get_workflow_handle(status["id"]).terminate("the namespace is lost")
    await harness.rollout.terminate("the namespace is lost")
    # The rollout may have begun to put the alias back, cancelled by the end of its release.
    await asyncio.sleep(0.5)
    harness.move_alias("2", {"3": 0.1})
    harness.aws.overwrite(harness.function, "three[b]")
    return description.run_id


async def test_lost_release_is_told_by_its_versions(
    shell: Shell, harness: Harness, package: str
) -> None:
    run = await lose_release(shell, harness, package)
    result = await shell("repair", harness.function)
    assert (result.exit_code, result.stderr) == (1, "")
    name = f"{harness.function}:live"
    assert result.stdout.splitlines() == [
        f"{name} in 123456789012/eu-central-1: version 2, 10% to version 3",
        "  version 2: not published by a release, or before this program",
        f"  version 3: published by run {run}, when version 2 was live; $LATEST has its code",
        "No release of this namespace moves it: it stays so until somebody decides.",
        f"All traffic to version 2:  releases repair {name} --to stable",
        f"All traffic to version 3:  releases repair {name} --to candidate",
    ]
    shown = read("repair", (await shell("repair", harness.function, "-o", "json")).stdout)
    assert shown["routing"] == {"version": "2", "weights": {"3": 0.1}}


@pytest.mark.parametrize(("choice", "version"), [("stable", "2"), ("candidate", "3")])
async def test_choice_ends_the_lost_release(
    shell: Shell, harness: Harness, package: str, choice: str, version: str
) -> None:
    await lose_release(shell, harness, package)
    result = await shell("repair", harness.function, "--to", choice, "--wait")
    assert (result.exit_code, result.stderr) == (0, "")
    assert harness.aws.routing(harness.function) == (version, {})
    assert "nothing to repair" in (await shell("repair", harness.function)).stdout
    [last] = await ReleaseClient(harness.client).history(harness.function, limit=1)
    assert last.reason == f"repair: all traffic to {choice}"
    again = await shell("repair", harness.function, "--to", choice)
    assert again.exit_code == 1
    assert "One version has all traffic: nothing to repair" in again.stderr


async def test_release_that_runs_is_not_repaired(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    result = await shell("repair", harness.function, "--to", "stable")
    assert result.exit_code == 1
    assert f"is being released, by {harness.rollout_id}: nothing is lost" in result.stderr
    await shell("abort", harness.function)


async def test_alias_that_does_not_exist_needs_no_repair(shell: Shell, harness: Harness) -> None:
    result = await shell("repair", "nothing:live")
    assert result.exit_code == 1
    assert "target.function: " in result.stderr
    result = await shell("repair", f"{harness.function}:beta")
    assert "does not exist in 123456789012/eu-central-1: nothing to repair" in result.stdout
    assert result.exit_code == 0
