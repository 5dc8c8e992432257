"""What came of a start, for ``start`` and ``rollback``."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from workflows.cli.app import (
    ExitStatus,
    get_exit_status,
    make_stderr_console,
    make_stdout_console,
)
from workflows.cli.notes import print_notes
from workflows.cli.render import render_ending
from workflows.cli.watch import watch_release
from workflows.client import Handle, ReleaseClient
from workflows.client.runs import RunOutcome
from workflows.client.start_outcome import StartOutcome, StartState
from workflows.request import ReleaseRequest, RollbackRequest

IdOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        help="The workflow's id, such as a CI job's: refused while one of that id runs.",
        show_default=False,
    ),
]
WaitOption = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait",
        help="Wait for the end, silently, and exit with its status; or for nothing at all.",
        show_default=False,
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Wait for the end, and show what happens.")
]

_VERBS: Final = {StartState.QUEUED: "Queued", StartState.PREPARING: "Started"}


async def report_start(
    releases: ReleaseClient,
    handle: Handle,
    request: ReleaseRequest | RollbackRequest,
    *,
    wait: bool | None,
    watch: bool,
) -> ExitStatus | None:
    """Print what came of a start, after preflight; after its end where that is requested.

    With ``wait`` false only that it was started: nothing else is known then.
    """
    if watch or wait is not None:
        _print(f"Started {handle.id}: {request.summary}")
        print_notes(await releases.check_start(handle))
        if watch or wait:
            return await watch_release(releases, handle.id, quiet=not watch)
        _print(f"Watch it:  releases watch {handle.id}")
        return None
    return print_outcome(await wait_for_preflight(releases, handle), request)


async def wait_for_preflight(releases: ReleaseClient, handle: Handle) -> StartOutcome:
    """Wait until preflight is over; name what goes on if the command is interrupted."""
    try:
        return await releases.read_start(handle)
    except asyncio.CancelledError:
        print_notes([f"it goes on as {handle.id}: releases watch {handle.id}"])
        raise


def print_outcome(outcome: StartOutcome, request: ReleaseRequest | RollbackRequest) -> ExitStatus:
    """Print what came of a start, its ids, and the command to type next."""
    status, ending = outcome.status, outcome.ending
    if ending and ending.outcome is RunOutcome.REJECTED:
        _print(f"Rejected {outcome.id}: {request.summary}")
        make_stdout_console().print(render_ending(ending), soft_wrap=True)
        _print(f"Show it again:  releases status {outcome.id}")
        return get_exit_status(ending)
    _print(f"{_VERBS.get(outcome.state, 'Started')} {outcome.id}: {request.summary}")
    if outcome.rollout:
        _print(f"Rollout {outcome.rollout}")
    if ending:
        make_stdout_console().print(render_ending(ending), soft_wrap=True)
        return get_exit_status(ending)
    if outcome.state is StartState.QUEUED:
        make_stderr_console().print(f"releases: {status.note}", soft_wrap=True)
        print_notes((*outcome.problems, "it waits until a worker takes it"))
    elif outcome.state is StartState.PREPARING:
        _print(f"Still in preflight: {status.note}")
    else:
        print_notes(status.notes)
    _print(f"Watch it:  releases watch {outcome.id}")
    return ExitStatus.NO_ANSWER if outcome.state is StartState.QUEUED else ExitStatus.SUCCEEDED


def _print(line: str) -> None:
    make_stdout_console().print(line, soft_wrap=True)
