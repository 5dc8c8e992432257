"""A release that no worker has taken, on the command line."""

from __future__ import annotations

import json

from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness
from workflows.client import ReleaseClient


async def start_unserved(shell: Shell, harness: Harness) -> str:
    """Start a release on a queue that nobody polls; return its id once it is listed."""
    queue = f"unserved-{harness.function}"
    started = await shell("start", harness.function, "--latest", "--task-queue", queue)
    assert started.exit_code == 3
    assert f"waiting for a worker on task queue {queue}" in started.stderr
    assert f"! no worker polls task queue {queue}: start one with: " in started.stderr
    releases = ReleaseClient(harness.client)

    async def is_listed() -> bool:
        return bool(await releases.pending(harness.function))

    await harness.wait_until(is_listed)
    return str(started.stdout.split()[1].rstrip(":"))


async def test_release_without_a_worker_is_shown_and_ended(shell: Shell, harness: Harness) -> None:
    release_id = await start_unserved(shell, harness)
    shown = await shell("status", harness.function)
    assert shown.exit_code == 0
    assert "waiting for worker" in shown.stdout
    assert f"waiting for a worker on task queue unserved-{harness.function}" in shown.stdout
    phase = json.loads((await shell("status", harness.function, "--json")).stdout)["phase"]
    assert phase == "waiting_for_worker"
    assert harness.function in (await shell("status")).stdout
    refused = await shell("approve", harness.function)
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert f"To end it: releases abort {release_id}" in refused.stderr
    aborted = await shell("abort", harness.function, "--reason", "oops", "--by", "bo")
    assert aborted.exit_code == 0
    assert "aborted by bo before a worker took it: oops" in aborted.stdout
    watched = await shell("watch", release_id)
    assert watched.exit_code == 1
    assert watched.stdout.splitlines()[-1] == (
        "✗ rejected, nothing was touched: aborted by bo before a worker took it: oops"
    )


async def test_release_that_waits_beside_a_running_one_is_named(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    release_id = await start_unserved(shell, harness)
    for command in ("status", "abort"):
        shown = await shell(command, harness.function)
        assert "version 3" in shown.stdout
        assert f"! {release_id} is another release of it: waiting for a worker" in shown.stderr
    assert (await shell("abort", release_id)).exit_code == 0
