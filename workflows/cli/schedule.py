"""``schedule``: releases at set times."""

from __future__ import annotations

import json as json_module
from typing import Annotated, Any

import typer

from workflows.cli.app import Json, Reason, command, connect, myself, out
from workflows.cli.flags import Flags, takes_flags
from workflows.cli.release_file import checked
from workflows.cli.render import schedules_table
from workflows.cli.start import TargetOrFile, to_request, uploaded
from workflows.client.errors import BadRequest
from workflows.client.schedules import Times

_WHEN = "When"

app = typer.Typer(
    name="schedule",
    help="Releases at set times: Temporal Schedules that start a release. Pauses itself when a release fails, with the reason as its note.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

ScheduleId = Annotated[
    str, typer.Argument(metavar="ID", help="The schedule's id.", show_default=False)
]


def _when(*names: str, help: str, metavar: str) -> Any:
    return typer.Option(
        *names, rich_help_panel=_WHEN, help=help, metavar=metavar, show_default=False
    )


@takes_flags
async def create(  # noqa: PLR0913 - as many as it has flags
    id: ScheduleId,
    target: TargetOrFile = None,
    *,
    cron: Annotated[
        list[str] | None,
        _when("--cron", metavar="CRON", help='Such as "30 9 * * MON-FRI". Repeat it.'),
    ] = None,
    calendar: Annotated[
        list[str] | None,
        _when(
            "--calendar",
            metavar="JSON",
            help='Such as \'{"dayOfWeek": "Mon-Fri", "hour": "9", "minute": "30"}\'. Repeat it.',
        ),
    ] = None,
    at: Annotated[
        str | None,
        _when(
            "--at",
            metavar="TIME",
            help="Once, such as 2026-12-01T17:00, or with an offset: …T17:00+01:00.",
        ),
    ] = None,
    time_zone: Annotated[
        str,
        _when(
            "--time-zone",
            metavar="ZONE",
            help="What the times are in, such as Europe/Berlin. Default: UTC.",
        ),
    ] = "UTC",
    jitter: Annotated[
        str | None,
        _when("--jitter", metavar="SPAN", help="Start at random up to so much later, such as 5m."),
    ] = None,
    catch_up: Annotated[
        str,
        _when(
            "--catch-up",
            metavar="SPAN",
            help="What Temporal missed while it was down is done up to so much later. Default: 10m.",
        ),
    ] = "10m",
    note: Annotated[
        str, _when("--note", metavar="TEXT", help="What the schedule is for. Default: the reason.")
    ] = "",
    flags: Flags,
) -> None:
    """Start a release at set times; takes the flags of start. The artifact is resolved each time: --latest is what is latest then.

    $ releases schedule create nightly checkout:beta --latest --cron "30 2 * * *" --time-zone Europe/Berlin
    $ releases schedule create launch checkout --s3 s3://artifacts/42.zip --at 2026-12-01T17:00 --time-zone Europe/Berlin

    A release that is still under way when the next is due is not overtaken: the next is skipped.
    """
    times = checked(
        {
            "cron": cron or [],
            "calendars": [_json(text) for text in calendar or []],
            "at": at,
            "time_zone": time_zone,
            "jitter": jitter,
            "catch_up": catch_up,
        },
        Times,
    )
    request = to_request(flags, target)
    releases = await connect()
    request = await uploaded(flags, request)
    await releases.schedules.create(id, request, times, task_queue=flags.task_queue, note=note)
    out().print(f"Created schedule {id}: {request.words}", soft_wrap=True)


async def list_(*, json: Json = False) -> None:
    """Show every schedule that starts releases: its next times, how the last release ended, and why it is paused if it is."""
    schedules = await (await connect()).schedules.list()
    if json:
        typer.echo(
            json_module.dumps(
                [schedule.model_dump(mode="json") for schedule in schedules], indent=2
            )
        )
    elif schedules:
        out().print(schedules_table(schedules))
    else:
        out().print("There are no schedules of releases.")


async def pause(id: ScheduleId, reason: Reason = "") -> None:
    """Start nothing until it is resumed. A release that is under way goes on."""
    await (await connect()).schedules.pause(id, reason=reason or f"paused by {myself()}")


async def resume(id: ScheduleId, reason: Reason = "") -> None:
    """Start releases again, from the next time on."""
    await (await connect()).schedules.resume(id, reason=reason or f"resumed by {myself()}")


async def trigger(id: ScheduleId) -> None:
    """Start the release now, even if the schedule is paused. A failure of this one does not pause it."""
    await (await connect()).schedules.trigger(id)


async def delete(id: ScheduleId) -> None:
    """Forget the schedule. What it has started goes on."""
    await (await connect()).schedules.delete(id)


def _json(text: str) -> object:
    try:
        return json_module.loads(text)
    except ValueError as error:
        raise BadRequest([f"--calendar: not JSON: {error}"]) from None


app.command()(command(create))
app.command()(command(pause))
app.command()(command(resume))
app.command()(command(trigger))
app.command()(command(delete))
app.command("list")(command(list_))
