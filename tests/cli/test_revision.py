"""What a candidate was built from: as typed, in every list, and in AWS's description."""

from __future__ import annotations

import json

import pytest

from tests.cli.shell import APPROVAL, Shell
from tests.harness import ALL_AT_ONCE, Harness

COMMIT = "3f2a9c1"


async def test_revision_is_shown_with_the_version_and_in_its_description(
    shell: Shell, harness: Harness, package: str
) -> None:
    target = harness.function
    started = await shell(
        *("start", target, "--s3", package, "--strategy", APPROVAL, "--revision", COMMIT)
    )
    assert f"{package}, revision {COMMIT} → {target}:live" in started.stdout
    await harness.wait_for_phase("awaiting_approval")
    status = await shell("status", target)
    assert f"10% to version 3 ({COMMIT}), 90% to version 2" in status.stdout
    assert json.loads((await shell("status", target, "-o", "json")).stdout)["revision"] == COMMIT
    (line,) = [each for each in (await shell("status")).stdout.splitlines() if target in each]
    assert f"3 ({COMMIT})" in line
    await shell("promote", target)
    await harness.wait_for_phase("succeeded")
    assert f"revision {COMMIT}" in (await shell("history", target)).stdout
    description = harness.state.versions["3"]["Description"]
    assert description.startswith(f"revision {COMMIT}, lambda-releases ")
    assert description.endswith(", live before: 2")


@pytest.mark.parametrize("flag", ["--description", "--revision"])
async def test_revision_of_two_lines_names_its_flag(shell: Shell, flag: str) -> None:
    result = await shell("start", "checkout", "--latest", flag, "one\ntwo")
    assert result.exit_code == 2
    assert "--revision: has not the right form: one line of at most 128 char" in result.stderr


async def test_rollback_reads_a_description_with_a_revision(harness: Harness) -> None:
    harness.state.versions["2"]["Description"] = (
        "revision v1.2, live before: 9, lambda-releases 0199-run, live before: 1"
    )
    assert (await harness.roll_back()).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_longest_revision_fits_into_the_description(harness: Harness) -> None:
    artifact = harness.package("three") | {"revision": "é" * 128}
    assert (await harness.release(artifact=artifact, **ALL_AT_ONCE)).kind == "Completed"
    assert ("é" * 128) in harness.state.versions["3"]["Description"]
