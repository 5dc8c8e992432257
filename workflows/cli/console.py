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
_BULLETS: Final = re.compile(r"\s*(?:\d\d:\d\d:\d\d )?(?:[^\w\s] |\d+\. )?")
"""What text that goes on in another line is indented by: the indent, a time, a bullet or number."""


class Listing:
    """Rows of cells under headings.

    On a terminal that is too narrow for it, the widest cells follow on lines of their own; or, with
    ``is_log``, the last cell goes on below where it began.
    """

    def __init__(self, *headings: str, is_log: bool = False) -> None:
        self._headings = headings
        self._is_log = is_log
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Add a row: one cell for each heading."""
        row = tuple(Text(cell) if isinstance(cell, str) else cell for cell in cells)
        self._rows.append(row if self._is_log else tuple(map(_to_line, row)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines: rich's protocol."""
        if console.is_terminal:
            fill = self._align_log if self._is_log else self._align_rows
            yield from fill(options.max_width)
            return
        for row in (self._headings, *self._rows):
            line = "\t".join(re.sub(r"\s+", " ", str(cell)).strip() for cell in row)
            yield Segment(f"{line}\n")  # rich would replace the tabs of a text

    def _align_rows(self, width: int) -> Iterator[Text]:
        columns = range(len(self._headings))
        sizes = self._measure_columns()
        beside = list(columns)
        while len(beside) > 1 and sum(sizes[column] + _GAP for column in beside) - _GAP > width:
            beside.remove(max(beside[1:], key=sizes.__getitem__))
        below = [column for column in columns if column not in beside]
        beside_sizes = [sizes[column] for column in beside]
        headings = self._render_headings()
        yield _align_cells([headings[column] for column in beside], beside_sizes)
        for row in self._rows:
            yield _align_cells([row[column] for column in beside], beside_sizes)
            yield from self._render_below([(self._headings[c], row[c]) for c in below], width)

    def _render_below(self, cells: Sequence[tuple[str, Text]], width: int) -> Iterator[Text]:
        """Render the cells that have no room beside the others: on one line if they fit."""
        named = [
            Text.assemble((f"{heading.lower()}: ", DIM), cell)
            for heading, cell in cells
            if cell.plain.strip("–")
        ]
        together = Text.assemble(_MARGIN, Text("  ").join(named))
        if together.cell_len <= width:
            yield from [together] if named else []
            return
        for one in named:
            yield from wrap_text(Text.assemble(_MARGIN, one), width)

    def _align_log(self, width: int) -> Iterator[Text]:
        *sizes, _ = self._measure_columns()
        indent = sum(size + _GAP for size in sizes)
        for *cells, last in (self._render_headings(), *self._rows):
            lines = [line for part in last.split("\n") for line in wrap_text(part, width - indent)]
            first = _align_cells(cells, sizes)
            first.append(" " * (indent - first.cell_len))
            for line in lines or [Text()]:
                yield Text.assemble(first if line is lines[0] else " " * indent, line)

    def _measure_columns(self) -> list[int]:
        cells = zip(self._render_headings(), *self._rows, strict=True)
        return [max(cell.cell_len for cell in column) for column in cells]

    def _render_headings(self) -> tuple[Text, ...]:
        return tuple(Text(heading, style=DIM) for heading in self._headings)


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


def _to_line(cell: Text) -> Text:
    line = Text(" ").join(cell.split("\n")) if "\n" in cell else cell
    line.expand_tabs(1)
    return line


def _align_cells(cells: Sequence[Text], sizes: Sequence[int]) -> Text:
    line = Text()
    for cell, size in zip(cells, sizes, strict=True):
        line.append_text(cell).append(" " * (size - cell.cell_len + _GAP))
    line.rstrip()
    return line
