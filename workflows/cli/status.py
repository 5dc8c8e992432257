"""``status`` and ``history``: the state of releases, and how past ones ended."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Annotated

import typer

from workflows.cli.app import (
    ExitStatus,
    TargetArgument,
    connect,
    make_stderr_console,
    make_stdout_console,
)
from workflows.cli.notes import print_pending
from workflows.cli.output import JsonOption, print_json
from workflows.cli.render import render_ending, render_origin
from workflows.cli.shown_release import ShownRelease
from workflows.cli.status_page import render_status
from workflows.cli.tables import make_history_table, make_running_table
from workflows.client import ReleaseClient
from workflows.client.errors import NoSuchRelease, NoWorker
from workflows.client.runs import Run


async def status(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="FUNCTION[:ALIAS], an ARN, or the id of a release.",
            show_default=False,
        ),
    ] = None,
    *,
    json: JsonOption = False,
) -> ExitStatus:
    """Show the status of a release; without a target, all that are running.

    Of an ended release it shows the outcome.

    $ releases status
    $ releases status checkout:live -o json | jq -r .phase

    Without a worker it shows what Temporal lists (which may be older than the last step), and
    exits with 3.
    """
    releases = await connect()
    if target:
        return await _print_release(releases, target, json=json)
    return await _print_running(releases, json=json)


async def history(
    target: TargetArgument,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many, the newest.")
    ] = 20,
    json: JsonOption = False,
) -> None:
    """Show the last releases and rollbacks of an alias, with their outcomes.

    They are kept for the namespace's retention period. Attempts that were rejected are among them.
    """
    runs = await (await connect()).history(target, limit=limit)
    if json:
        print_json(runs, list[Run])
    else:
        make_stdout_console().print(make_history_table(runs, now=datetime.now(UTC)))


async def _print_release(releases: ReleaseClient, target: str, *, json: bool) -> ExitStatus:
    exit_status = ExitStatus.SUCCEEDED
    try:
        status = await releases.status(target)
    except NoWorker as problem:
        make_stderr_console().print(f"releases: {problem}", soft_wrap=True)
        status = (await releases.describe(target)).status
        exit_status = ExitStatus.NO_ANSWER
    run: Run | None = None
    with contextlib.suppress(NoSuchRelease):  # it was rejected before it had a rollout
        run = await releases.describe(target)
    await print_pending(releases, target, shown_id=run.id if run else "")
    if json:
        print_json(ShownRelease.of(status, run))
        return exit_status
    console = make_stdout_console()
    console.print(render_status(status, run.strategy if run else None, now=datetime.now(UTC)))
    if run:
        console.print(render_origin(run))
    if run and run.ending and run.ending.note not in status.note:
        console.print("  ", render_ending(run.ending), sep="", soft_wrap=True)
    return exit_status


async def _print_running(releases: ReleaseClient, *, json: bool) -> ExitStatus:
    runs = await releases.running()
    if json:
        print_json(runs, list[Run])
    elif runs:
        make_stdout_console().print(make_running_table(runs, now=datetime.now(UTC)))
    else:
        make_stdout_console().print("Nothing is being released.")
    return ExitStatus.SUCCEEDED
