"""The five controls: what a person may say to a release that is under way. A refusal is printed as its sentence; exit status 1."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from workflows.cli.app import By, Reason, Target, connect, myself, out
from workflows.cli.render import status_page
from workflows.domain.status import ReleaseStatus


async def approve(
    target: Target,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Kept in the history.", show_default=False)
    ] = "",
    by: By = "",
) -> None:
    """Let a release that waits for approval go on.

    $ releases approve checkout:live --note "looks good"
    """
    _show(await (await connect()).approve(target, by=by or myself(), note=note))


async def pause(target: Target, reason: Reason = "", by: By = "") -> None:
    """Hold a release at its current weight; its alarms go on watching, and a bake has as long left as it had.

    $ releases pause checkout:live --reason "p99 is up"
    """
    _show(await (await connect()).pause(target, by=by or myself(), reason=reason))


async def resume(target: Target, by: By = "") -> None:
    """Let a paused release go on."""
    _show(await (await connect()).resume(target, by=by or myself()))


async def promote(target: Target, reason: Reason = "", by: By = "") -> None:
    """Skip the steps that are left: all traffic to the candidate. Hooks are still asked."""
    _show(await (await connect()).promote(target, by=by or myself(), reason=reason))


async def abort(target: Target, reason: Reason = "", by: By = "") -> None:
    """Stop a release and put the alias back. Returns before that is done: releases watch shows it.

    $ releases abort checkout:live --reason "wrong build"
    """
    _show(await (await connect()).abort(target, by=by or myself(), reason=reason))


def _show(status: ReleaseStatus) -> None:
    """How the release stands now that it was said."""
    out().print(status_page(status, None, now=datetime.now(UTC)))
