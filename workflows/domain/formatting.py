"""Durations, counts and probabilities as people read them."""

from __future__ import annotations

import math
from datetime import timedelta


def format_duration(span: timedelta) -> str:
    """A span as people say it: ``5 min``, ``1 h 30 min``, ``45 s``, ``2 d``."""
    seconds = round(span.total_seconds())
    parts = [
        (seconds // 86400, "d"),
        (seconds % 86400 // 3600, "h"),
        (seconds % 3600 // 60, "min"),
        (seconds % 60, "s"),
    ]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def format_number(number: float) -> str:
    """A count, or milliseconds, as people read it: all its digits, never ``5.9e+06``, and no more than two behind the point."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def format_confidence(share: float) -> str:
    """How sure, in percent, and never surer than that: ``99.7%``, ``over 99.9%``."""
    return "over 99.9%" if share > 0.999 else f"{math.floor(share * 1000) / 10:g}%"  # noqa: PLR2004 - the surest that is told
