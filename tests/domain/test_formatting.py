"""Durations as users read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from workflows.domain.formatting import format_duration, format_estimate


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (300, "5 min"),
        (5400, "1 h 30 min"),
        (172_800, "2 d"),
        (90_061, "1 d 1 h 1 min 1 s"),
    ],
)
def test_duration_is_formatted_in_units(seconds: int, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.4, "1"), (7, "7"), (51.2, "52"), (237, "240"), (240, "240"), (1234.5, "1300")],
)
def test_estimate_has_two_digits_and_is_never_too_low(number: float, text: str) -> None:
    assert format_estimate(number) == text
