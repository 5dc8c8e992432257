"""``watch``: a release as it goes, live on a terminal and as plain lines elsewhere, to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from workflows.cli.app import Exit, Target, connect, err, exit_of, out
from workflows.cli.render import (
    ending_line,
    measured_line,
    moment_line,
    phase_words,
    retry_line,
    sight_page,
    trouble_words,
)
from workflows.client import ReleaseClient
from workflows.client.timeline import TimelineEntry
from workflows.client.watch import WatchUpdate


async def watch(target: Target) -> Exit:
    """Follow a release to its end: what happens, what is being retried, how long it takes. Exits with the release's status.

    $ releases watch checkout:live

    Watching can be stopped (Ctrl-C) and begun again at any time: the release does not notice, and nothing is added to its history.
    Restarts of Temporal and of the worker are waited for.
    """
    return await follow(await connect(), target)


async def follow(releases: ReleaseClient, target: str, *, quiet: bool = False) -> Exit:
    """Show a release until it has ended, and return what its end is worth; ``quiet``: show only that, and who does not answer meanwhile."""
    console = out()
    last = WatchUpdate()
    lines = Trouble(err()) if quiet else Lines(console)
    with (
        Page(console)
        if console.is_terminal and not quiet
        else contextlib.nullcontext(lines) as display
    ):
        async for last in releases.watch(target):
            display.show(last)
    if last.ending is None:
        return Exit.NO_ANSWER
    console.print(ending_line(last.ending), soft_wrap=True)
    return exit_of(last.ending)


class Trouble:
    """Nothing but who does not answer, so that nobody waits in vain without knowing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._trouble = ""

    def show(self, sight: WatchUpdate) -> None:
        """Add what is new."""
        if (trouble := trouble_words(sight)) != self._trouble:
            self._trouble = trouble
            self._print(Text(f"         {trouble or 'it answers again'}"))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


class Lines(Trouble):
    """One line after the other, for logs: each thing once, however often it is tried again."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._said: set[str] = set()
        self._note = self._measured = ""

    def show(self, sight: WatchUpdate) -> None:
        """Add what is new."""
        for moment in worth_telling(sight.news):
            self._print(moment_line(moment))
        if sight.status and not sight.ending and sight.status.note != self._note:
            self._note = sight.status.note
            self._print(Text(f"         {phase_words(sight.status)}: {self._note}"))
        measured = measured_line(sight.status) if sight.status else None
        if measured is not None and measured.plain != self._measured:
            self._measured = measured.plain
            self._print(measured)
        for retry in sight.retries:
            if not retry.waits and (about := f"{retry.what}: {retry.failure}") not in self._said:
                self._said.add(about)
                self._print(retry_line(retry))
        super().show(sight)


class Page:
    """The story as it grows, and under it how things stand right now, redrawn twice a second. Leaves the story behind."""

    def __init__(self, console: Console) -> None:
        self._sight = WatchUpdate()
        self._live = Live(
            console=console, get_renderable=self._draw, refresh_per_second=2, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, sight: WatchUpdate) -> None:
        """Tell what is new, and how it stands."""
        self._sight = sight
        for moment in worth_telling(sight.news):
            self._live.console.print(moment_line(moment))

    def _draw(self) -> Group:
        return sight_page(self._sight, now=datetime.now(UTC))


def worth_telling(news: Sequence[TimelineEntry]) -> Iterator[TimelineEntry]:
    """The news without the beginnings of what is over already, and without looks at CloudWatch: what they told is shown instead."""
    for index, moment in enumerate(news):
        over = (later for later in news[index + 1 :] if later.sign in {"done", "failed"})
        if moment.sign != "measured" and (
            moment.sign != "begun" or not any(later.text.startswith(moment.text) for later in over)
        ):
            yield moment
