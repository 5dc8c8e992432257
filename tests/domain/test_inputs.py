"""Durations and percents of a request, which are read strictly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from workflows.domain.inputs import RECORDED, Duration, Latency, Percent

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
PERCENT: TypeAdapter[int] = TypeAdapter(Percent)

SECOND, YEAR = timedelta(seconds=1), timedelta(days=365)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("3d", 259_200),
        ("PT10M", 600),
        ("P1D", 86_400),
        ("PT1H30M", 5400),
        ("PT0.5H", 1800),
    ],
)
def test_duration_is_iso_8601_or_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert DURATION.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "5",
        "5 m",
        "m",
        "5M",
        "-5m",
        "1.5h",
        "5m30s",
        "0s",
        "366d",
        "PT0S",
        "-PT5M",
        "P",
        "soon",
        5,
        5.0,
        True,
        None,
        [],
        {},
    ],
)
def test_duration_is_between_a_second_and_a_year(value: object) -> None:
    with pytest.raises(ValidationError, match="validation error"):
        DURATION.validate_python(value)


@given(st.timedeltas(SECOND, YEAR))
def test_duration_survives_json(duration: timedelta) -> None:
    assert DURATION.validate_json(DURATION.dump_json(duration)) == duration


@given(st.integers(1, 10**9), st.sampled_from("smhd"))
def test_short_duration_is_read_or_refused_and_never_misread(number: int, unit: str) -> None:
    duration = number * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
    try:
        assert DURATION.validate_python(f"{number}{unit}").total_seconds() == duration
    except ValidationError:
        assert duration > YEAR.total_seconds()


@given(st.integers())
def test_percent_is_a_whole_number_from_0_to_100(number: int) -> None:
    try:
        assert PERCENT.validate_python(number) in range(101)
    except ValidationError:
        assert number not in range(101)


@pytest.mark.parametrize("value", [10.0, "10", True, None])
def test_percent_is_nothing_that_only_resembles_a_whole_number(value: object) -> None:
    with pytest.raises(ValidationError, match="valid integer"):
        PERCENT.validate_python(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("P10M", r"P10M is 10 months; did you mean PT10M\?"),
        ("P1M", r"P1M is 1 month; did you mean PT1M\?"),
        ("P5M2D", r"P5M2D is 5 months; did you mean P2DT5M\?"),
        ("P1Y", "no months and years: write days"),
        ("P1MT5S", "no months and years: write days"),
        ("P0Y5D", "no months and years: write days"),
    ],
)
def test_months_and_years_are_refused_with_what_may_be_meant(text: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        DURATION.validate_python(text)
    with pytest.raises(ValidationError, match=reason):
        TypeAdapter(Latency).validate_python(text)


@pytest.mark.parametrize(("text", "days"), [("P10M", 300), ("P1Y", 365)])
def test_months_that_were_recorded_are_read(text: str, days: int) -> None:
    read = DURATION.validate_python(text, context={RECORDED: True})
    assert read == timedelta(days=days)
    assert DURATION.dump_python(read, mode="json") == f"P{days}D"
