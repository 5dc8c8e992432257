"""``-o json``: every command prints what its schema says, and both flags mean the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import TypeAdapter

from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness
from workflows.cli import app
from workflows.cli.output_schema import OUTPUTS, build_schema

SCHEMA = Path(__file__).parents[2] / "docs/output.schema.json"


def list_commands(group: Any, words: str = "") -> dict[str, Any]:
    """Every command by its words."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        full = f"{words} {name}".strip()
        found |= list_commands(command, full) if hasattr(command, "commands") else {full: command}
    return found


def read(command: str, text: str) -> Any:
    """Read an output; fail where it is not exactly what the schema is made of."""
    adapter: TypeAdapter[Any] = TypeAdapter(OUTPUTS[command])
    assert adapter.dump_python(adapter.validate_json(text), mode="json") == json.loads(text)
    return json.loads(text)


def test_schema_in_the_docs_is_that_of_now() -> None:
    wanted = "python -m workflows.cli.output_schema > docs/output.schema.json"
    assert json.loads(SCHEMA.read_text()) == build_schema(), wanted


def test_every_command_prints_json_and_has_a_schema() -> None:
    commands = list_commands(typer.main.get_command(app))
    for name, command in commands.items():
        options = {option for one in command.params for option in one.opts}
        assert {"--output", "-o", "--json"} <= options, name
    assert {*commands, "status TARGET"} == {*OUTPUTS}


async def test_json_of_a_release_fits_its_schema(
    shell: Shell, harness: Harness, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    function = harness.function

    async def run(command: str, *arguments: str, status: int = 0) -> Any:
        result = await shell(*command.removesuffix(" TARGET").split(), *arguments, "-o", "json")
        assert result.exit_code == status, result.stderr
        return read(command, result.stdout)

    shown = await run("status TARGET", function)
    assert shown["id"].startswith(f"release:{function}:live:")
    assert (shown["rollout"], shown["requested_by"]) == (harness.rollout_id, "ana")
    assert [step["mark"] for step in shown["step_list"]] == ["done", "current", "later"]
    assert shown["started_at"]
    assert shown["closed_at"] is None
    assert shown["id"] in [run["release"] for run in await run("status")]
    assert (await run("pause", function, "--reason", "p99"))["paused"]
    assert not (await run("resume", function))["paused"]
    await run("plan", function, "--s3", package, status=1)
    await run("approve", function)
    updates = await shell("watch", function, "-o", "json")
    assert [read("watch", line)["ending"] for line in updates.stdout.splitlines()][-1]
    assert [run["release"] for run in await run("history", function)] == [shown["id"]]
    assert (await run("status TARGET", function))["outcome"] == "succeeded"
    await run("explain", function)
    await run("rejudge", function, "--policy", '{"limits": [{"metric": "error_rate", "max": 1}]}')
    await run("doctor", function)
    rolled_back = await run("rollback", function, "--reason", "INC-4711")
    await shell("watch", function)
    ended = await run("status TARGET", function)
    assert (ended["id"], ended["reason"]) == (rolled_back["id"], "INC-4711")
    started = await run("start", function, "--version", "99", status=1)
    rejected = await run("status TARGET", started["id"])
    assert (rejected["id"], rejected["outcome"]) == (started["id"], "rejected")


@pytest.mark.parametrize("command", [("status",), ("schedule", "list")])
async def test_former_flag_prints_the_same(
    shell: Shell, harness: Harness, command: tuple[str, ...]
) -> None:
    former = await shell(*command, "--json")
    assert (await shell(*command, "-o", "json")).stdout == former.stdout
    help_page = (await shell(*command, "--help")).stdout
    assert "--output" in help_page
    assert "--json" not in help_page
    assert harness.function not in former.stdout
