"""``status`` and ``history``: how releases stand, and how they went."""

from __future__ import annotations

import contextlib
import json as json_module
from datetime import UTC, datetime
from typing import Annotated

import typer

from workflows.cli.app import Exit, Json, Target, connect, err, out
from workflows.cli.render import ending_line, history_table, running_table, status_page
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
    json: Json = False,
) -> Exit:
    """Show how a release stands, or how the last one ended; without a target, every release that is under way.

    $ releases status
    $ releases status checkout:live --json | jq -r .phase

    Without a worker it shows what Temporal lists (which may be older than the last step), and exits with 3.
    """
    releases = await connect()
    return await _one(releases, target, json=json) if target else await _all(releases, json=json)


async def _one(releases: ReleaseClient, target: str, *, json: bool) -> Exit:
    answered = Exit.SUCCEEDED
    try:
        standing = await releases.status(target)
    except NoWorker as problem:
        err().print(f"releases: {problem}", soft_wrap=True)
        standing, answered = (await releases.describe(target)).status, Exit.NO_ANSWER
    if json:
        typer.echo(standing.model_dump_json(indent=2))
        return answered
    described: Run | None = None
    with contextlib.suppress(NoSuchRelease):  # rejected before there was a rollout
        described = await releases.describe(target)
    console = out()
    console.print(
        status_page(standing, described.strategy if described else None, now=datetime.now(UTC))
    )
    if described and described.ending and described.ending.note not in standing.note:
        console.print("  ", ending_line(described.ending), sep="", soft_wrap=True)
    return answered


async def _all(releases: ReleaseClient, *, json: bool) -> Exit:
    runs = await releases.running()
    if json:
        typer.echo(json_module.dumps([run.model_dump(mode="json") for run in runs], indent=2))
    elif runs:
        out().print(running_table(runs, now=datetime.now(UTC)))
    else:
        out().print("Nothing is being released.")
    return Exit.SUCCEEDED


async def history(
    target: Target,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many, the newest.")
    ] = 20,
    json: Json = False,
) -> None:
    """Show the last releases and rollbacks of an alias: when, by whom, what, and how each ended.

    They last as long as the namespace's retention. Releases that were refused because another one ran are not among them.
    """
    runs = await (await connect()).history(target, limit=limit)
    if json:
        typer.echo(json_module.dumps([run.model_dump(mode="json") for run in runs], indent=2))
    else:
        out().print(history_table(runs, now=datetime.now(UTC)))
