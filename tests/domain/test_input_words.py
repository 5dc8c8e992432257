"""What is wrong with an input, in no word of pydantic's."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, get_args

import pytest
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticKnownError, core_schema

from tests.wording import PYDANTIC
from workflows.domain.input_schema import read_schema
from workflows.domain.input_words import describe_error
from workflows.domain.inputs import Duration, Input
from workflows.domain.strategy import Steps

KINDS = sorted(set(get_args(core_schema.ErrorType)))
BOUNDS = {
    "le": 3, "lt": 3, "ge": 3, "gt": 3, "multiple_of": 3, "min_length": 3, "max_length": 3,
    "expected": "'a' or 'b'", "expected_tags": "'a', 'b'", "tag": "c", "discriminator": "'kind'",
    "pattern": "^a$", "field_type": "List", "actual_length": 9, "error": "its own words",
}  # fmt: skip


class Size(Input):
    """A value with a bound of each kind."""

    number: Annotated[int, Field(ge=1)] = 1
    wait: Annotated[Duration, Field(le=timedelta(days=14))] = timedelta(minutes=1)
    name: Annotated[str, Field(min_length=2, pattern="^[a-z]+$", description="Small letters.")] = ""


def describe(model: Any, document: object) -> list[str]:
    with pytest.raises(ValidationError, match="validation error") as refused:
        TypeAdapter[Any](model).validate_python(document)
    schema = read_schema(model)
    return [describe_error(error, document, schema) for error in refused.value.errors()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_error_has_words_of_ours(kind: str) -> None:
    for location in (("a", 0, "b"), ("a", "[key]")):
        text = describe_error({"type": kind, "loc": location, "ctx": BOUNDS})
        assert text
        assert not PYDANTIC.search(text), text


def test_pydantic_speaks_as_it_did_when_its_phrases_were_listed() -> None:
    context = {"greater_than": {"gt": 3}, "string_pattern_mismatch": {"pattern": "^a$"}}
    for kind in ("missing", "extra_forbidden", "int_type", *context):
        message = PydanticKnownError(kind, context.get(kind)).message()  # type: ignore[arg-type] # a kind of error
        assert PYDANTIC.search(message), message


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        ({"number": 0}, ["must be at least 1"]),
        ({"wait": "15d"}, ["must be at most 14 d"]),
        ({"wait": "0s"}, ["must be at least 1 second"]),
        ({"name": "Bob"}, ["has not the right form: small letters"]),
        ({"name": "b"}, ["must have at least 2 characters"]),
        ({"name": 7}, ["must be text: write it in quotes"]),
        ({"nmae": "bo"}, ["there is no such key; did you mean name?"]),
        ({"colour": "red"}, ["there is no such key: there are number, wait, name"]),
        ([], ["must be an object"]),
    ],
)
def test_bound_and_near_miss_are_named(document: object, texts: list[str]) -> None:
    assert describe(Size, document) == texts


def test_keys_of_a_step_are_those_of_its_kind() -> None:
    [text, missing] = describe(Steps, {"steps": [{"kind": "set_weight", "percnt": 5}]})
    assert {text, missing} == {"missing", "there is no such key; did you mean percent?"}
    [text] = describe(Steps, {"steps": [{"kind": "approval", "percent": 5}]})
    assert text == "there is no such key: there are kind, timeout"
