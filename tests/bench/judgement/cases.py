"""The versions that every policy is applied to: good, bad, and in between."""

from __future__ import annotations

import math
from typing import Final, Literal

from tests.bench.judgement.traffic import Case, Curve


def always(value: float) -> Curve:
    """Return a constant curve."""
    return lambda _: value


def during(begin: float, end: float, value: float, otherwise: float) -> Curve:
    """Return a curve with another value from ``begin`` to ``end``, in seconds."""
    return lambda at: value if begin <= at < end else otherwise


def daily(value: float, swing: float, period: float = 3600.0) -> Curve:
    """Return a sine around ``value``, by a share of ``swing``; a day takes an hour."""
    return lambda at: value * (1 + swing * math.sin(2 * math.pi * at / period))


def _case(  # noqa: PLR0913 - one for each property of a case
    name: str,
    rate: Curve | float,
    load: Curve | float,
    *,
    bad: bool,
    stable: Curve | float = 0.005,
    measure: Literal["error_rate", "slow_rate"] = "error_rate",
) -> Case:
    candidate, usual, requests = (
        one if callable(one) else always(one) for one in (rate, stable, load)
    )
    return Case(
        name=name,
        is_bad=bad,
        candidate=candidate,
        stable=usual,
        load=requests,
        usual=usual(-1),
        usual_load=requests(0),
        measure=measure,
    )


CASES: Final[tuple[Case, ...]] = (
    _case("5 % errors against 0.5 %, 100 requests/s", 0.05, 100, bad=True),
    _case("as good as stable (0.5 %), 100 requests/s", 0.005, 100, bad=False),
    _case("every request fails, 100 requests/s", 1.0, 100, bad=True),
    _case("3 % errors against 0.5 %, 100 requests/s", 0.03, 100, bad=True),
    _case("1.5 % errors against 0.5 %, 100 requests/s", 0.015, 100, bad=True),
    _case("5 % errors against 0.5 %, 5 requests/s", 0.05, 5, bad=True),
    _case("as good as stable (0.5 %), 5 requests/s", 0.005, 5, bad=False),
    _case("20 % errors against 0.5 %, 6 requests/min", 0.2, 0.1, bad=True),
    _case("as good as stable (0.5 %), 6 requests/min", 0.005, 0.1, bad=False),
    _case(
        "as good as stable; a dependency fails for both (10 %), minutes 1 to 4",
        during(60, 240, 0.1, 0.005), 100, bad=False, stable=during(60, 240, 0.1, 0.005),
    ),
    _case(
        "as good as stable; load and errors follow the day",
        daily(0.005, 0.8), daily(100, 0.8), bad=False, stable=daily(0.005, 0.8),
    ),
    _case(
        "goes bad (5 %) four minutes after the start",
        during(240, math.inf, 0.05, 0.005), 100, bad=True,
    ),
    _case(
        "goes bad (5 %) two minutes after the start",
        during(120, math.inf, 0.05, 0.005), 100, bad=True,
    ),
    _case(
        "slow: 10 % above stable's p99, 100 requests/s; alarms on the same count",
        0.1, 100, bad=True, stable=0.01, measure="slow_rate",
    ),
    _case(
        "as good as stable (0.5 %); cold starts fail: 10 % in its first 30 s",
        during(0, 30, 0.1, 0.005), 100, bad=False,
    ),
    _case("as good as stable (5 %), 100 requests/s", 0.05, 100, bad=False, stable=0.05),
)  # fmt: skip

CASES_OF_FINE_MARGIN: Final = CASES[:4]
"""The cases for the ramp with the fine margin, which is slow in all cases for the same reason."""
