"""``schedule``: releases at set times."""

from __future__ import annotations

from json import loads
from typing import Annotated, Any, Final

import typer

from workflows.cli.app import (
    ReasonOption,
    connect,
    get_user_name,
    make_command,
    make_stdout_console,
)
from workflows.cli.flags import Flags, expand_flags
from workflows.cli.output import JsonOption, print_json
from workflows.cli.release_file import parse_input
from workflows.cli.render import render_outlook
from workflows.cli.start import OptionalTargetArgument, build_request, upload_artifact
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
            help="Once, such as 2026-12-01T17:00, or with an offset: …T17:00+01:00.",
        ),
    ] = None,
    time_zone: Annotated[
        str,
        _option(
            "--time-zone",
            metavar="ZONE",
            help="The time zone of the times, such as Europe/Berlin. Default: UTC.",
        ),
    ] = "UTC",
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
    flags: Flags,
) -> None:
    """Start a release at set times; takes the flags of start.

    The artifact is resolved at each start: --latest is what is latest then.

    $ releases schedule create weekdays checkout --latest --cron "30 9 * * MON-FRI"
    $ releases schedule create launch checkout --s3 s3://artifacts/42.zip --at 2026-12-01T17:00

    Prints the next three times. A release that is due while another one of the alias is running is
    skipped, whoever started that.
    """
    times = parse_input(
        {
            "cron": cron or [],
            "calendars": [_parse_calendar(text) for text in calendar or []],
            "at": at,
            "time_zone": time_zone,
            "jitter": jitter,
            "catch_up": catch_up,
        },
        ScheduleTimes,
    )
    request = build_request(flags, target)
    releases = await connect()
    request = await upload_artifact(flags, request)
    outlook = await releases.schedules.create(
        id, request, times, task_queue=flags.task_queue, note=note
    )
    console = make_stdout_console()
    console.print(f"Created schedule {id}: {request.summary}", soft_wrap=True)
    for line in render_outlook(outlook, times.zone):
        console.print(line, soft_wrap=True)


async def list_(*, json: JsonOption = False) -> None:
    """List the schedules of releases: next times, last outcome, why it is paused."""
    schedules = await (await connect()).schedules.list()
    if json:
        print_json(schedules, list[ScheduleStatus])
    elif schedules:
        make_stdout_console().print(make_schedules_table(schedules))
    else:
        make_stdout_console().print("There are no schedules of releases.")


async def pause(id: ScheduleIdArgument, reason: ReasonOption = "") -> None:
    """Start nothing until it is resumed. A running release goes on."""
    await (await connect()).schedules.pause(id, reason=reason or f"paused by {get_user_name()}")


async def resume(id: ScheduleIdArgument, reason: ReasonOption = "") -> None:
    """Start releases again, from the next time on."""
    await (await connect()).schedules.resume(id, reason=reason or f"resumed by {get_user_name()}")


async def trigger(id: ScheduleIdArgument) -> None:
    """Start the release now, even if the schedule is paused.

    A failure of this one does not pause the schedule.
    """
    await (await connect()).schedules.trigger(id)


async def delete(id: ScheduleIdArgument) -> None:
    """Delete the schedule. A running release goes on."""
    await (await connect()).schedules.delete(id)


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
