"""What the benchmark says: tables for the terminal and for docs/benchmarks.md, and the lines that the figures have to hold."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from deploy.local.emulator import ROOT

PAGE: Final = ROOT / "docs/benchmarks.md"


@dataclass(frozen=True)
class Requirement:
    """Something that has to hold, what was measured, and whether it does."""

    claim: str
    measured: str
    holds: bool
    counted: bool = False
    """Decided by counting, so the same on every machine: where it does not hold the run fails."""


@dataclass(frozen=True)
class Section:
    """One table with what has to be known to read it, and the lines that it decides."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    lines: Sequence[Requirement] = field(default=())

    def markdown(self) -> str:
        """As it stands in the page."""
        text = [f"## {self.title}", "", *_table(self.columns, self.rows), ""]
        return "\n".join(text + [line for note in self.notes for line in (note, "")])

    def plain(self) -> str:
        """As it is printed."""
        widths = [
            max(len(row[at]) for row in (self.columns, *self.rows))
            for at in range(len(self.columns))
        ]
        rows = [
            "  ".join(
                f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}"
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in (self.columns, *self.rows)
        ]
        return "\n".join(["", self.title, *rows])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    align = "|---" + "|--:" * (len(columns) - 1) + "|"
    return [f"| {' | '.join(columns)} |", align, *(f"| {' | '.join(row)} |" for row in rows)]


def format_median(values: Sequence[float], form: str = ".1f") -> str:
    """A median with the least and the greatest, where they differ."""
    least, middle, most = (
        format(value, form) for value in (min(values), median(values), max(values))
    )
    return middle if least == most else f"{middle} ({least}–{most})"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def describe_machine() -> str:
    """Where and when it was measured, and with what."""
    information = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.+)", information)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cli = subprocess.run(
        [Path(sys.executable).with_name("temporal"), "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("temporalio", "aiobotocore", "pydantic", "dbos", "ministack")
    )
    return (
        f"{datetime.now(tz=UTC):%d %b %Y}, {os.cpu_count()} cores ({model[1] if model else platform.processor()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}; {cli.strip()}; {versions}"
    )


def render_page(sections: Sequence[Section], *, command: str, load: str) -> str:
    """The whole of docs/benchmarks.md."""
    lines = [line for section in sections for line in section.lines]
    holds = [[line.claim, line.measured, "yes" if line.holds else "**no**"] for line in lines]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `{command}`; do not edit. {describe_machine()}. {load}",
            "",
            _HOW,
            "",
            "## What has to hold",
            "",
            *_table(["", "measured", "holds"], holds),
            "",
            *(section.markdown() for section in sections),
        ]
    )


_HOW: Final = """Everything is measured side by side in one run, in turns, and medians are shown (with least and most): read the ratios, not the absolutes. One
release: read the alias, the function, its live version and what is provisioned on the alias; UpdateFunctionCode from S3, which settles after 0.5 s; look until it has; publish;
10 % of the traffic; a bake of one second; all of it. Every contender makes these calls against the same stand-in for AWS Lambda, a fast process of
its own that counts them; a contender that left an alias elsewhere, or made other calls, ends the run. The worker is `python worker.py`, with its rate
limit (AWS allows 15 control-plane calls a second) raised out of the way except where it is said otherwise."""
