"""``schedule``: the commands, and their exit status."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from tests.cli.shell import APPROVAL, Shell
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
    created, first, then, gap, twice, *_ = result.stdout.splitlines()
    assert result.exit_code == 0
    assert created == f"Created schedule {name}: version 1 → {harness.function}:live (100%)"
    assert re.fullmatch(r"  first: \w{3} [\d-]{10} 02:3\d CES?T \(Europe/Berlin\)", first)
    assert then.count("02:3") == 2  # up to five minutes of jitter
    assert "  ! " in gap
    assert {"exist", "twice"} <= {*gap.split(), *twice.split()}
    assert (await shell(*create, "--cron", "30 2 * * *")).exit_code == 1
    started, watch = (await shell("schedule", "trigger", name)).stdout.splitlines()
    release = started.removeprefix("Started ")
    assert release.startswith(f"release:{harness.function}:live:{name}-")
    assert watch == f"Watch it:  releases watch {release}"
    assert (await shell("watch", release)).exit_code == 0
    paused = await shell("schedule", "pause", name, "--reason", "freeze")
    assert paused.stdout.splitlines() == [
        f"Paused schedule {name}: freeze",
        f"It starts nothing until:  releases schedule resume {name}",
    ]
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
    resumed, upcoming = (await shell("schedule", "resume", name)).stdout.splitlines()
    assert resumed == f"Resumed schedule {name}: resumed by ana"
    assert re.fullmatch(r"Next start: [\d-]{10} [\d:]{5} UTC", upcoming)
    deleted = await shell("schedule", "delete", name)
    assert deleted.stdout == (
        f"Deleted schedule {name}: version 1 → {harness.function}:live (100%)\n"
    )
    result = await shell("schedule", "delete", name)
    assert (result.exit_code, result.stderr) == (2, f"releases: there is no schedule {name}\n")
    assert name not in [
        schedule["id"]
        for schedule in json.loads((await shell("schedule", "list", "--json")).stdout)
    ]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--at", "2020-01-01T00:00"), "--at: 2020-01-01 00:00:00 UTC is past"),
        ((), "--cron: give a cron expression, a calendar or a time (at): exactly one kind"),
        (("--calendar", '{"hours": "9"}'), "--calendar: 0.hours: "),
        (("--calendar", "nine"), "--calendar: not JSON: "),
        (("--cron", "0 9 * * *", "--jitter", "5"), "--jitter: not a duration"),
        (("--cron", "never"), "--cron: Temporal cannot read never: "),
        (("--cron", "99 9 * * *"), "--cron: Temporal cannot read 99 9 * * *: "),
    ],
)
async def test_times_that_make_no_sense_exit_with_2(
    shell: Shell, flags: tuple[str, ...], problem: str
) -> None:
    result = await shell("schedule", "create", "never", "checkout", "--latest", *flags)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"releases: {problem}")


@pytest.mark.parametrize(
    ("at", "flags", "first"),
    [
        ("2099-12-01T17:00", (), "Tue 2099-12-01 17:00 JST (Asia/Tokyo)"),
        ("2099-07-01T17:00", ("--time-zone", "Europe/Berlin"), "Wed 2099-07-01 17:00 CEST"),
        ("2099-12-01T17:00+01:00", (), "Wed 2099-12-02 01:00 JST"),
    ],
)
async def test_single_time_is_in_the_zone_of_its_flag_else_of_tz(
    shell: Shell, harness: Harness, at: str, flags: tuple[str, ...], first: str
) -> None:
    create = ("schedule", "create", f"at-{harness.function}", harness.function, "--version", "1")
    result = await shell(*create, "--at", at, *flags, TZ="Asia/Tokyo")
    try:
        assert f"  first: {first}" in result.stdout
        [time_zone] = flags[1:] or ("Asia/Tokyo",)
        shown = json.loads((await shell("schedule", "list", "-o", "json")).stdout)
        [listed] = [one for one in shown if one["id"] == f"at-{harness.function}"]
        assert f"({time_zone})" in result.stdout
        assert len(listed["next_at"]) == 1
    finally:
        await shell("schedule", "delete", f"at-{harness.function}")


async def test_zone_that_is_not_known_is_a_usage_error(shell: Shell) -> None:
    create = ("schedule", "create", "never", "checkout", "--version", "1")
    result = await shell(*create, "--at", "2099-12-01T17:00", TZ="Mars/Olympus")
    assert (result.exit_code, "--time-zone: there is no such time zone" in result.stderr) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("flags", "warning"),
    [
        (("--s3", "s3://artifacts/nowhere.zip"), "nowhere.zip"),
        (("--version", "77"), "artifact.version: "),
    ],
)
async def test_schedule_of_what_is_not_there_is_warned_of(
    shell: Shell, harness: Harness, flags: tuple[str, ...], warning: str
) -> None:
    name = f"missing-{harness.function}"
    result = await shell(
        "schedule", "create", name, harness.function, *flags, "--cron", "0 9 * * *", "-o", "json"
    )
    created = json.loads(result.stdout)
    assert (await shell("schedule", "delete", name, "-o", "json")).exit_code == 0
    assert (created["id"], created["time_zone"], len(created["next_at"])) == (name, "UTC", 3)
    [refusal] = [line for line in created["warnings"] if "would be rejected" in line]
    assert warning in refusal


async def test_schedule_without_a_worker_says_what_was_not_looked_at(
    shell: Shell, harness: Harness
) -> None:
    name = f"unseen-{harness.function}"
    create = ("schedule", "create", name, harness.function, "--version", "1", "--cron", "0 9 * * *")
    result = await shell(*create, RELEASES_TASK_QUEUE="nobody")
    await shell("schedule", "delete", name)
    assert result.exit_code == 0
    assert "  ! whether the release would be accepted was not looked at: no worker" in result.stdout


async def test_trigger_beside_a_running_release_of_the_schedule_is_skipped(
    shell: Shell, harness: Harness, package: str
) -> None:
    name = f"busy-{harness.function}"
    create = ("schedule", "create", name, harness.function, "--s3", package, "--cron", "0 9 * * *")
    await shell(*create, "--strategy", APPROVAL)
    first = json.loads((await shell("schedule", "trigger", name, "-o", "json")).stdout)
    second = await shell("schedule", "trigger", name)
    assert (second.exit_code, second.stdout) == (
        1,
        f"Skipped: {first['release']}, a release of schedule {name}, is still running\n",
    )
    deleted = await shell("schedule", "delete", name)
    assert f"Its running release goes on:  releases watch {first['release']}\n" in deleted.stdout
