"""Text and listings on a terminal of 80 columns, and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Group, RenderableType
from rich.text import Text

from workflows.cli.console import Listing, PageConsole

WORDS = "s3://artifacts/checkout/42.zip → checkout:live (Canary10Percent5Minutes)"
ID = "release:checkout:live:20261127-194734-1b18"


def print_lines(page: RenderableType | str, *, columns: int = 80, piped: bool = False) -> list[str]:
    file = io.StringIO()
    console = PageConsole(
        file=file, width=columns, force_terminal=not piped, color_system=None, markup=False
    )
    console.print(page)
    return file.getvalue().splitlines()


def make_listing() -> Listing:
    listing = Listing("WHEN", "BY", "OUTCOME", "WHAT", "ID")
    listing.add_row("2026-11-27 19:47 UTC", "ana", Text("✓ [b] live"), WORDS, ID)
    listing.add_row("2026-11-27 20:00 UTC", "–", "✗ no\nsuch\tbucket", "–", ID)
    return listing


def test_pipe_has_one_line_for_each_row_with_tabs_between_cells() -> None:
    assert [line.split("\t") for line in print_lines(make_listing(), piped=True)] == [
        ["WHEN", "BY", "OUTCOME", "WHAT", "ID"],
        ["2026-11-27 19:47 UTC", "ana", "✓ [b] live", WORDS, ID],
        ["2026-11-27 20:00 UTC", "–", "✗ no such bucket", "–", ID],
    ]


def test_terminal_shows_what_has_no_room_below_its_row() -> None:
    assert print_lines(make_listing())[:4] == [
        "WHEN                  BY   OUTCOME",
        "2026-11-27 19:47 UTC  ana  ✓ [b] live",
        f"  what: {WORDS}",
        f"  id: {ID}",
    ]


def test_terminal_with_room_shows_a_row_on_one_line() -> None:
    heading, first, second = print_lines(make_listing(), columns=240)
    assert heading.index("ID") == first.index(ID) == second.index(ID)


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_terminal_breaks_no_word(columns: int) -> None:
    page = Group(Text(f"  ! {WORDS} {WORDS}"), Text(f"Started {ID}: {WORDS}"))
    lines = print_lines(page, columns=columns)
    words = [word for line in lines for word in line.split()]
    assert words == f"! {WORDS} {WORDS} Started {ID}: {WORDS}".split()
    assert all(len(line) <= columns or " " not in line.strip() for line in lines)


def test_text_goes_on_below_where_it_began() -> None:
    assert print_lines("  ! one two three", columns=11) == ["  ! one two", "    three"]
    assert print_lines("  1. one two", columns=10) == ["  1. one", "     two"]


def test_text_in_a_pipe_is_one_line() -> None:
    assert print_lines(f"{WORDS} {WORDS}", piped=True) == [f"{WORDS} {WORDS}"]


def test_log_goes_on_in_its_last_column() -> None:
    log = Listing("TIME", "", "WHAT", is_log=True)
    log.add_row("19:47", "→", "10% to version 8\nfor five minutes and more")
    assert print_lines(log, columns=30) == [
        "TIME      WHAT",
        "19:47  →  10% to version 8",
        "          for five minutes and",
        "          more",
    ]
    assert print_lines(log, piped=True)[1] == "19:47\t→\t10% to version 8 for five minutes and more"
