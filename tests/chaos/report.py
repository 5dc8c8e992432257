"""The report of a run.

A row of the table in docs/chaos.md, and everything as JSON.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.run import RunResult


def count_faults(met: Counter[str]) -> Counter[str]:
    """Faults by kind, whatever their operations."""
    counted: Counter[str] = Counter()
    for what, times in met.items():
        counted[what.partition(": ")[2] or what] += times
    return counted


def to_document(result: RunResult) -> dict[str, Any]:
    """A run's outcome as a JSON document."""
    return {
        "seed": result.seed,
        "releases": result.releases,
        "seconds": round(result.seconds),
        "requests": result.requests,
        "endings": dict(result.endings.most_common()),
        "faults": dict(count_faults(result.met).most_common()),
        "violations": result.violations,
    }


def format_row(result: RunResult) -> str:
    """One row of the table."""
    endings = ", ".join(f"{count} {kind}" for kind, count in result.endings.most_common())
    met = ", ".join(f"{count} {kind}" for kind, count in count_faults(result.met).most_common())
    cells = [
        result.seed,
        result.releases,
        result.requests,
        met,
        endings,
        len(result.violations),
        f"{result.seconds:.0f} s",
    ]
    return f"| {' | '.join(map(str, cells))} |"
