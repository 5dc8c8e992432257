"""``schedule``: the commands, and their exit status."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.cli.shell import Shell
from tests.harness import Harness


async def test_schedule_is_created_listed_paused_resumed_and_deleted(
    shell: Shell, harness: Harness
) -> None:
    name = f"cli-{harness.function}"
    create = (
        "schedule",
        "create",
        name,
        harness.function,
        "--version",
        "1",
        "--strategy",
        "AllAtOnce",
    )
    result = await shell(
        *create,
        "--cron",
        "30 2 * * *",
        "--time-zone",
        "Europe/Berlin",
        "--jitter",
        "5m",
        "--reason",
        "nightly",
    )
    created, upcoming, gap, twice = result.stdout.splitlines()
    assert result.exit_code == 0
    assert created == f"Created schedule {name}: version 1 → {harness.function}:live (100%)"
    assert upcoming.startswith("  next: ")
    assert upcoming.count("02:3") == 3  # up to five minutes of jitter
    assert upcoming.endswith("(Europe/Berlin)")
    assert "  ! " in gap
    assert {"exist", "twice"} <= {*gap.split(), *twice.split()}
    assert (await shell(*create, "--cron", "30 2 * * *")).exit_code == 1
    assert (await shell("schedule", "trigger", name)).exit_code == 0
    assert (await shell("schedule", "pause", name, "--reason", "freeze")).exit_code == 0
    async with asyncio.timeout(60):
        while True:
            [line] = [
                line
                for line in (await shell("schedule", "list")).stdout.splitlines()
                if line.startswith(name)
            ]
            if "succeeded" in line and "paused: freeze" in line:
                break
            await asyncio.sleep(0.1)
    assert (await shell("schedule", "resume", name)).exit_code == 0
    assert (await shell("schedule", "delete", name)).exit_code == 0
    result = await shell("schedule", "delete", name)
    assert (result.exit_code, result.stderr) == (2, f"releases: there is no schedule {name}\n")
    assert name not in [
        schedule["id"]
        for schedule in json.loads((await shell("schedule", "list", "--json")).stdout)
    ]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--at", "2020-01-01T00:00"), "at: 2020-01-01 00:00:00 UTC is past"),
        ((), "give a cron expression, a calendar or a time: exactly one kind"),
        (("--calendar", '{"hours": "9"}'), "calendars.0.hours: "),
        (("--calendar", "nine"), "--calendar: not JSON: "),
        (("--cron", "0 9 * * *", "--jitter", "5"), "jitter: not a duration"),
    ],
)
async def test_times_that_make_no_sense_exit_with_2(
    shell: Shell, flags: tuple[str, ...], problem: str
) -> None:
    result = await shell("schedule", "create", "never", "checkout", "--latest", *flags)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"releases: {problem}")
