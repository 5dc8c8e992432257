"""The five controls."""

from __future__ import annotations

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
    assert "Resumed by ben" in (await shell("resume", harness.function, "--by", "ben")).stdout
    assert (
        "Approved by ana: fine"
        in (await shell("approve", harness.function, "--note", "fine")).stdout
    )
    assert (await shell("watch", harness.function)).exit_code == 0
    result = await shell("promote", harness.function)
    alias = f"{harness.function}:live"
    assert result.exit_code == 1
    assert result.stderr == (
        f"releases: {alias} is not being released now: the last time it succeeded\n"
    )
