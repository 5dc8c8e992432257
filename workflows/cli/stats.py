"""``stats``: how often is released, how fast, how often it fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from pydantic import TypeAdapter, ValidationError

from workflows.cli.app import ExitStatus, connect, make_stdout_console
from workflows.cli.output import JsonOption, print_json
from workflows.cli.tables import make_stats_table
from workflows.client.errors import BadRequest
from workflows.client.stats import ReleaseStats, read_stats
from workflows.domain.input_words import describe_error
from workflows.domain.inputs import Duration

_DURATIONS: Final = TypeAdapter[timedelta](Duration)


async def stats(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="FUNCTION[:ALIAS] or an ARN. Default: all, and each of them.",
            show_default=False,
        ),
    ] = None,
    *,
    since: Annotated[
        str,
        typer.Option("--since", metavar="DURATION", help="How far to look back: 12h, 30d, P90D."),
    ] = "30d",
    json: JsonOption = False,
) -> ExitStatus:
    """Show DORA's four keys: deployments a day, lead time, failures, time to restore.

    $ releases stats --since 30d
    $ releases stats checkout:live --since 90d -o json | jq '.[0].change_failure_rate'

    A deployment gave a new version traffic. Its lead time is from the request to all traffic. It
    failed if it was rolled back, then or later; the time to restore is from its first traffic to
    the alias being back. Read from the histories that Temporal still has: a namespace keeps them
    for its retention period. No worker is needed.
    """
    begin = datetime.now(UTC) - _parse_period(since)
    found = await read_stats((await connect()).temporal, since=begin, target=target)
    if json:
        print_json(found, list[ReleaseStats])
    else:
        make_stdout_console().print(make_stats_table(found))
    return ExitStatus.SUCCEEDED


def _parse_period(text: str) -> timedelta:
    try:
        return _DURATIONS.validate_python(text)
    except ValidationError as error:
        problems = [f"--since: {describe_error(each)}" for each in error.errors()]
        raise BadRequest(problems) from None
