"""The application: help, usage errors, and exit statuses without Temporal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from activities.product_version import read_product_version
from tests.cli.shell import BINARY, Shell
from workflows.cli import app


def test_help_names_every_command_exit_status_and_variable() -> None:
    output = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    commands = (
        "start status watch approve pause resume promote abort give-up resolve rollback "
        "history explain rejudge plan schedule"
    )
    variables = "TEMPORAL_ADDRESS TEMPORAL_NAMESPACE TEMPORAL_PROFILE RELEASES_TASK_QUEUE"
    for word in [*commands.split(), *variables.split(), "0 succeeded", "4 not rolled back"]:
        assert word in output


def test_import_loads_no_botocore() -> None:
    code = "import sys, workflows.cli; print([name for name in sys.modules if 'botocore' in name])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_unknown_flag_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["start", "checkout", "--bogus"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr
    assert "─" not in result.stderr  # no frame in a pipe


async def test_target_that_was_never_released_exits_with_2(shell: Shell) -> None:
    for command in ("status", "watch", "pause", "history"):
        result = await shell(command, "never-released")
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    "command",
    [("status",), ("start", "checkout", "--latest"), ("schedule", "list"), ("watch", "checkout")],
)
async def test_unreachable_temporal_is_one_line_and_exit_status_3(
    shell: Shell, command: tuple[str, ...]
) -> None:
    result = await shell(*command, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "releases: cannot connect to Temporal at 127.0.0.1:1 (TEMPORAL_ADDRESS): "
        "Connection refused\n"
    )


async def test_unknown_namespace_or_profile_is_one_line_and_exit_status_3(
    shell: Shell,
) -> None:
    for environment in ({"TEMPORAL_NAMESPACE": "nope"}, {"TEMPORAL_PROFILE": "nope"}):
        result = await shell("status", **environment)
        assert (result.exit_code, len(result.stderr.splitlines())) == (3, 1)
        assert "nope" in result.stderr


async def test_process_exits_with_its_status_every_time(shell: Shell) -> None:
    # Temporal's core may abort an interpreter that exits while one of its threads is at work.
    for _ in range(5):
        async with shell.start_process("status", "never-released") as process:
            _, stderr = await process.communicate()
        assert (process.returncode, len(stderr.splitlines())) == (2, 1)


def test_completion_is_installed_and_names_commands(tmp_path: Path) -> None:
    subprocess.run(
        ["bash", "-c", f'"{BINARY}" --install-completion; true'],
        env={**os.environ, "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    assert "complete -o default" in (tmp_path / ".bash_completions/releases.sh").read_text()
    asked = {"_RELEASES_COMPLETE": "complete_bash", "COMP_WORDS": "releases sta", "COMP_CWORD": "1"}
    completed = subprocess.run(
        [BINARY], env={**os.environ, **asked}, check=True, capture_output=True, text=True
    )
    assert completed.stdout.split() == ["start", "status", "stats"]


def test_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"releases {read_product_version()}\n"
