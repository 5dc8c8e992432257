"""What came of a start, for ``start`` and ``rollback``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

import typer

from workflows.cli.app import (
    ExitStatus,
    get_exit_status,
    make_stderr_console,
    make_stdout_console,
)
from workflows.cli.notes import print_notes
from workflows.cli.output import print_json
from workflows.cli.render import render_ending
from workflows.cli.watch import watch_release
from workflows.client import Handle, ReleaseClient
from workflows.client.runs import RunEnding, RunOutcome
from workflows.client.start_outcome import LONGEST_PREFLIGHT, StartOutcome, StartState
from workflows.domain.alias_history import describe_way_back
from workflows.domain.rejection import WHOLE_INPUT
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

_SEVERAL: Final = 2


@dataclass(frozen=True)
class FollowOptions:
    """How far a start is followed, and how that is printed.

    ``wait`` is false where nothing is waited for, and None up to the end of preflight.
    """

    wait: bool | None
    watch: bool
    json: bool

    @property
    def is_to_end(self) -> bool:
        """Whether the release is followed to its end."""
        return bool(self.wait) or self.watch


async def report_start(
    releases: ReleaseClient,
    handle: Handle,
    request: ReleaseRequest | RollbackRequest,
    follow: FollowOptions,
) -> ExitStatus | None:
    """Print what came of a start, after preflight; after its end where that is requested.

    Without waiting, only that it was started: nothing else is known then.
    """
    if follow.json:
        return await _print_json_outcome(releases, handle, follow)
    if follow.wait is None and not follow.watch:
        outcome = await _wait_for_preflight(releases, handle, LONGEST_PREFLIGHT)
        return await _print_outcome(releases, outcome, request)
    if follow.is_to_end and isinstance(request, RollbackRequest):
        outcome = await _wait_for_preflight(releases, handle, LONGEST_PREFLIGHT)
        if outcome.state is StartState.ENDED:
            return await _print_outcome(releases, outcome, request)
        _print_way_back(outcome, request)
    _print(f"Started {handle.id}: {request.summary}")
    print_notes(await releases.check_start(handle))
    if follow.is_to_end:
        return await watch_release(releases, handle.id, quiet=not follow.watch)
    _print(f"Watch it:  releases watch {handle.id}")
    return None


async def _wait_for_preflight(
    releases: ReleaseClient, handle: Handle, longest: timedelta
) -> StartOutcome:
    """Wait until preflight is over; name what goes on if the command is interrupted."""
    try:
        return await releases.read_start(handle, longest=longest)
    except asyncio.CancelledError:
        print_notes([f"it goes on as {handle.id}: releases watch {handle.id}"])
        raise


async def _print_json_outcome(
    releases: ReleaseClient, handle: Handle, follow: FollowOptions
) -> ExitStatus:
    longest = timedelta() if follow.wait is False else LONGEST_PREFLIGHT
    if follow.is_to_end:
        async for _ in releases.watch(handle.id):
            pass
    outcome = await _wait_for_preflight(releases, handle, longest)
    print_json(outcome)
    return _get_exit_status(outcome)


async def _print_outcome(
    releases: ReleaseClient, outcome: StartOutcome, request: ReleaseRequest | RollbackRequest
) -> ExitStatus:
    """Print what came of a start, its ids, and the command to type next."""
    ending = outcome.ending
    _print_way_back(outcome, request)
    _print(f"{_get_verb(outcome)} {outcome.id}: {request.summary}")
    if outcome.rollout and not (ending and ending.outcome is RunOutcome.REJECTED):
        _print(f"Rollout {outcome.rollout}")
    match outcome.state:
        case StartState.ENDED if ending:
            _print_ending(ending)
            if ending.outcome is RunOutcome.REJECTED:
                holder = await releases.find_holder(request.target)
                if holder is not None:
                    _print(f"What runs:  releases status {holder.id}")
                _print(f"Show it again:  releases status {outcome.id}")
            return get_exit_status(ending)
        case StartState.QUEUED:
            make_stderr_console().print(f"releases: {outcome.status.note}", soft_wrap=True)
            print_notes((*outcome.problems, "it waits until a worker takes it"))
        case StartState.PREPARING:
            _print(f"Still in preflight: {outcome.status.note}")
        case _:
            print_notes(outcome.status.notes)
    _print(f"Watch it:  releases watch {outcome.id}")
    return _get_exit_status(outcome)


def _print_way_back(outcome: StartOutcome, request: ReleaseRequest | RollbackRequest) -> None:
    """Name the version that a rollback goes to, once that is known."""
    status = outcome.status
    if not isinstance(request, RollbackRequest) or not status.candidate:
        return
    is_named = request.version is not None
    way = describe_way_back(status.candidate, status.stable, is_named=is_named)
    _print(f"Rollback of {request.target} to {way}")


def _print_ending(ending: RunEnding) -> None:
    """Print how it ended; every reason of a rejection on a line of its own."""
    problems = ending.status.problems if ending.status else ()
    if len(problems) < _SEVERAL:
        make_stdout_console().print(render_ending(ending), soft_wrap=True)
        return
    _print("✗ rejected, nothing was touched:")
    for problem in problems:
        field = "" if problem.field == WHOLE_INPUT else f"{problem.field}: "
        _print(f"  ✗ {field}{problem.problem}")


def _get_verb(outcome: StartOutcome) -> str:
    if outcome.ending and outcome.ending.outcome is RunOutcome.REJECTED:
        return "Rejected"
    return "Queued" if outcome.state is StartState.QUEUED else "Started"


def _get_exit_status(outcome: StartOutcome) -> ExitStatus:
    if outcome.ending:
        return get_exit_status(outcome.ending)
    return ExitStatus.NO_ANSWER if outcome.state is StartState.QUEUED else ExitStatus.SUCCEEDED


def _print(line: str) -> None:
    make_stdout_console().print(line, soft_wrap=True)
