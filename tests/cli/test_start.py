"""``start`` and ``rollback``: output and exit status."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from datetime import timedelta

import pytest

from tests.cli.shell import APPROVAL, Shell, start_waiting_release
from tests.harness import Harness
from workflows.cli import start_report


async def test_start_returns_after_preflight_and_shows_how_to_watch(
    shell: Shell, harness: Harness, package: str
) -> None:
    flags = ("--s3", package, "--strategy", APPROVAL, "--id", f"ci-{harness.function}")
    result = await shell("start", harness.function, *flags)
    assert result.exit_code == 0
    assert result.stdout == (
        f"Started ci-{harness.function}: {package} → {harness.function}:live "
        "(10%, approval, 100%)\n"
        f"Rollout {harness.rollout_id}\n"
        f"Watch it:  releases watch ci-{harness.function}\n"
    )


@pytest.mark.parametrize("more", [(), ("--wait",), ("--watch",)])
async def test_start_of_a_missing_function_is_rejected_with_the_reason(
    shell: Shell, harness: Harness, more: tuple[str, ...]
) -> None:
    missing = f"{harness.function}-nosuch-{len(more)}"
    assert (await shell("status", missing)).exit_code == 2
    result = await shell("start", missing, "--latest", *more)
    assert result.exit_code == 1
    assert "✗ rejected, nothing was touched: target.function: " in result.stdout
    assert ("Started" in result.stdout) is bool(more)
    shown = await shell("status", missing)
    assert (shown.exit_code, shown.stdout.splitlines()[0]) == (0, f"{missing}:live  rejected")
    assert "target.function: " in shown.stdout
    assert "✗ rejected" in (await shell("history", missing)).stdout


async def test_second_start_is_rejected_and_stands_in_the_history(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    second = ("start", harness.function, "--latest", "--id", f"second-{harness.function}")
    result = await shell(*second, "--by", "bo")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith(f"Rejected second-{harness.function}: ")
    assert f"is being released already: {harness.rollout_id}" in result.stdout
    assert f"What runs:  releases status {harness.rollout_id}\n" in result.stdout
    listed = json.loads((await shell("history", harness.function, "--json")).stdout)
    assert [run["requested_by"] for run in listed] == ["bo", "ana"]
    assert listed[0]["ending"]["outcome"] == "rejected"


async def test_start_prints_ids_state_and_status_as_json(
    shell: Shell, harness: Harness, package: str
) -> None:
    start = ("start", harness.function, "--s3", package, "-o", "json")
    begun = json.loads((await shell(*start, "--strategy", APPROVAL)).stdout)
    assert (begun["state"], begun["rollout"]) == ("checked", harness.rollout_id)
    assert begun["status"]["stable"] == "2"
    again = await shell("start", harness.function, "--latest", "-o", "json")
    rejected = json.loads(again.stdout)
    assert (again.exit_code, rejected["state"]) == (1, "ended")
    assert rejected["ending"]["outcome"] == "rejected"
    rollback = ("rollback", harness.function, "--abort-running", "-o", "json")
    assert json.loads((await shell(*rollback)).stdout)["ending"]["outcome"] == "rolled_back"
    bare = await shell("start", harness.function, "--latest", "--no-wait", "-o", "json")
    assert json.loads(bare.stdout)["id"].startswith(f"release:{harness.function}:live:")
    ended = await shell("start", f"{harness.function}-no", "--latest", "--wait", "-o", "json")
    assert (ended.exit_code, json.loads(ended.stdout)["state"]) == (1, "ended")


async def test_every_reason_of_a_rejection_has_a_line(
    shell: Shell, harness: Harness, package: str
) -> None:
    harness.aws.alarms["red"] = "ALARM"
    flags = ("--alarm", "red", "--alarm", "typo")
    result = await shell("start", harness.function, "--s3", package, *flags)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()[1:4]
    assert lines[0] == "✗ rejected, nothing was touched:"
    assert lines[1].startswith("  ✗ guards.alarms: red is in ALARM already")
    assert lines[2].startswith("  ✗ guards.alarms: there is no alarm typo")


async def test_start_without_waiting_knows_only_that_it_was_started(
    shell: Shell, harness: Harness
) -> None:
    missing = f"{harness.function}-nosuch"
    result = await shell("start", missing, "--latest", "--no-wait")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "Started")


async def test_start_says_what_a_slow_preflight_waits_for(
    shell: Shell, harness: Harness, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_report, "LONGEST_PREFLIGHT", timedelta(seconds=1))
    gate = harness.aws.hold("get_alias")
    result = await shell("start", harness.function, "--s3", package)
    gate.release()
    assert result.exit_code == 0
    assert "Still in preflight: " in result.stdout


async def test_canary_that_nobody_judges_is_said_to_be_so(
    shell: Shell, harness: Harness, package: str
) -> None:
    steps = '[{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "1h"}]'
    canary = (harness.function, "--s3", package, "--strategy", steps)
    assert "Nobody judges this release" in (await shell("plan", *canary)).stdout
    started = await shell("start", *canary)
    assert started.exit_code == 0
    assert "! Nobody judges this release: it has no alarms" in started.stderr
    assert "! Nobody judges this release" in (await shell("status", harness.function)).stdout
    page = str(await harness.rollout.query("__temporal_workflow_metadata"))
    assert "Nobody judges this release" in page
    harness.aws.alarms["errors"] = "OK"
    judged = await shell("plan", *canary, "--alarm", "errors")
    assert "Nobody judges" not in judged.stdout


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
        "--set MemorySize",
        "--set Typo",
    ]


async def test_start_that_waits_without_a_worker_prints_so(shell: Shell, harness: Harness) -> None:
    command = ("start", harness.function, "--latest", "--wait", "--task-queue", "unserved")
    async with shell.start_process(*command) as process, asyncio.timeout(60):
        assert process.stderr is not None
        assert "no worker polls task queue unserved" in (await process.stderr.readline()).decode()
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130


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
