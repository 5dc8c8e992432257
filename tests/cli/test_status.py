"""``status`` and ``history``."""

from __future__ import annotations

import json

from tests.cli.pages import NOW, render_lines
from tests.cli.shell import Shell, start_waiting_release
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.harness import CANARY, Harness
from workflows.cli.status_page import render_status
from workflows.domain.status import ReleaseStatus


async def test_status_shows_phase_traffic_and_steps(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    result = await shell("status", harness.function)
    assert result.exit_code == 0
    *lines, note, origin = result.stdout.splitlines()
    assert lines == [
        f"{harness.function}:live  awaiting approval",
        "  Waiting for approval",
        f"  account {ACCOUNT}, {REGION}",
        "  ██░░░░░░░░░░░░░░░░░░ 10% to version 3, 90% to version 2",
        "  ✓ 10% to the candidate",
        "  ▶ Wait for approval",
        "  · All traffic to the candidate",
        f"  to approve: releases approve {harness.function}:live",
        f"  to put the alias back: releases abort {harness.function}:live",
    ]
    assert note.startswith(f"  ! Nothing is set up to invoke {harness.function}:live")
    assert origin.startswith("  started by ana at 20")
    assert f" UTC  release:{harness.function}:live:" in origin
    assert (
        json.loads((await shell("status", harness.function, "--json")).stdout)["phase"]
        == "awaiting_approval"
    )
    assert f"{harness.function}:live" in (await shell("status")).stdout
    assert harness.rollout_id in [
        run["id"] for run in json.loads((await shell("status", "--json")).stdout)
    ]


async def test_status_of_a_release_without_a_rollout_has_the_reason(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    await shell(
        "start", harness.function, "--latest", "--id", f"second-{harness.function}", "--wait"
    )
    result = await shell("status", f"second-{harness.function}")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        f"{harness.function}:live  rejected",
    )
    assert "is being released already" in result.stdout


async def test_history_shows_time_requester_request_and_outcome(
    shell: Shell, harness: Harness, package: str
) -> None:
    await shell("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    await shell("start", harness.function, "--version", "99", "--wait", "--by", "ben")
    result = await shell("history", harness.function)
    heading, last, first = (line.split("\t") for line in result.stdout.splitlines())
    assert heading == ["WHEN", "BY", "VERSION", "TOOK", "OUTCOME", "WHAT", "ID"]
    assert last[1] == "ben"
    assert last[4].startswith("✗ rejected")
    assert first[0].endswith(" UTC")
    assert (first[1], first[2]) == ("ana", "3")
    assert first[4] == "✓ All traffic is on version 3"
    assert first[5] == f"{package} → {harness.function}:live (100%)"
    assert first[6].startswith(f"release:{harness.function}:live:")
    runs = json.loads((await shell("history", harness.function, "--json")).stdout)
    assert [run["ending"]["outcome"] for run in runs] == ["rejected", "succeeded"]
    assert [run["release"] for run in runs] == [last[6], first[6]]


async def test_status_marks_what_was_skipped_and_where_it_was_stopped(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    await shell("promote", harness.function)
    await shell("watch", harness.function)
    lines = (await shell("status", harness.function)).stdout.splitlines()
    assert "  ✓ 10% to the candidate" in lines
    assert "  » Wait for approval: skipped by ana" in lines
    assert "  ✓ All traffic to the candidate" in lines
    harness.package("four")
    await start_waiting_release(shell, harness, "s3://artifacts/four.zip")
    await shell("abort", harness.function)
    await shell("watch", harness.function)
    lines = (await shell("status", harness.function)).stdout.splitlines()
    assert "  ✓ 10% to the candidate" in lines
    assert "  ✗ Wait for approval" in lines
    assert "  · All traffic to the candidate" in lines


async def test_status_says_how_many_requests_a_judgement_needs(
    shell: Shell, harness: Harness
) -> None:
    guards = {"metrics": {"not_worse": [{"margin": 0.02}]}}
    handle = await harness.begin_until("baking", guards=guards, **CANARY)

    async def is_measured() -> bool:
        return (await harness.status()).analysis is not None

    await harness.wait_until(is_measured)
    shown = " ".join((await shell("status", harness.function)).stdout.split())
    assert "nothing measured yet; about 390 more requests of the candidate are needed" in shown
    await harness.send("abort")
    await harness.finish(handle)


async def test_list_of_running_releases_has_the_numbers_of_each_status(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    await shell("pause", harness.function)
    found = json.loads((await shell("status", "-o", "json")).stdout)
    [mine] = [run["status"] for run in found if run["id"] == harness.rollout_id]
    assert (mine["paused"], mine["step"], mine["steps"]) == (True, 1, 2)
    [row] = [
        line for line in (await shell("status")).stdout.splitlines() if harness.function in line
    ]
    assert row.split("\t")[1:3] == ["paused", "10%"]
    await shell("abort", harness.function)


async def test_history_has_no_step_that_is_not_known(
    shell: Shell, harness: Harness, package: str
) -> None:
    await shell("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    [run] = json.loads((await shell("history", harness.function, "-o", "json")).stdout)
    assert (run["status"]["step"], run["status"]["steps"]) == (None, None)
    assert (run["ending"]["status"]["step"], run["ending"]["status"]["steps"]) == (0, 0)
    page = render_lines(render_status(ReleaseStatus(**run["status"]), None, now=NOW))
    assert "step" not in "\n".join(page)
