"""The five controls."""

from __future__ import annotations

import json

from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness


async def test_control_prints_the_status_and_a_refusal_exits_with_1(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    result = await shell("pause", harness.function, "--reason", "[bold]p99[/bold]")
    assert (result.exit_code, result.stdout.splitlines()[:2]) == (
        0,
        [
            f"{harness.function}:live  paused",
            "  Paused by ana: [bold]p99[/bold]",
        ],
    )
    result = await shell("pause", harness.function)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "releases: paused already\n")
    resume = ("resume", harness.function, "--by", "ben", "--reason", "calm again")
    assert "Resumed by ben: calm again" in (await shell(*resume)).stdout
    approve = ("approve", harness.function, "--reason", "fine")
    assert "Approved by ana: fine" in (await shell(*approve)).stdout
    assert (await shell("watch", harness.function)).exit_code == 0
    result = await shell("promote", harness.function)
    alias = f"{harness.function}:live"
    assert result.exit_code == 1
    assert result.stderr == (
        f"releases: {alias} is not being released now: the last time it succeeded\n"
    )


async def test_control_takes_a_reason_and_prints_json(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    for control in ("pause", "resume", "approve"):
        result = await shell(control, harness.function, "--reason", "calm", "-o", "json")
        assert json.loads(result.stdout)["note"].endswith("by ana: calm")
    assert (await shell("watch", harness.function)).exit_code == 0
    for control in ("pause", "resume", "approve", "promote", "abort", "give-up", "resolve"):
        assert "--reason" in (await shell(control, "--help")).stdout


async def test_approve_takes_a_note_for_a_reason(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    noted = await shell("approve", harness.function, "--note", "fine")
    assert "Approved by ana: fine" in noted.stdout


async def test_control_of_a_rejected_release_names_where_to_see_why(
    shell: Shell, harness: Harness
) -> None:
    missing = f"{harness.function}-nosuch"
    assert (await shell("pause", missing)).exit_code == 2
    assert (await shell("start", missing, "--latest", "--id", f"ci-{missing}")).exit_code == 1
    refused = await shell("pause", missing)
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"releases: {missing} is not being released now: the last time it was rejected "
        f"(releases status ci-{missing} says why)\n"
    )
