"""Consoles that break no word, and print one line for each row where nobody looks.

On a terminal, text is wrapped between words, and goes on below where it began. In a pipe or a file
nothing is wrapped or padded, and the cells of a row are separated by tabs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.segment import Segment
from rich.text import Text

from workflows.cli.styles import DIM

_GAP: Final = 2
_MARGIN: Final = Text(" " * _GAP)
_BULLETS: Final = re.compile(r"\s*(?:[^\w\s] |\d+\. )?")
"""What text that goes on in another line is indented by: the indent, and a bullet or number."""


class Listing:
    """Rows of cells under headings.

    On a terminal that is too narrow for it, the widest cells follow on lines of their own.
    """

    def __init__(self, *headings: str) -> None:
        self._headings = headings
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Add a row: one cell for each heading."""
        self._rows.append(tuple(_to_line(cell) for cell in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines: rich's protocol."""
        if console.is_terminal:
            yield from self._align_rows(options.max_width)
            return
        for row in (self._headings, *self._rows):
            line = "\t".join(re.sub(r"\s", " ", str(cell)) for cell in row)
            yield Segment(f"{line}\n")  # rich would replace the tabs of a text

    def _align_rows(self, width: int) -> Iterator[Text]:
        columns = range(len(self._headings))
        sizes = [
            max(cell_len(self._headings[column]), *(row[column].cell_len for row in self._rows), 0)
            for column in columns
        ]
        beside = list(columns)
        while len(beside) > 1 and sum(sizes[column] + _GAP for column in beside) - _GAP > width:
            beside.remove(max(beside[1:], key=sizes.__getitem__))
        below = [column for column in columns if column not in beside]
        headings = [Text(heading, style=DIM) for heading in self._headings]
        yield _align_cells([headings[column] for column in beside], [sizes[c] for c in beside])
        for row in self._rows:
            yield _align_cells([row[column] for column in beside], [sizes[c] for c in beside])
            named = [
                Text.assemble((f"{self._headings[column].lower()}: ", DIM), row[column])
                for column in below
                if row[column].plain.strip("–")
            ]
            together = Text.assemble(_MARGIN, Text("  ").join(named))
            is_short = together.cell_len <= width
            for line in [together] if is_short else (_MARGIN + one for one in named):
                yield from wrap_text(line, width)


class PageConsole(Console):
    """Prints text and listings, for people or for pipes."""

    def print(self, *args: Any, **options: Any) -> None:
        """Print text, groups of it and listings; anything else as rich does."""
        match args:
            case (Group() as group,):
                for part in group.renderables:
                    self.print(part)
            case (Listing() as listing,):
                super().print(listing, soft_wrap=True)
            case _ if args and all(isinstance(part, str | Text) for part in args):
                text = Text(options.get("sep", " ")).join(map(Text.assemble, args))
                for line in wrap_text(text, self.width) if self.is_terminal else [text]:
                    super().print(line, soft_wrap=True)
            case _:
                super().print(*args, **options)


def wrap_text(text: Text, width: int) -> Iterator[Text]:
    """Break text into lines between words; a word that is wider than a line sticks out.

    What follows is indented as the text is, and by its bullet or number.
    """
    for line in text.split(allow_blank=True):
        bullet = _BULLETS.match(line.plain)
        indent = min(bullet.end() if bullet else 0, width // 2)
        pieces = line.divide(_find_breaks(line.plain, indent, width))
        for number, piece in enumerate(pieces):
            piece.rstrip()
            yield Text.assemble(" " * indent, piece) if number else piece


def _find_breaks(line: str, indent: int, width: int) -> list[int]:
    breaks: list[int] = []
    start, room = 0, width
    for word in re.finditer(r"\S+", line):
        is_first = not line[start : word.start()].strip()
        if not is_first and cell_len(line[start : word.end()]) > room:
            breaks.append(start := word.start())
            room = width - indent
    return breaks


def _to_line(cell: str | Text) -> Text:
    text = Text(cell) if isinstance(cell, str) else cell
    return Text(" ").join(text.split("\n")) if "\n" in text.plain else text


def _align_cells(cells: Sequence[Text], sizes: Sequence[int]) -> Text:
    line = Text()
    for cell, size in zip(cells, sizes, strict=True):
        line.append_text(cell).append(" " * (size - cell.cell_len + _GAP))
    line.rstrip()
    return line
