"""The report of a run: a row of the table in docs/chaos.md, and everything as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.run import Verdict


def faults(met: Counter[str]) -> Counter[str]:
    """Faults by kind, whatever their operations."""
    counted: Counter[str] = Counter()
    for what, times in met.items():
        counted[what.partition(": ")[2] or what] += times
    return counted


def told(verdict: Verdict) -> dict[str, Any]:
    """A run's outcome as a JSON document."""
    return {
        "seed": verdict.seed,
        "releases": verdict.releases,
        "seconds": round(verdict.seconds),
        "requests": verdict.requests,
        "endings": dict(verdict.endings.most_common()),
        "faults": dict(faults(verdict.met).most_common()),
        "violations": verdict.violations,
    }


def line(verdict: Verdict) -> str:
    """One row of the table."""
    endings = ", ".join(f"{count} {kind}" for kind, count in verdict.endings.most_common())
    met = ", ".join(f"{count} {kind}" for kind, count in faults(verdict.met).most_common())
    cells = [
        verdict.seed,
        verdict.releases,
        verdict.requests,
        met,
        endings,
        len(verdict.violations),
        f"{verdict.seconds:.0f} s",
    ]
    return f"| {' | '.join(map(str, cells))} |"
