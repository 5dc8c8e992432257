"""Durations, counts, probabilities and causes as text for people."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

MAX_LINE: Final = 200
"""The characters of a line in the timeline."""

_MAX_CONFIDENCE: Final = 0.999
"""The highest confidence that is shown as a number."""


def format_duration(duration: timedelta) -> str:
    """Format a duration, to the second: ``5 min``, ``1 h 30 min``, ``45 s``, ``2 d``."""
    seconds = round(duration.total_seconds())
    parts = [
        (seconds // 86400, "d"),
        (seconds % 86400 // 3600, "h"),
        (seconds % 3600 // 60, "min"),
        (seconds % 60, "s"),
    ]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def append_cause(text: str, cause: str) -> str:
    """Append why something is done to a line of the timeline: as much as a line has room for."""
    line = f"{text}: {cause}" if cause else text
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


def format_number(number: float) -> str:
    """Format a count, or milliseconds: all its digits, with at most two decimals.

    Never in scientific notation, such as ``5.9e+06``.
    """
    return f"{number:.2f}".rstrip("0").rstrip(".")


def format_estimate(number: float) -> str:
    """Format an estimated count with two digits that count, never too low: ``240``, ``1300``."""
    if number <= 0:
        return "0"
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return str(math.ceil(number / unit) * unit)


def format_confidence(probability: float) -> str:
    """Format a probability in percent, never rounded up: ``99.7%``, ``over 99.9%``."""
    if probability > _MAX_CONFIDENCE:
        return "over 99.9%"
    return f"{math.floor(probability * 1000) / 10:g}%"
