"""``schedule``: releases at set times."""

from __future__ import annotations

import os
from json import loads
from typing import Annotated, Any, Final

import typer

from workflows.cli.app import (
    ExitStatus,
    ReasonOption,
    connect,
    get_user_name,
    make_command,
    make_stdout_console,
)
from workflows.cli.field_names import SCHEDULE_FLAGS, FieldNames
from workflows.cli.flags import Flags, expand_flags
from workflows.cli.output import JsonOption, print_json
from workflows.cli.place import locate_request
from workflows.cli.release_file import parse_input
from workflows.cli.render import render_outlook
from workflows.cli.start import OptionalTargetArgument, build_request, upload_artifact
from workflows.cli.styles import format_time
from workflows.cli.tables import make_schedules_table
from workflows.client.errors import BadRequest
from workflows.client.schedule_times import ScheduleTimes
from workflows.client.schedules import ScheduleStatus

_PANEL: Final = "When"

app = typer.Typer(
    name="schedule",
    help="Releases at set times: Temporal Schedules that start a release. A schedule pauses "
    "itself when a release fails, with the reason as its note.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

ScheduleIdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The schedule's id.", show_default=False)
]


def _option(*names: str, help: str, metavar: str) -> Any:
    return typer.Option(
        *names, rich_help_panel=_PANEL, help=help, metavar=metavar, show_default=False
    )


@expand_flags
async def create(  # noqa: PLR0913 - as many as it has flags
    id: ScheduleIdArgument,
    target: OptionalTargetArgument = None,
    *,
    cron: Annotated[
        list[str] | None,
        _option("--cron", metavar="CRON", help='Such as "30 9 * * MON-FRI". Repeat it.'),
    ] = None,
    calendar: Annotated[
        list[str] | None,
        _option(
            "--calendar",
            metavar="JSON",
            help='Such as \'{"dayOfWeek": "Mon-Fri", "hour": "9", "minute": "30"}\'. Repeat it.',
        ),
    ] = None,
    at: Annotated[
        str | None,
        _option(
            "--at",
            metavar="TIME",
            help="Once, such as 2026-12-01T17:00, or with an offset: …T17:00+01:00. Without one it "
            "is in --time-zone, else in the zone of TZ, else in UTC.",
        ),
    ] = None,
    time_zone: Annotated[
        str | None,
        _option(
            "--time-zone",
            metavar="ZONE",
            help="The time zone of the times, such as Europe/Berlin. Default: UTC.",
        ),
    ] = None,
    jitter: Annotated[
        str | None,
        _option(
            "--jitter", metavar="DURATION", help="Start at random up to so much later, such as 5m."
        ),
    ] = None,
    catch_up: Annotated[
        str,
        _option(
            "--catch-up",
            metavar="DURATION",
            help="How late a start that Temporal missed while it was down may still happen. "
            "Default: 10m.",
        ),
    ] = "10m",
    note: Annotated[
        str,
        _option("--note", metavar="TEXT", help="What the schedule is for. Default: the reason."),
    ] = "",
    json: JsonOption = False,
    flags: Flags,
) -> None:
    """Start a release at set times; takes the flags of start.

    The artifact is resolved at each start: --latest is what is latest then.

    $ releases schedule create weekdays checkout --latest --cron "30 9 * * MON-FRI"
    $ releases schedule create launch checkout --s3 s3://artifacts/42.zip --at 2026-12-01T17:00

    Prints the next three times with their zone, and what would keep the release from being
    accepted now, such as a package that is not there. A release that is due while another one of
    the alias is running is skipped, whoever started that.
    """
    names = FieldNames(SCHEDULE_FLAGS)
    times = parse_input(
        {
            "cron": cron or [],
            "calendars": [_parse_calendar(text) for text in calendar or []],
            "at": at,
            "time_zone": time_zone or (at and os.environ.get("TZ", "").lstrip(":")) or "UTC",
            "jitter": jitter,
            "catch_up": catch_up,
        },
        ScheduleTimes,
        names=names,
    )
    request = build_request(flags, target)
    releases = await connect()
    request = await locate_request(releases, request, account=flags.account, region=flags.region)
    task_queue = flags.task_queue or await releases.places.find_queue(request.target)
    request = await upload_artifact(flags, request)
    with names.rename():
        outlook = await releases.schedules.create(
            id, request, times, task_queue=task_queue, note=note
        )
    foreseen = await releases.schedules.preview(request, task_queue=task_queue)
    outlook = outlook.model_copy(update={"warnings": (*outlook.warnings, *foreseen)})
    if json:
        print_json(outlook)
        return
    _print(f"Created schedule {id}: {request.summary}")
    for line in render_outlook(outlook):
        make_stdout_console().print(line)


async def list_(*, json: JsonOption = False) -> None:
    """List the schedules of releases: next times, last outcome, why it is paused."""
    schedules = await (await connect()).schedules.list()
    if json:
        print_json(schedules, list[ScheduleStatus])
    elif schedules:
        make_stdout_console().print(make_schedules_table(schedules))
    else:
        _print("There are no schedules of releases.")


async def pause(
    id: ScheduleIdArgument, reason: ReasonOption = "", *, json: JsonOption = False
) -> None:
    """Start nothing until it is resumed. A running release goes on."""
    reason = reason or f"paused by {get_user_name()}"
    status = await (await connect()).schedules.pause(id, reason=reason)
    if json:
        print_json(status)
        return
    _print(f"Paused schedule {id}: {reason}")
    _print(f"It starts nothing until:  releases schedule resume {id}")
    _print_running(status)


async def resume(
    id: ScheduleIdArgument, reason: ReasonOption = "", *, json: JsonOption = False
) -> None:
    """Start releases again, from the next time on."""
    reason = reason or f"resumed by {get_user_name()}"
    status = await (await connect()).schedules.resume(id, reason=reason)
    if json:
        print_json(status)
        return
    _print(f"Resumed schedule {id}: {reason}")
    _print(
        f"Next start: {format_time(status.next_at[0])}"
        if status.next_at
        else "It has no more times."
    )


async def trigger(id: ScheduleIdArgument, *, json: JsonOption = False) -> ExitStatus:
    """Start the release now, even if the schedule is paused.

    A failure of this one does not pause the schedule. Skipped, with exit status 1, while a release
    of the schedule is running.
    """
    result = await (await connect()).schedules.trigger(id)
    if json:
        print_json(result)
    elif result.skipped_for:
        _print(f"Skipped: {result.skipped_for}, a release of schedule {id}, is still running")
    elif result.release:
        _print(f"Started {result.release}")
        _print(f"Watch it:  releases watch {result.release}")
    else:
        _print(f"Triggered schedule {id}; Temporal has not started its release yet")
        _print("See it:  releases schedule list")
    return ExitStatus.NOT_RELEASED if result.skipped_for else ExitStatus.SUCCEEDED


async def delete(id: ScheduleIdArgument, *, json: JsonOption = False) -> None:
    """Delete the schedule. A running release goes on."""
    status = await (await connect()).schedules.delete(id)
    if json:
        print_json(status)
        return
    _print(f"Deleted schedule {id}: {status.what}")
    _print_running(status)


def _print_running(status: ScheduleStatus) -> None:
    if status.running_id:
        _print(f"Its running release goes on:  releases watch {status.running_id}")


def _print(line: str) -> None:
    make_stdout_console().print(line)


def _parse_calendar(text: str) -> object:
    try:
        return loads(text)
    except ValueError as error:
        raise BadRequest([f"--calendar: not JSON: {error}"]) from None


app.command()(make_command(create))
app.command()(make_command(pause))
app.command()(make_command(resume))
app.command()(make_command(trigger))
app.command()(make_command(delete))
app.command("list")(make_command(list_))
