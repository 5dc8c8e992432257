"""What a person should know beside the result of a command; on stderr, for scripts' sake."""

from __future__ import annotations

from collections.abc import Iterable

from workflows.cli.app import make_stderr_console
from workflows.cli.render import render_notes
from workflows.client import ReleaseClient
from workflows.client.errors import ReleaseClientError


def print_notes(notes: Iterable[str]) -> None:
    """Print notes, one line each."""
    console = make_stderr_console()
    for line in render_notes(tuple(notes)):
        console.print(line, soft_wrap=True)


async def print_pending(releases: ReleaseClient, target: str, *, shown_id: str) -> None:
    """Name the releases of a target that have not begun, but for the one that is shown."""
    try:
        pending = [run for run in await releases.pending(target) if run.id != shown_id]
    except ReleaseClientError:
        return
    print_notes(
        f"{run.id} is another release of it: {run.status.note} (releases abort {run.id} ends it)"
        for run in pending
    )
