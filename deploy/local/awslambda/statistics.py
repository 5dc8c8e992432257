"""CloudWatch's statistics over the points of a period.

The basic ones and percentiles are ministack's; the trimmed count and the percentile rank, by
values, are ours. For any other one ministack would return the average, so it is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from deploy.local.awslambda import ministack_api

_BASIC: Final = {"SampleCount", "Sum", "Average", "Minimum", "Maximum"}
_PERCENTILE: Final = re.compile(r"p(100|\d{1,2}(\.\d{1,10})?)")
_BETWEEN: Final = re.compile(r"(?P<kind>TC|PR)\((?P<low>\d+(\.\d+)?)?:(?P<high>\d+(\.\d+)?)?\)")


class UnsupportedStatisticError(ValueError):
    """A statistic that is not emulated here."""


def check_statistic(name: str) -> None:
    """Raise :class:`UnsupportedStatisticError` for a statistic that is not emulated."""
    between = _BETWEEN.fullmatch(name)
    if (
        name not in _BASIC
        and not _PERCENTILE.fullmatch(name)
        and not (between and (between["low"] or between["high"]))
    ):
        raise UnsupportedStatisticError(
            f"the statistic {name!r} is not emulated here: "
            f"use one of {', '.join(sorted(_BASIC))}, p99, TC(300:), PR(:300)"
        )


def compute_statistic(name: str, points: Sequence[Any]) -> float | None:
    """Compute a statistic; None without points, or for points without single values."""
    if not points:
        return None
    if not (between := _BETWEEN.fullmatch(name)):
        found: float | None = ministack_api.statistic(
            ministack_api.statistics(points), name, points
        )
        return found
    samples: list[tuple[float, float]] | None = ministack_api.samples(points)
    if samples is None:
        return None
    low = float(between["low"]) if between["low"] else -math.inf
    high = float(between["high"]) if between["high"] else math.inf
    # As in CloudWatch, the lower bound is excluded and the upper one included.
    inside = sum(count for value, count in samples if low < value <= high)
    return inside if between["kind"] == "TC" else 100 * inside / sum(count for _, count in samples)
