"""The check of refusals.

A refusal must name a field, be short, and not repeat its input.
"""

from __future__ import annotations

from typing import Any

import pytest

from activities.function_models import UpdateFunctionConfigurationRequest
from tests.fuzz.documents import MARK
from tests.fuzz.naming import check_refusal, names_member
from workflows.request import ReleaseRequest

TYPED = (
    b'{"target": {"function": "a b"}, "dotted.key": 1, '
    b'"strategy": {"steps": [{"kind": "bake", "duration": "yesterday"}]}}'
)


def format_refusal(*problems: tuple[str, str]) -> tuple[str, list[Any]]:
    listed = [{"field": field, "problem": problem} for field, problem in problems]
    return "invalid ReleaseRequest: " + "; ".join(
        f"{field}: {problem}" for field, problem in problems
    ), [listed]


@pytest.mark.parametrize(
    "field",
    [
        "(input)",
        "target.function",
        "target.alias",
        "artifact.key",
        "strategy.steps.0.duration",
        "strategy",
        "dotted.key",
        "reason",
    ],
)
def test_field_of_the_input_or_of_the_model_is_named(field: str) -> None:
    check_refusal(*format_refusal((field, "not so")), ReleaseRequest, TYPED)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "release",
        "target.functions",
        "strategy.steps.1.duration",
        "strategy.preset",
        "target.function.0",
        "0",
    ],
)
def test_value_is_no_field_name(field: str) -> None:
    with pytest.raises(AssertionError, match="is no field"):
        check_refusal(*format_refusal((field, "not so")), ReleaseRequest, TYPED)


@pytest.mark.parametrize("problem", ["not yesterday, please", f"what is {MARK}?"])
def test_refusal_that_repeats_the_input_is_found(problem: str) -> None:
    with pytest.raises(AssertionError, match="repeats"):
        check_refusal(
            *format_refusal(("strategy.steps.0.duration", problem)), ReleaseRequest, TYPED
        )


def test_refusal_without_an_end_is_found() -> None:
    with pytest.raises(AssertionError, match="characters"):
        check_refusal(*format_refusal(("(input)", "x" * 12_001)), ReleaseRequest, TYPED)


def test_refusal_without_a_list_of_its_problems_is_found() -> None:
    with pytest.raises(AssertionError, match="no list of problems"):
        check_refusal("invalid ReleaseRequest: something", [], ReleaseRequest, TYPED)


def test_rejection_names_a_member_of_the_model() -> None:
    assert names_member("artifact.version: there is none", ReleaseRequest)
    assert names_member("Environment.Variables: too much", UpdateFunctionConfigurationRequest)
    assert not names_member("get_function: there is none", ReleaseRequest)
    assert not names_member("there is none", ReleaseRequest)
