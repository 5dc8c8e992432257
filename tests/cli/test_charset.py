"""A terminal that cannot show every character gets others in their place, and no traceback."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os

import pytest

from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness
from workflows.cli import app
from workflows.cli.charset import spell_unencodable


def print_in_ascii(arguments: tuple[str, ...]) -> str:
    """Run a command in this process for a terminal that knows ASCII only."""
    printed = io.BytesIO()
    with io.TextIOWrapper(printed, encoding="ascii", write_through=True) as terminal:
        with (
            contextlib.redirect_stdout(terminal),
            contextlib.redirect_stderr(terminal),
            contextlib.suppress(SystemExit),
        ):
            spell_unencodable()
            app(arguments, prog_name="releases")
        output = printed.getvalue().decode()
    assert output.isascii() or "--json" in arguments  # JSON is UTF-8 everywhere
    return output


async def run_process(shell: Shell, *arguments: str) -> tuple[int | None, str]:
    """Run a command as users do, for a terminal that knows ASCII only."""
    shell.environment |= {"PYTHONIOENCODING": "ascii"}
    async with shell.start_process(*arguments) as process, asyncio.timeout(120):
        stdout, stderr = await process.communicate()
    return process.returncode, (stdout + stderr).decode("ascii")


async def test_release_is_shown_in_ascii(
    shell: Shell, harness: Harness, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)

    async def run(*arguments: str) -> str:
        return await asyncio.to_thread(print_in_ascii, arguments)

    await start_waiting_release(shell, harness, package)
    name = harness.function
    status = (await run("status", name)).splitlines()
    assert "  ##.................. 10% to version 3, 90% to version 2" in status
    assert "  > Wait for approval" in status
    assert f"{name}:live" in await run("status")
    assert f"{name}:live" in await run("plan", name, "--s3", package)
    paused = await run("pause", name, "--reason", "zu groß 🚀")
    assert "Paused by ana: zu gro\\u00df \\ud83d\\ude80" in paused
    shown = json.loads(await run("status", name, "--json"))
    assert shown["note"] == "Paused by ana: zu groß 🚀"
    await run("abort", name)
    watched = await run("watch", name)
    assert "+ Publish a version" in watched
    assert "<- rolled back: aborted by ana" in watched.splitlines()[-1]
    assert "aborted by ana" in await run("explain", name)
    assert "aborted by ana" in await run("history", name)


@pytest.mark.parametrize("arguments", [("--help",), ("start", "--help"), ("start", "--nosuch")])
def test_help_is_printed_in_ascii(arguments: tuple[str, ...]) -> None:
    assert "releases" in print_in_ascii(arguments)


async def test_process_prints_ascii_and_refuses_bytes_that_are_no_text(shell: Shell) -> None:
    (status, output), refused = await asyncio.gather(
        run_process(shell, "--help"), run_process(shell, "status", os.fsdecode(b"caf\xff"))
    )
    assert status == 0
    assert " - 2 wrong usage" in output
    assert refused == (2, "releases: caf\\udcff: not text in the encoding of this terminal\n")
