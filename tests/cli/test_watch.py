"""``watch``: on a terminal, in a pipe, and interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pty
import signal
from datetime import timedelta

import pytest
from rich.console import Console

from tests.cli.pages import ANALYSES, NOW, make_status
from tests.cli.shell import Shell, start_waiting_release
from tests.harness import CANARY, Harness, read_ending
from workflows.cli.watch import LinePrinter, select_entries
from workflows.client.timeline import TimelineEntry
from workflows.client.watch import WatchUpdate

LATEST = {"artifact": {"kind": "latest"}}


@pytest.fixture
async def waiting_release(shell: Shell, harness: Harness, package: str) -> Shell:
    """The shell, once its release waits for approval."""
    await start_waiting_release(shell, harness, package)
    return shell


async def test_interrupted_watch_exits_with_130_and_the_release_goes_on(
    waiting_release: Shell, harness: Harness
) -> None:
    async with (
        waiting_release.start_process("watch", harness.function) as process,
        asyncio.timeout(60),
    ):
        assert process.stdout is not None
        while "awaiting approval" not in (await process.stdout.readline()).decode():
            pass
        process.send_signal(signal.SIGINT)
        _, stderr = await process.communicate()
    assert process.returncode == 130
    assert stderr.decode() == "releases: interrupted; what was started goes on\n"
    assert (await waiting_release("approve", harness.function)).exit_code == 0
    assert (await waiting_release("watch", harness.function)).exit_code == 0


async def test_terminal_keeps_the_timeline_and_redraws_the_status(
    waiting_release: Shell, harness: Harness
) -> None:
    ours, theirs = pty.openpty()
    shown = b""
    async with (
        waiting_release.start_process("watch", harness.function, stdout=theirs) as process,
        asyncio.timeout(60),
    ):
        os.close(theirs)
        while "Wait for approval" not in shown.decode(
            errors="ignore"
        ) or "10% to version 3, 90%" not in shown.decode(errors="ignore"):
            shown += await asyncio.to_thread(os.read, ours, 4096)
        assert (await waiting_release("approve", harness.function)).exit_code == 0
        with contextlib.suppress(OSError):
            while more := await asyncio.to_thread(os.read, ours, 4096):
                shown += more
        await process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert "approve by ana" in shown.decode(errors="ignore")
    assert shown.decode(errors="ignore").rstrip().endswith("All traffic is on version 3")


def test_pipe_gets_each_measurement_once_and_no_metric_reads() -> None:
    console = Console(file=io.StringIO(), width=180, markup=False, highlight=False, no_color=True)
    printer = LinePrinter(console)
    reads = (TimelineEntry(NOW, "measurement", "Measure versions 8 and 7"),)
    for analysis in (
        ANALYSES[0],
        ANALYSES[1],
        ANALYSES[1].model_copy(update={"at": NOW + timedelta(minutes=1)}),
    ):
        printer.show(WatchUpdate(entries=reads, status=make_status(analysis)))
    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert (
        output.count(
            "version 8: 123456789 invocations, 33.33% errors, p99 123456.79 ms; version 7: "
        )
        == 1
    )
    assert "failed (0% sure that it is not worse, over 99.9% that it is)" in output
    assert "Measure versions" not in output
    assert list(select_entries(reads)) == []


def list_failures(output: str) -> list[str]:
    """What stands behind ✗ in the log of a watch, without its time."""
    return [line[9:] for line in output.splitlines() if line[9:].startswith("✗")]


async def test_watch_marks_what_spoke_against_the_candidate(shell: Shell, harness: Harness) -> None:
    harness.aws.alarms = {"errors": "OK"}
    guards = {"alarms": ["errors"]}
    handle = await harness.begin_until("baking", guards=guards, **CANARY)
    harness.aws.alarms["errors"] = "ALARM"
    await harness.finish(handle)
    [alarm, *_] = list_failures((await shell("watch", harness.function)).stdout)
    assert alarm.startswith("✗ Watch errors: alarm errors went off: ")
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "it smokes"})
    await harness.release(artifact=harness.package("four"), hooks={"before_traffic": "smoke"})
    [hook, *_] = list_failures((await shell("watch", harness.function)).stdout)
    assert hook.endswith("refused: it smokes")


async def test_watch_marks_a_step_that_nobody_approved(shell: Shell, harness: Harness) -> None:
    steps = [{"kind": "approval", "timeout": "1h"}]
    await harness.release(artifact=harness.package("three"), strategy={"steps": steps})
    output = (await shell("watch", harness.function)).stdout
    assert "✗ Wait for approval: nobody approved in time" in list_failures(output)


async def test_watch_marks_a_function_that_does_not_exist(shell: Shell, harness: Harness) -> None:
    missing = f"{harness.function}-nosuch"
    handle = await harness.start("Release", {"target": {"function": missing}, **LATEST})
    await read_ending(handle)
    [line, *_] = list_failures((await shell("watch", handle.id)).stdout)
    assert line.endswith(": there is none")
    first = await harness.release(
        target={"function": harness.function, "alias": "beta"}, artifact=harness.package("three")
    )
    assert first.kind == "Completed"
    output = (await shell("watch", f"{harness.function}:beta")).stdout
    assert "– Read where" in output
    assert not list_failures(output)
