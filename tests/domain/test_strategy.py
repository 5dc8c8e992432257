"""Presets, as another spelling of steps."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from workflows.domain.strategy import Approval, Bake, SetWeight, Steps, Strategy, parse_preset

SPELT: TypeAdapter[Steps] = TypeAdapter(Strategy)

SECOND, YEAR = timedelta(seconds=1), timedelta(days=365)

TEN_STEPS = (10, 20, 30, 40, 50, 60, 70, 80, 90)
CODEDEPLOY: dict[str, list[tuple[int, str]]] = {
    "AllAtOnce": [],
    "Canary10Percent5Minutes": [(10, "PT5M")],
    "Canary10Percent10Minutes": [(10, "PT10M")],
    "Canary10Percent15Minutes": [(10, "PT15M")],
    "Canary10Percent30Minutes": [(10, "PT30M")],
    "Linear10PercentEvery1Minute": [(percent, "PT1M") for percent in TEN_STEPS],
    "Linear10PercentEvery2Minutes": [(percent, "PT2M") for percent in TEN_STEPS],
    "Linear10PercentEvery3Minutes": [(percent, "PT3M") for percent in TEN_STEPS],
    "Linear10PercentEvery10Minutes": [(percent, "PT10M") for percent in TEN_STEPS],
}
"""Weights with the bakes that follow them, of every name that AWS documents for Lambda.

https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
"""


@pytest.mark.parametrize("name", CODEDEPLOY)
def test_preset_of_codedeploy_is_these_steps(name: str) -> None:
    written = json.loads(SPELT.dump_json(parse_preset(name)))
    assert [
        (step["kind"], step.get("percent"), step.get("duration")) for step in written["steps"]
    ] == [
        expected
        for percent, duration in CODEDEPLOY[name]
        for expected in (("set_weight", percent, None), ("bake", None, duration))
    ]


@pytest.mark.parametrize("name", CODEDEPLOY)
@pytest.mark.parametrize("prefix", ["CodeDeployDefault.Lambda", "Lambda", "codedeploydefault."])
def test_preset_is_taken_as_codedeploy_spells_it_in_any_case(prefix: str, name: str) -> None:
    assert SPELT.validate_python(prefix + name) == parse_preset(name)
    assert SPELT.validate_python(prefix + name.lower()) == parse_preset(name)
    assert SPELT.validate_python(name.upper()) == parse_preset(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Canary20Percent7Minutse", "Canary20Percent7Minutes"),
        ("Canary10Percent5Min", "Canary10Percent5Minutes"),
        ("Canary010Percent5Minutes", "Canary10Percent5Minutes"),
        ("Canary10Percent1", "Canary10Percent1Minute"),
        ("Linear10Percent5Minutes", "Linear10PercentEvery5Minutes"),
        ("linear-25-percent-every-3-minutes", "Linear25PercentEvery3Minutes"),
        ("CodeDeployDefault.LambdaCanary10Percent5Minut", "Canary10Percent5Minutes"),
        ("Canary", "Canary10Percent5Minutes"),
        ("all-at-once", "AllAtOnce"),
        ("AllAtOnec", "AllAtOnce"),
        ("Adaptiv", "Adaptive"),
    ],
)
def test_preset_that_was_probably_meant_is_named(name: str, meant: str) -> None:
    with pytest.raises(ValidationError, match=rf"no such preset \(did you mean {meant}\?\): there"):
        SPELT.validate_python(name)


@pytest.mark.parametrize("name", ["Blue", "Canary10Percent1Hour", "Canary10Percent30Seconds"])
def test_no_preset_is_guessed_that_means_another_thing(name: str) -> None:
    with pytest.raises(ValidationError, match="no such preset: there are"):
        SPELT.validate_python(name)


@given(st.integers(1, 99), st.integers(1, 99_999))
def test_canary_is_one_weight_and_one_bake(percent: int, minutes: int) -> None:
    assert parse_preset(f"Canary{percent}Percent{minutes}Minutes").steps == (
        SetWeight(percent=percent),
        Bake(duration=timedelta(minutes=minutes)),
    )


@given(st.integers(1, 99), st.integers(1, 99_999))
def test_linear_rises_in_equal_steps_and_ends_below_all(percent: int, minutes: int) -> None:
    steps = parse_preset(f"Linear{percent}PercentEvery{minutes}Minutes").steps
    weights = [step.percent for step in steps if isinstance(step, SetWeight)]
    rises = {later - earlier for earlier, later in itertools.pairwise([0, *weights])}
    assert rises == {percent}
    assert weights[-1] < 100 <= weights[-1] + percent
    assert steps[::2] == tuple(SetWeight(percent=weight) for weight in weights)
    assert steps[1::2] == (Bake(duration=timedelta(minutes=minutes)),) * len(weights)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Canary",
        "Canary0Percent5Minutes",
        "Canary100Percent5Minutes",
        "Canary10Percent0Minutes",
        "Canary010Percent5Minutes",
        "Canary10Percent5Minutes ",
        "Linear10Percent5Minutes",
        "Canary10PercentEvery5Minutes",
        "Canary1٠Percent5Minutes",
    ],
)
def test_unknown_preset_is_refused_with_the_presets_there_are(name: str) -> None:
    with pytest.raises(
        ValidationError,
        match=r"no such preset.*: there are AllAtOnce, Adaptive, Canary<P>Percent<N>Minutes and",
    ):
        SPELT.validate_python(name)


@given(
    st.one_of(
        st.just("AllAtOnce"),
        st.builds("Canary{}Percent{}Minutes".format, st.integers(1, 99), st.integers(1, 999)),
    )
)
def test_preset_written_out_as_steps_is_the_same_strategy(name: str) -> None:
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
def test_steps_survive_json(given_steps: list[Any]) -> None:
    strategy = Steps(steps=tuple(given_steps))
    assert SPELT.validate_json(SPELT.dump_json(strategy)) == strategy


@pytest.mark.parametrize(
    ("given_steps", "is_weighted"),
    [
        ([], False),
        ([SetWeight(percent=0)], False),
        ([SetWeight(percent=100)], False),
        ([SetWeight(percent=1)], True),
        ([SetWeight(percent=99)], True),
        ([SetWeight(percent=0), Approval(), SetWeight(percent=50), SetWeight(percent=0)], True),
        ([Bake(duration=SECOND), Approval()], False),
    ],
)
def test_strategy_is_weighted_where_two_versions_share_the_traffic(
    given_steps: list[Any], is_weighted: bool
) -> None:
    assert Steps(steps=tuple(given_steps)).is_weighted is is_weighted


def test_strategy_reads_as_a_sentence() -> None:
    assert str(parse_preset("Canary10Percent5Minutes")) == "10%, 5 min, 100%"
    assert str(parse_preset("AllAtOnce")) == "100%"
    written = Steps(steps=(SetWeight(percent=5), Approval(), Approval(timeout=timedelta(hours=6))))
    assert str(written) == "5%, approval, approval within 6 h, 100%"
