"""Load tests: ``python -m tests.load burst`` and ``… crowd``; see docs/load.md."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.load.burst import burst
from tests.load.crowd import Plan, crowd
from worker import DEFAULT_CACHED_WORKFLOWS

application = typer.Typer(add_completion=False, no_args_is_help=True)


def show(title: str, columns: list[list[tuple[str, str]]]) -> None:
    """Print tables with the same rows side by side."""
    table = Table(title=title, show_header=False)
    for rows in zip(*columns, strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    Console(width=150).print(table)


@application.command("burst")
def at_once(
    releases: Annotated[int, typer.Option(help="Releases started at once.")] = 100,
    workers: Annotated[
        list[int], typer.Option(help="Worker processes; several runs, if given several times.")
    ] = [1, 3],  # noqa: B006 - typer's way
) -> None:
    """Releases at once, against a stand-in that enforces AWS's limits."""
    columns = []
    for count in workers:
        with tempfile.TemporaryDirectory(prefix="load-") as directory:
            columns.append(
                asyncio.run(burst(Path(directory), workers=count, releases=releases)).rows()
            )
    show(f"{releases} releases at once", columns)


@application.command("crowd")
def in_flight(
    canaries: Annotated[int, typer.Option(help="Canaries in flight.")] = 1_000,
    cached: Annotated[
        int, typer.Option(help="RELEASES_CACHED_WORKFLOWS of the worker.")
    ] = DEFAULT_CACHED_WORKFLOWS,
    aws_rate: Annotated[
        float,
        typer.Option(
            help="Control-plane calls a second while they are started; then it is AWS's 15."
        ),
    ] = 15,
) -> None:
    """Sleeping canaries.

    Their memory, a restart, and the burst when their bakes end together.
    """
    with tempfile.TemporaryDirectory(prefix="load-") as directory:
        figures = asyncio.run(crowd(Path(directory), Plan(canaries, cached, aws_rate)))
    show(f"{canaries} canaries in flight", [figures.rows()])


if __name__ == "__main__":
    application()
