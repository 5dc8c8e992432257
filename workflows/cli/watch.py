"""``watch``: shows a release until its end, live or as plain lines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from workflows.cli.app import (
    ExitStatus,
    TargetArgument,
    connect,
    get_exit_status,
    make_stderr_console,
    make_stdout_console,
)
from workflows.cli.output import JsonOption, print_json
from workflows.cli.render import (
    INDENT,
    describe_outage,
    format_phase,
    render_ending,
    render_entry,
    render_measurements,
    render_retry,
)
from workflows.cli.status_page import render_next_commands
from workflows.cli.watch_page import render_update
from workflows.client import ReleaseClient
from workflows.client.timeline import TimelineEntry
from workflows.client.watch import WatchUpdate
from workflows.domain.status import Phase


async def watch(target: TargetArgument, *, json: JsonOption = False) -> ExitStatus:
    """Watch a release until its end: what happens, what is retried, the time left.

    Exits with the release's status.

    $ releases watch checkout:live

    A watch can be stopped (Ctrl-C) and started again at any time: it does not affect the release
    and adds nothing to its history. It continues over restarts of Temporal and of the worker.
    -o json prints a line for each change.
    """
    releases = await connect()
    if json:
        return await _print_updates(releases, target)
    return await watch_release(releases, target)


async def watch_release(releases: ReleaseClient, target: str, *, quiet: bool = False) -> ExitStatus:
    """Show a release until its end, and return the exit status for it.

    ``quiet`` shows only the end, and what does not answer meanwhile.
    """
    console = make_stdout_console()
    update = WatchUpdate()
    printer = OutagePrinter(make_stderr_console()) if quiet else LinePrinter(console)
    with (
        LiveDisplay(console)
        if console.is_terminal and not quiet
        else contextlib.nullcontext(printer) as display
    ):
        async for update in releases.watch(target):
            display.show(update)
    if update.ending is None:
        return ExitStatus.NO_ANSWER
    console.print(render_ending(update.ending), soft_wrap=True)
    return get_exit_status(update.ending)


async def _print_updates(releases: ReleaseClient, target: str) -> ExitStatus:
    """Print each update of a watch as a line of JSON, until the release ends."""
    update = WatchUpdate()
    async for update in releases.watch(target):
        print_json(update, indent=None)
    return get_exit_status(update.ending) if update.ending else ExitStatus.NO_ANSWER


_ENDS: Final = {"done", "absent", "failed"}
"""The kinds of entries that end what was started."""


class OutagePrinter:
    """Prints only what does not answer, so that no caller waits without knowing why."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._outage = ""

    def show(self, update: WatchUpdate) -> None:
        """Print an outage that begins or ends."""
        if (outage := describe_outage(update)) != self._outage:
            self._outage = outage
            text = f"{INDENT}{outage or 'it answers again'}"
            self._console.print(Text(text), soft_wrap=True)


class LinePrinter:
    """Prints one line after the other, for logs; a retry once, whatever its attempt."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._outages = OutagePrinter(console)
        self._retries: set[str] = set()
        self._note = self._measurements = ""

    def show(self, update: WatchUpdate) -> None:
        """Print what is new."""
        for entry in select_entries(update.entries):
            self._print(render_entry(entry))
        is_waiting = update.status and update.status.phase is Phase.WAITING_FOR_WORKER
        if (
            update.status
            and not (update.ending or is_waiting)
            and (update.status.note != self._note)
        ):
            self._note = update.status.note
            self._print(Text(f"{INDENT}{format_phase(update.status)}: {self._note}"))
            for line in render_next_commands(update.status, INDENT):
                self._print(line)
        measurements = render_measurements(update.status) if update.status else None
        if measurements is not None and measurements.plain != self._measurements:
            self._measurements = measurements.plain
            self._print(measurements)
        for retry in update.retries:
            key = f"{retry.summary}: {retry.failure}"
            if not retry.is_waiting and key not in self._retries:
                self._retries.add(key)
                self._print(render_retry(retry))
        self._outages.show(update)

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


class LiveDisplay:
    """Prints the timeline, and redraws the current state below it.

    Redrawn twice a second. Only the timeline stays on the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._update = WatchUpdate()
        self._console = console
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=2, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, update: WatchUpdate) -> None:
        """Print what is new, and redraw the current state."""
        self._update = update
        for entry in select_entries(update.entries):
            self._console.print(render_entry(entry))

    def _render(self) -> Group:
        width, height = self._console.size
        return render_update(self._update, now=datetime.now(UTC), width=width, height=height)


def select_entries(entries: Sequence[TimelineEntry]) -> Iterator[TimelineEntry]:
    """Select the entries to print.

    Left out are starts of what has ended since, and reads of metrics. The result of a measurement
    is printed instead, with the status.
    """
    for index, entry in enumerate(entries):
        ends = (later for later in entries[index + 1 :] if later.kind in _ENDS)
        if entry.kind != "measurement" and (
            entry.kind != "start" or not any(later.text.startswith(entry.text) for later in ends)
        ):
            yield entry
