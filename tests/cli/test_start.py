"""``start`` and ``rollback``: output and exit status."""

from __future__ import annotations

import asyncio
import json
import re
import signal

from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness


async def test_start_returns_at_once_and_shows_how_to_watch(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell(
        "start",
        harness.function,
        "--s3",
        package,
        "--strategy",
        "AllAtOnce",
        "--id",
        f"ci-{harness.function}",
    )
    assert result.exit_code == 0
    assert result.stdout == (
        f"Started ci-{harness.function}: {package} → {harness.function}:live (100%)\n"
        f"Watch it:  releases watch ci-{harness.function}\n"
    )


async def test_start_waits_and_exits_with_0_when_all_traffic_has_moved(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell(
        "start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait"
    )
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (
        0,
        ["✓ All traffic is on version 3"],
    )
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_start_with_watch_prints_the_timeline(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell(
        "start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--watch"
    )
    assert result.exit_code == 0
    lines = [line[9:] for line in result.stdout.splitlines()[1:]]
    assert (
        lines.index(f"✓ Update code from {package}")
        < lines.index("✓ Publish a version")
        < lines.index("✓ All traffic to version 3")
    )
    assert result.stdout.splitlines()[-1] == "✓ All traffic is on version 3"


async def test_start_reads_the_file_from_stdin(shell: Shell, harness: Harness) -> None:
    given = {
        "target": {"function": harness.function},
        "artifact": {"kind": "version", "version": "1"},
        "strategy": "AllAtOnce",
    }
    result = await shell("start", "-f", "-", "--wait", stdin=json.dumps(given))
    assert result.exit_code == 0
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_rejected_release_exits_with_1_and_nothing_was_touched(
    shell: Shell, harness: Harness
) -> None:
    result = await shell("start", harness.function, "--version", "99", "--wait")
    assert result.exit_code == 1
    assert "✗ rejected, nothing was touched: artifact.version: " in result.stdout


async def test_rolled_back_release_exits_with_1_and_the_reason(
    shell: Shell, harness: Harness, package: str
) -> None:
    harness.aws.hook("refuses", lambda _: {"accept": False, "reason": "smoke"})
    result = await shell(
        "start",
        harness.function,
        "--s3",
        package,
        "--strategy",
        "AllAtOnce",
        "--after-traffic",
        "refuses",
        "--wait",
    )
    assert result.exit_code == 1
    assert "↩ rolled back: hook refuses (after_traffic) refused version 3: smoke" in result.stdout
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_release_that_could_not_be_rolled_back_exits_with_4(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    harness.move_alias("1")
    await shell("abort", harness.function)
    result = await shell("watch", harness.function)
    assert result.exit_code == 4
    assert "✗ NOT ROLLED BACK, look at the alias: " in result.stdout


async def test_invalid_input_exits_with_2_and_needs_no_temporal(
    harness: Harness, shell: Shell
) -> None:
    result = await shell(
        "start",
        harness.function,
        "--set",
        "MemorySize=1",
        "--set",
        "Typo=1",
        TEMPORAL_ADDRESS="127.0.0.1:1",
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == [
        "configuration.MemorySize",
        "configuration.Typo",
    ]


async def test_start_that_waits_without_a_worker_prints_so(shell: Shell, harness: Harness) -> None:
    command = ("start", harness.function, "--latest", "--wait", "--task-queue", "unserved")
    async with shell.start_process(*command) as process, asyncio.timeout(60):
        assert process.stderr is not None
        assert "no worker polls task queue unserved" in (await process.stderr.readline()).decode()
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130


async def test_rollback_goes_to_the_previous_or_the_named_version(
    shell: Shell, harness: Harness, package: str
) -> None:
    await shell("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    result = await shell("rollback", harness.function, "--wait")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "✓ All traffic is on version 2; $LATEST is version 2 again, too",
    )
    result = await shell(
        "rollback", f"{harness.function}:live", "--to", "1", "--reason", "older", "--watch"
    )
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "✓ All traffic is on version 1; $LATEST is version 1 again, too",
    )
    assert (await shell("rollback", harness.function, "--to", "one")).exit_code == 2


async def test_rejected_weights_name_the_command_that_mends_them(
    shell: Shell, harness: Harness, package: str
) -> None:
    harness.move_alias("2", {"1": 0.1})
    result = await shell("start", harness.function, "--s3", package, "--wait")
    assert result.exit_code == 1
    [command] = re.findall(r"`releases (rollback [^`]+)`", " ".join(result.stdout.split()))
    result = await shell(*command.split(), "--wait")
    assert result.exit_code == 0
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_start_ships_again_what_was_rolled_back_with_again(
    shell: Shell, harness: Harness, package: str
) -> None:
    start = ("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    assert (await shell(*start)).exit_code == 0
    assert (await shell("rollback", harness.function, "--wait")).exit_code == 0
    result = await shell(*start)
    assert result.exit_code == 1
    assert "version 3 was rolled back from by ana" in " ".join(result.stdout.split())
    assert (await shell(*start, "--again")).exit_code == 2
    assert (await shell(*start, "--again", "--reason", "it was the database")).exit_code == 0
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_rollback_takes_the_keys_of_its_input(shell: Shell, harness: Harness) -> None:
    harness.aws.alarms["errors"] = "ALARM"
    rollback = ("rollback", harness.function, "--to", "1", "--alarm", "errors", "--wait")
    assert (await shell(*rollback)).exit_code == 1
    assert (await shell(*rollback, "--hotfix")).exit_code == 2
    result = await shell(
        *rollback, "--hotfix", "--reason", "500s", "--provisioned", "3", "--even-if-inactive"
    )
    assert result.exit_code == 0, result.output + result.stderr
    assert harness.state.provisioned["1"]["RequestedProvisionedConcurrentExecutions"] == 3
