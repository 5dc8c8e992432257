"""The programs of docs/api.md, run as they stand there against a local stack: ``make doors``.

The demo is run beside that stack, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local import sample
from deploy.local.emulator import ROOT
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from workflows.domain.target import Place

EXAMPLES = Path(__file__).parent / "examples"
TYPESCRIPT = Path(__file__).parent / "typescript"
# A stack is started, and releases run for some seconds each, on whatever machine.
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Shell:
    """A local stack, and programs that use it."""

    stack: Stack
    clients: sample.Clients
    directory: Path

    async def prepare(self, source: Path) -> tuple[str, str]:
        """Give an example a function of its own; return the example, and the rollout's id."""
        name = f"checkout-{source.stem.replace('_', '-')}"
        await sample.create_function(self.clients.awslambda, name)
        text = re.sub(r"(?<![/\w])checkout(?![/\w])", name, source.read_text())
        text = text.replace("127.0.0.1:7243", f"127.0.0.1:{self.stack.ports.http}")
        text = text.replace("127.0.0.1:7233", self.stack.address)
        place = Place(account="000000000000", region="us-east-1", function=name)
        return text, place.rollout_id(sample.ALIAS)

    async def run(self, *command: str) -> list[str]:
        """Run a command that must succeed, and return the lines of its output."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TEMPORAL_", "RELEASES_"))
        }
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.directory,
            env={**kept, "PATH": programs, "TEMPORAL_ADDRESS": self.stack.address},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(200):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, output.decode()
        return output.decode().splitlines()

    async def read_routing(self, rollout: str) -> tuple[str, object]:
        alias = await self.clients.awslambda.get_alias(
            FunctionName=rollout.split(":")[-2], Name=sample.ALIAS
        )
        return alias["FunctionVersion"], alias.get("RoutingConfig")


@pytest.fixture(scope="module")
async def shell(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    directory = tmp_path_factory.mktemp("doors")
    async with (
        Stack.start(Ports.any_free(), directory) as stack,
        sample.Clients.connect(stack.aws) as clients,
    ):
        await sample.create_sample(clients)
        yield Shell(stack, clients, directory)


async def test_curl_example_works_as_it_is_shown(shell: Shell) -> None:
    script, rollout = await shell.prepare(EXAMPLES / "curl.sh")
    lines = await shell.run("bash", "-euo", "pipefail", "-c", script)
    answers: list[dict[str, Any]] = [json.loads(line) for line in lines]
    started, baking, paused, refused, resumed, aborted, end, found, listed = answers
    assert started["started"] is True
    [status] = baking["queryResult"]
    assert (status["phase"], status["rollout"]) == ("baking", rollout)
    notes = [each["outcome"]["success"][0]["note"] for each in (paused, resumed, aborted)]
    assert notes == [
        "Paused by ana: p99 is up",
        "Resumed by unknown",
        "Aborted by ana: wrong build",
    ]
    failure = refused["outcome"]["failure"]
    assert failure["message"] == "paused already"
    assert failure["applicationFailureInfo"]["type"] == "Refused"
    [event] = end["history"]["events"]
    failure = event["workflowExecutionFailedEventAttributes"]["failure"]["applicationFailureInfo"]
    assert failure["type"] == "ReleaseRolledBack"
    assert failure["details"][0]["phase"] == "rolled_back"
    assert found["workflowExecutionInfo"]["type"]["name"] == "Rollout"
    ids = [each["execution"]["workflowId"] for each in listed["executions"]]
    assert sorted(ids) == [rollout, "pr-12"]
    assert await shell.read_routing(rollout) == ("1", None)


async def test_command_line_example_works_as_it_is_shown(shell: Shell) -> None:
    script, rollout = await shell.prepare(EXAMPLES / "cli.sh")
    output = "\n".join(await shell.run("bash", "-euo", "pipefail", "-c", script))
    for text in ('"phase"', "paused already", "refused: 1", "ended: 1", "wrong build"):
        assert text in output, output
    assert await shell.read_routing(rollout) == ("1", None)


async def test_bare_python_example_works_as_it_is_shown(shell: Shell) -> None:
    script, rollout = await shell.prepare(EXAMPLES / "bare_client.py")
    assert await shell.run(sys.executable, "-c", script) == [
        f"{rollout} baking 10",
        "Paused by ana: p99 is up",
        "Refused paused already",
        "ReleaseRolledBack rolled_back",
    ]
    assert await shell.read_routing(rollout) == ("1", None)


async def test_python_client_example_works_as_it_is_shown(shell: Shell) -> None:
    script, rollout = await shell.prepare(EXAMPLES / "release_client.py")
    output = await shell.run(sys.executable, "-c", script)
    assert "Paused by ana: p99 is up" in output
    assert "paused already" in output
    assert output[-1].startswith("rolled_back aborted by ana: wrong build")
    assert await shell.read_routing(rollout) == ("1", None)


async def test_typescript_example_works_as_it_is_shown(shell: Shell) -> None:
    modules = TYPESCRIPT / "node_modules"
    if shutil.which("node") is None or not modules.exists():
        pytest.fail("this needs node 20 and npm: run `make doors`, which installs the packages")
    source, rollout = await shell.prepare(TYPESCRIPT / "release.ts")
    project = shell.directory / "typescript"
    project.mkdir()
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(TYPESCRIPT / name, project)
    (project / "node_modules").symlink_to(modules)
    (project / "release.ts").write_text(source)
    await shell.run(str(modules / ".bin" / "tsc"), "--project", str(project))
    assert await shell.run("node", str(project / "dist" / "release.js")) == [
        f"{rollout} baking 10",
        "Paused by ana: p99 is up",
        "Refused paused already",
        "ReleaseRolledBack rolled_back",
    ]
    assert await shell.read_routing(rollout) == ("1", None)


async def test_demo_runs_beside_a_stack(shell: Shell) -> None:
    """It is ended once it is up: ``make demo`` is run to its end elsewhere."""
    command = [sys.executable, "-m", "deploy.local", "demo"]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--directory",
        str(shell.directory / "demo"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = ""
    try:
        while "A good release" not in output:
            line = await process.stdout.readline()
            assert line, output
            output += line.decode()
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
    assert shell.stack.ui_url not in output
