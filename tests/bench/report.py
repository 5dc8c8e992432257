"""The benchmark's report: tables for terminal and page, and requirements."""

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
    """A requirement, what was measured, and whether it holds."""

    claim: str
    measured: str
    holds: bool
    counted: bool = False
    """Decided by counting, so equal on every machine: the run fails where it does not hold."""


@dataclass(frozen=True)
class Section:
    """One table with its notes, and the requirements that it decides."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    requirements: Sequence[Requirement] = field(default=())

    def format_markdown(self) -> str:
        """Format the section for the page."""
        text = [f"## {self.title}", "", *_format_table(self.columns, self.rows), ""]
        return "\n".join(text + [line for note in self.notes for line in (note, "")])

    def format_plain(self) -> str:
        """Format the section for the terminal."""
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


def _format_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    align = "|---" + "|--:" * (len(columns) - 1) + "|"
    return [f"| {' | '.join(columns)} |", align, *(f"| {' | '.join(row)} |" for row in rows)]


def format_median(values: Sequence[float], form: str = ".1f") -> str:
    """Format a median, with minimum and maximum where they differ."""
    least, middle, most = (
        format(value, form) for value in (min(values), median(values), max(values))
    )
    return middle if least == most else f"{middle} ({least}–{most})"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def describe_machine() -> str:
    """Describe date, machine and versions of a measurement."""
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
        f"{datetime.now(tz=UTC):%d %b %Y}, {os.cpu_count()} cores "
        f"({model[1] if model else platform.processor()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}; "
        f"{cli.strip()}; {versions}"
    )


def render_page(sections: Sequence[Section], *, command: str, load: str) -> str:
    """Render the page docs/benchmarks.md."""
    requirements = [
        [one.claim, one.measured, "yes" if one.holds else "**no**"]
        for section in sections
        for one in section.requirements
    ]
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
            *_format_table(["", "measured", "holds"], requirements),
            "",
            *(section.format_markdown() for section in sections),
        ]
    )


_HOW: Final = """\
Everything is measured in one run, in turns. Medians are shown, with minimum and maximum: read the
ratios, not the absolute values. One release: read the alias, the function, its live version and the
alias's provisioned concurrency; UpdateFunctionCode from S3, which settles after 0.5 s; poll until
it has; publish; 10 % of the traffic; a bake of one second; all of it. Every contender makes these
calls against the same stand-in for AWS Lambda, a fast process of its own that counts them. A
contender that leaves an alias elsewhere, or makes other calls, ends the run. The worker is `python
worker.py`. Its rate limit (AWS allows 15 control-plane calls a second) has no effect, except where
a section names it."""
