"""``rollback``: the version that it goes to, and what it does beside a release."""

from __future__ import annotations

import json

from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness


async def test_rollback_goes_to_the_previous_or_the_named_version(
    shell: Shell, harness: Harness, package: str
) -> None:
    await shell("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    result = await shell("rollback", harness.function, "--wait")
    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[0], lines[-1]) == (
        0,
        f"Rollback of {harness.function}:live to version 2 (live before 3)",
        "✓ All traffic is on version 2; $LATEST is version 2 again, too",
    )
    result = await shell(
        "rollback", f"{harness.function}:live", "--to", "1", "--reason", "older", "--watch"
    )
    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[0], lines[-1]) == (
        0,
        f"Rollback of {harness.function}:live to version 1 (2 is live)",
        "✓ All traffic is on version 1; $LATEST is version 1 again, too",
    )
    assert (await shell("rollback", harness.function, "--to", "one")).exit_code == 2


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


async def test_rollback_beside_a_release_is_refused_with_the_command(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    refused = await shell("rollback", harness.function)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"type releases abort {harness.function}:live, or " in refused.stderr
    assert harness.rollout_id in refused.stderr
    aborted = await shell("abort", f"{harness.function}:live")
    assert aborted.exit_code == 0
    listed = json.loads((await shell("history", harness.function, "--json")).stdout)
    assert len(listed) == 1


async def test_rollback_aborts_what_runs_and_the_alias_is_back(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    aborting = ("rollback", harness.function, "--abort-running", "--reason", "500s")
    result = await shell(*aborting)
    assert result.exit_code == 0, result.output
    assert f"Aborted {harness.rollout_id}: rollback: 500s" in result.stdout
    assert result.stdout.splitlines()[-1] == (
        f"{harness.function}:live is back on version 2: there is nothing more to roll back"
    )
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_rollback_goes_on_to_the_named_version_after_an_abort(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    aborting = ("rollback", harness.function, "--abort-running", "--to", "1", "--wait")
    result = await shell(*aborting)
    assert result.exit_code == 0, result.output
    assert f"Rollback of {harness.function}:live to version 1 (2 is live)" in result.stdout
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_rollback_aborts_a_release_that_no_worker_has_taken(
    shell: Shell, harness: Harness, package: str
) -> None:
    start = ("start", harness.function, "--s3", package, "--strategy", "AllAtOnce", "--wait")
    assert (await shell(*start)).exit_code == 0
    queued = ("start", harness.function, "--latest", "--task-queue", "unserved-too")
    assert (await shell(*queued)).exit_code == 3
    result = await shell("rollback", harness.function, "--abort-running", "--wait")
    assert result.exit_code == 0, result.output
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_rollback_beside_another_rollback_is_refused(shell: Shell, harness: Harness) -> None:
    harness.aws.hook("slow", lambda _: {"accept": True})
    gate = harness.aws.hold("invoke")
    rollback = ("rollback", harness.function, "--to", "1", "--before-traffic", "slow")
    begun = await shell(*rollback)
    assert f"Rollback of {harness.function}:live to version 1 (2 is live)" in begun.stdout
    again = await shell("rollback", harness.function, "--to", "1")
    assert again.exit_code == 1
    assert f"another rollback of {harness.function}:live runs (preparing)" in again.stderr
    gate.release()
    assert (await shell("watch", harness.function)).exit_code == 0


async def test_rollback_that_is_rejected_stands_in_the_history(
    shell: Shell, harness: Harness
) -> None:
    result = await shell("rollback", harness.function)
    assert result.exit_code == 1
    assert "✗ rejected, nothing was touched: version: nothing says which" in result.stdout
    [run] = json.loads((await shell("history", harness.function, "--json")).stdout)
    assert run["ending"]["outcome"] == "rejected"
