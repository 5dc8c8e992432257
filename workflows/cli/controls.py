"""The controls of a running release.

A refusal is one sentence on stderr, and exit status 1.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from workflows.cli.app import (
    ByOption,
    ReasonOption,
    TargetArgument,
    connect,
    get_user_name,
    make_stdout_console,
)
from workflows.cli.notes import print_pending
from workflows.cli.output import JsonOption, print_json
from workflows.cli.status_page import render_status
from workflows.control_requests import Choice
from workflows.domain.status import Phase, ReleaseStatus


async def approve(
    target: TargetArgument,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            "--note",
            metavar="TEXT",
            help="Why: kept in the history.",
            show_default=False,
        ),
    ] = "",
    by: ByOption = "",
    *,
    json: JsonOption = False,
) -> None:
    """Let a release that waits for approval continue.

    $ releases approve checkout:live --reason "looks good"
    """
    who = by or get_user_name()
    _print_status(await (await connect()).approve(target, by=who, note=reason), json=json)


async def pause(
    target: TargetArgument,
    reason: ReasonOption = "",
    by: ByOption = "",
    *,
    json: JsonOption = False,
) -> None:
    """Hold a release at its current weight.

    Its guards stay active, and a bake keeps the time it has left.

    $ releases pause checkout:live --reason "p99 is up"
    """
    who = by or get_user_name()
    _print_status(await (await connect()).pause(target, by=who, reason=reason), json=json)


async def resume(
    target: TargetArgument,
    reason: ReasonOption = "",
    by: ByOption = "",
    *,
    json: JsonOption = False,
) -> None:
    """Let a paused release continue.

    $ releases resume checkout:live --reason "it was the database"
    """
    who = by or get_user_name()
    _print_status(await (await connect()).resume(target, by=who, reason=reason), json=json)


async def promote(
    target: TargetArgument,
    reason: ReasonOption = "",
    by: ByOption = "",
    *,
    json: JsonOption = False,
) -> None:
    """Skip the remaining steps: all traffic to the candidate.

    Hooks are still invoked.
    """
    who = by or get_user_name()
    _print_status(await (await connect()).promote(target, by=who, reason=reason), json=json)


async def abort(
    target: TargetArgument,
    reason: ReasonOption = "",
    by: ByOption = "",
    *,
    json: JsonOption = False,
) -> None:
    """Stop a release and roll it back; end one that waits for a worker before it begins.

    Returns before that is done: releases watch shows it.

    $ releases abort checkout:live --reason "wrong build"
    """
    releases = await connect()
    status = await releases.abort(target, by=by or get_user_name(), reason=reason)
    _print_status(status, json=json)
    if status.phase is not Phase.REJECTED:
        await print_pending(releases, target, shown_id="")


async def give_up(
    target: TargetArgument,
    reason: ReasonOption = "",
    by: ByOption = "",
    *,
    json: JsonOption = False,
) -> None:
    """End an undo that cannot succeed; the alias stays where it is.

    An undo is retried without end while AWS refuses it. Refused while no undo is failing.

    $ releases give-up checkout:live --reason "the account is closed"
    """
    who = by or get_user_name()
    _print_status(await (await connect()).give_up(target, by=who, reason=reason), json=json)


async def resolve(
    target: TargetArgument,
    choice: Annotated[Choice, typer.Argument(help="What happens with that routing.")],
    reason: ReasonOption = "",
    by: ByOption = "",
    *,
    json: JsonOption = False,
) -> None:
    """Choose about routing that another writer has set on the alias.

    For a release with guards.on_foreign: ask, which waits an hour for it. adopt makes that routing
    the stable one, overwrite restores the release's own, leave ends the release there.

    $ releases resolve checkout:live overwrite
    """
    releases = await connect()
    who = by or get_user_name()
    _print_status(await releases.resolve(target, choice, by=who, reason=reason), json=json)


def _print_status(status: ReleaseStatus, *, json: bool) -> None:
    if json:
        print_json(status)
    else:
        make_stdout_console().print(render_status(status, None, now=datetime.now(UTC)))
