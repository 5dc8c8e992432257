"""Presets are another spelling of steps; durations and percents are read strictly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from workflows.domain.formatting import format_duration
from workflows.domain.inputs import Duration, Percent
from workflows.domain.strategy import Approval, Bake, SetWeight, Steps, Strategy, parse_preset

SPELT: TypeAdapter[Steps] = TypeAdapter(Strategy)
DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
PERCENT: TypeAdapter[int] = TypeAdapter(Percent)

SECOND, YEAR = timedelta(seconds=1), timedelta(days=365)

CODEDEPLOY = {
    "AllAtOnce": ([], 0),
    **{f"Canary10Percent{minutes}Minutes": ([10], minutes) for minutes in (5, 10, 15, 30)},
    **{
        f"Linear10PercentEvery{minutes}Minutes": ([*range(10, 100, 10)], minutes)
        for minutes in (2, 3, 10)
    },
    "Linear10PercentEvery1Minute": ([*range(10, 100, 10)], 1),
}


@pytest.mark.parametrize("name", CODEDEPLOY)
def test_every_name_of_codedeploy_works(name: str) -> None:
    percents, minutes = CODEDEPLOY[name]
    bake = Bake(duration=timedelta(minutes=minutes)) if minutes else None
    assert parse_preset(name) == Steps(
        steps=tuple(
            step for percent in percents for step in (SetWeight(percent=percent), bake) if step
        )
    )


@given(st.integers(1, 99), st.integers(1, 99_999))
def test_a_canary_is_one_weight_and_one_bake(percent: int, minutes: int) -> None:
    assert parse_preset(f"Canary{percent}Percent{minutes}Minutes").steps == (
        SetWeight(percent=percent),
        Bake(duration=timedelta(minutes=minutes)),
    )


@given(st.integers(1, 99), st.integers(1, 99_999))
def test_a_linear_rises_in_equal_steps_and_ends_below_all(percent: int, minutes: int) -> None:
    steps = parse_preset(f"Linear{percent}PercentEvery{minutes}Minutes").steps
    weights = [step.percent for step in steps if isinstance(step, SetWeight)]
    assert weights == list(range(percent, 100, percent))
    assert steps[1::2] == (Bake(duration=timedelta(minutes=minutes)),) * len(weights)


@pytest.mark.parametrize(
    "name",
    ["", "Canary", "Canary0Percent5Minutes", "Canary100Percent5Minutes", "Canary10Percent0Minutes", "Canary010Percent5Minutes",
     "canary10percent5minutes", "Canary10Percent5Minutes ", "Linear10Percent5Minutes", "Canary10PercentEvery5Minutes", "Canary1٠Percent5Minutes"],
)  # fmt: skip
def test_what_is_no_preset_is_refused_with_the_presets_there_are(name: str) -> None:
    with pytest.raises(
        ValidationError,
        match="no such preset: there are AllAtOnce, Adaptive, Canary<P>Percent<N>Minutes and Linear",
    ):
        SPELT.validate_python(name)


@given(
    st.one_of(
        st.just("AllAtOnce"),
        st.builds("Canary{}Percent{}Minutes".format, st.integers(1, 99), st.integers(1, 999)),
    )
)
def test_a_preset_written_out_as_steps_is_the_same_strategy(name: str) -> None:
    assert SPELT.validate_json(SPELT.dump_json(parse_preset(name))) == parse_preset(name)


steps = st.lists(
    st.one_of(
        st.builds(SetWeight, percent=st.integers(0, 100)),
        st.builds(Bake, duration=st.timedeltas(SECOND, YEAR)),
        st.builds(Approval, timeout=st.none() | st.timedeltas(SECOND, YEAR)),
    ),
    max_size=6,
)


@given(steps)
def test_steps_survive_the_way_to_json_and_back(given_steps: list[Any]) -> None:
    strategy = Steps(steps=tuple(given_steps))
    assert SPELT.validate_json(SPELT.dump_json(strategy)) == strategy


@given(steps)
def test_a_strategy_is_weighted_where_two_versions_share_the_traffic(
    given_steps: list[Any],
) -> None:
    shares = any(
        isinstance(step, SetWeight) and step.percent not in {0, 100} for step in given_steps
    )
    assert Steps(steps=tuple(given_steps)).is_weighted is shares


def test_a_strategy_reads_as_a_sentence() -> None:
    assert str(parse_preset("Canary10Percent5Minutes")) == "10%, 5 min, 100%"
    assert str(parse_preset("AllAtOnce")) == "100%"
    asked = Steps(steps=(SetWeight(percent=5), Approval(), Approval(timeout=timedelta(hours=6))))
    assert str(asked) == "5%, approval, approval within 6 h, 100%"


# --- durations and percents ------------------------------------------------------------------------------------------------------


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
def test_a_duration_is_iso_8601_or_a_number_and_a_unit(text: str, seconds: int) -> None:
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
def test_what_is_no_duration_between_a_second_and_a_year_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(value)


@given(st.timedeltas(SECOND, YEAR))
def test_a_duration_survives_the_way_to_json_and_back(span: timedelta) -> None:
    assert DURATION.validate_json(DURATION.dump_json(span)) == span


@given(st.integers(1, 10**9), st.sampled_from("smhd"))
def test_a_short_duration_is_read_or_refused_and_never_misread(number: int, unit: str) -> None:
    span = number * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
    try:
        assert DURATION.validate_python(f"{number}{unit}").total_seconds() == span
    except ValidationError:
        assert span > YEAR.total_seconds()


@given(st.integers())
def test_a_percent_is_a_whole_number_from_0_to_100(number: int) -> None:
    try:
        assert PERCENT.validate_python(number) in range(101)
    except ValidationError:
        assert number not in range(101)


@pytest.mark.parametrize("value", [10.0, "10", True, None])
def test_a_percent_is_nothing_that_only_looks_like_a_whole_number(value: object) -> None:
    with pytest.raises(ValidationError):
        PERCENT.validate_python(value)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (300, "5 min"),
        (5400, "1 h 30 min"),
        (172_800, "2 d"),
        (90_061, "1 d 1 h 1 min 1 s"),
    ],
)
def test_a_span_is_spoken_as_people_do(seconds: int, words: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == words
