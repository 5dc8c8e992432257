"""Targets: a function under any of its names, an alias, and the rollout's id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflows.domain.target import Place, Target

names = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:"


@given(names)
def test_name_in_every_form_is_the_same_target(name: str) -> None:
    forms = [
        name,
        f"123456789012:function:{name}",
        f"{ARN}{name}",
        f"arn:aws-cn:lambda:cn-north-1:123456789012:function:{name}",
    ]
    assert {Target(function=form).bare for form in forms} == {Target(function=name)}


@pytest.mark.parametrize(
    "function",
    [
        "",
        "a b",
        "a" * 65,
        "f:live",
        "f:7",
        f"{ARN}f:live",
        "arn:aws:s3:::bucket",
        "function:f",
        "ü",
        "f\n",
        "eu-central-1:123456789012:function:f",
    ],
)
def test_invalid_function_is_refused(function: str) -> None:
    with pytest.raises(ValidationError, match="function"):
        Target(function=function)


@pytest.mark.parametrize("alias", ["", "7", "007", "$LATEST", "a b", "a:b", "a" * 129, "live\n"])
def test_invalid_alias_is_refused(alias: str) -> None:
    with pytest.raises(ValidationError, match="alias"):
        Target(function="f", alias=alias)


@pytest.mark.parametrize("alias", ["live", "7a", "blue-green_2", "a" * 128])
def test_alias_is_letters_digits_and_not_digits_only(alias: str) -> None:
    assert str(Target(function="f", alias=alias)) == f"f:{alias}"


@given(names)
def test_rollout_id_names_account_region_function_and_alias(name: str) -> None:
    assert (
        Place.from_arn(ARN + name).rollout_id("live")
        == f"lambda:123456789012:eu-central-1:{name}:live"
    )
    assert (
        Place.from_arn(f"{ARN}{name}:7").rollout_id("live")
        == f"lambda:123456789012:eu-central-1:{name}:live"
    )


@given(st.text())
def test_arn_of_something_else_has_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="not the ARN of a function"):
        Place.from_arn(text)


@pytest.mark.parametrize(
    ("function", "account", "region"),
    [
        ("f", None, None),
        ("123456789012:function:f", "123456789012", None),
        (f"{ARN}f", "123456789012", "eu-central-1"),
        (
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f",
            "123456789012",
            "us-gov-west-1",
        ),
    ],
)
def test_target_has_the_account_and_region_that_it_names(
    function: str, account: str | None, region: str | None
) -> None:
    target = Target(function=function)
    assert (target.account, target.region, target.name) == (account, region, "f")


@pytest.mark.parametrize("arn", [f"{ARN}f", "arn:aws-cn:lambda:cn-north-1:123456789012:function:f"])
def test_located_target_is_named_by_its_arn(arn: str) -> None:
    place = Place.from_arn(f"{arn}:7")
    assert place.arn == arn
    located = Target(function="f", alias="beta").at(place)
    assert (located.function, located.alias, str(located)) == (arn, "beta", "f:beta")


@pytest.mark.parametrize(
    "arn", [ARN + "f" * 65, f"arn:aws:lambda:{'r' * 120}:123456789012:function:f"]
)
def test_arn_that_no_target_can_have_has_no_place(arn: str) -> None:
    with pytest.raises(ValueError, match="not the ARN of a function"):
        Place.from_arn(arn)
