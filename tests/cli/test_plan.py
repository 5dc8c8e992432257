"""``plan``: output and exit status."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness


async def test_plan_exits_with_1_if_the_release_would_be_rejected(
    shell: Shell, harness: Harness, package: str
) -> None:
    result = await shell("plan", harness.function, "--s3", package)
    assert result.exit_code == 0
    assert f"  1. Put {package} into $LATEST\n" in result.stdout
    assert "takes 5 min at least" in result.stdout
    result = await shell("plan", harness.function, "--s3", package, "--alarm", "typo")
    assert result.exit_code == 1
    assert "✗ guards.alarms: there is no alarm typo" in result.stdout
    assert (
        json.loads((await shell("plan", harness.function, "--latest", "--json")).stdout)["at_least"]
        == "PT5M"
    )


async def test_plan_without_a_worker_exits_with_3_and_what_to_type(
    shell: Shell, harness: Harness, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.client.plan.WORKER_TIMEOUT", timedelta(seconds=1))
    result = await shell("plan", harness.function, "--s3", package, "--task-queue", "nobody")
    assert result.exit_code == 3
    assert "no worker of task queue nobody has taken the plan within 1 s" in result.stderr
    assert "RELEASES_TASK_QUEUE=nobody python worker.py" in result.stderr


async def test_plan_of_a_missing_package_exits_with_1_and_names_it(
    shell: Shell, harness: Harness
) -> None:
    result = await shell("plan", harness.function, "--s3", "s3://artifacts/typo.zip")
    assert result.exit_code == 1
    assert "✗ artifact: there is no s3://artifacts/typo.zip" in result.stdout


async def test_plan_beside_a_release_names_it_and_advises_nothing_dangerous(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    result = await shell("plan", harness.function, "--s3", package)
    assert result.exit_code == 1
    assert f"is being released already: {harness.rollout_id}" in result.stdout
    assert f"releases status {harness.function}:live" in result.stdout
    assert "rollback" not in result.stdout
    assert "include_latest" not in result.stdout


async def test_plan_of_a_local_package_is_whole_and_says_that_it_is_not_there(
    shell: Shell, harness: Harness, tmp_path: Path
) -> None:
    local = tmp_path / "build.zip"
    with zipfile.ZipFile(local, "w") as packed:
        packed.writestr("app.py", "VERSION = 3")
    result = await shell("plan", harness.function, "--zip", str(local), "--bucket", "artifacts")
    assert result.exit_code == 0, result.output
    assert "All traffic to the candidate" in result.stdout
    assert "! The package is not uploaded yet, and was not looked at" in result.stdout
    assert harness.aws.of("head_object") == []
