"""Responses, compared with botocore's service model: complete, tolerant, without secrets."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from pydantic import BaseModel, TypeAdapter
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.configuration_response import HIDDEN_VALUE, FunctionConfiguration
from activities.event_source_mapping_models import EventSourceMappingConfiguration
from activities.function_models import GetFunctionResponse
from activities.shapes import Response
from tests.activities.model import NEW, request_shape, response_shape, sample
from tests.activities.operations import METHODS, answer_of, bound, request_of

ANSWERS = {name: shape for name in METHODS if (shape := response_shape(name)) is not None}

LEFT_OUT = {("Code", "Location")}
"""Members of answers that no history may hold."""

OURS = {"invoke": {"PayloadTruncated"}}


class Echo:
    """A port that answers each operation with every member of its shape."""

    def __init__(self, answer: Mapping[str, Any] | None = None) -> None:
        self.answer = answer
        self.sent: list[tuple[str, str, Mapping[str, Any]]] = []

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        self.sent.append((service, operation, parameters))
        shape = response_shape(operation)
        answer = (
            self.answer if self.answer is not None else sample(shape, enum=NEW) if shape else {}
        )
        return {name: value for name, value in answer.items() if name != "NextMarker"}


def everything_for(operation: str) -> Any:
    request = request_of(operation)
    everything = sample(shape) if (shape := request_shape(operation)) else {}
    if operation in {"create_alias", "update_alias"}:
        everything["FunctionVersion"] = "6"
    return request.model_validate(everything) if request else None


def members(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                if (*path, name)[-2:] not in LEFT_OUT:
                    yield (*path, name)
                    yield from members(member, (*path, name))
        case ListShape():
            yield from members(shape.member, path)
        case MapShape():
            yield from members(shape.value, path)
        case _:
            return


def known(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member of an answer's model, by AWS's names, down to the last."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield (*path, field.alias or name)
            yield from known(field.annotation, (*path, field.alias or name))
    else:
        for inner in typing.get_args(model):
            yield from known(inner, path)


def optional(model: Any) -> Iterator[Any]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        for field in model.model_fields.values():
            yield field.is_required()
            yield from optional(field.annotation)
    else:
        for inner in typing.get_args(model):
            yield from optional(inner)


@pytest.mark.parametrize("operation", ANSWERS)
def test_response_has_every_member_that_a_history_may_hold(
    operation: str,
) -> None:
    ours = {(name,) for name in OURS.get(operation, ())}
    assert {*known(answer_of(operation))} - ours == {*members(ANSWERS[operation])}


@pytest.mark.parametrize("operation", METHODS)
def test_response_is_none_only_where_aws_has_none(operation: str) -> None:
    assert (answer_of(operation) is type(None)) == (operation not in ANSWERS)


@pytest.mark.parametrize("operation", ANSWERS)
def test_response_requires_no_member(operation: str) -> None:
    assert not any(optional(answer_of(operation)))
    assert answer_of(operation).model_validate({}) is not None


@pytest.mark.parametrize("operation", ANSWERS)
def test_response_with_values_and_members_of_later_is_read(operation: str) -> None:
    def more(value: Any) -> Any:
        match value:
            case dict():
                return {
                    **{name: more(inner) for name, inner in value.items()},
                    "AddedLater": {"Deep": [1]},
                }
            case list():
                return [more(inner) for inner in value]
            case _:
                return value

    plain = sample(ANSWERS[operation], enum=NEW)
    later = {
        name: more(value) if not _is_map(ANSWERS[operation], name) else value
        for name, value in plain.items()
    } | {"AddedLater": 1}
    for tree in _maps_of(ANSWERS[operation]):
        _without(later, tree)
    assert answer_of(operation).model_validate(later) == answer_of(operation).model_validate(plain)


def _is_map(shape: Shape, name: str) -> bool:
    return isinstance(shape, StructureShape) and isinstance(shape.members[name], MapShape)


def _maps_of(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where maps stand: what is added there is not an unknown member but one entry more."""
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                yield from _maps_of(member, (*path, name))
        case ListShape():
            yield from _maps_of(shape.member, (*path, "[]"))
        case MapShape():
            yield path
        case _:
            return


def _without(document: Any, path: tuple[str, ...]) -> None:
    if not path:
        document.pop("AddedLater", None)
    elif path[0] == "[]":
        for item in document:
            _without(item, path[1:])
    elif path[0] in document:
        _without(document[path[0]], path[1:])


@pytest.mark.parametrize("operation", METHODS)
async def test_operation_calls_its_namesake_and_returns_the_response(
    operation: str,
) -> None:
    port, request = Echo(), everything_for(operation)
    answer = await bound(operation, port)(*([request] if request is not None else []))
    service, called, parameters = port.sent[0]
    assert (service, called) == ("lambda", operation)
    if operation.startswith("list_") and operation != "list_tags":
        assert {**parameters, "MaxItems": 1, "Marker": "x"} == {
            **sample(request_shape(operation)),
            "MaxItems": 1,
            "Marker": "x",
        }
    else:
        assert parameters == (request.parameters() if request else {})
    if operation in ANSWERS:
        assert isinstance(answer, answer_of(operation))
    else:
        assert answer is None


@pytest.mark.parametrize("operation", ANSWERS)
async def test_response_survives_a_payload(operation: str) -> None:
    answer = answer_of(operation).model_validate(sample(ANSWERS[operation], enum=NEW))
    payloads = await pydantic_data_converter.encode([answer])
    assert await pydantic_data_converter.decode(payloads, [answer_of(operation)]) == [answer]
    spelt = json.loads(payloads[0].data)
    assert {*spelt} <= {*ANSWERS[operation].members} | OURS.get(operation, set())


def test_configuration_has_40_members_and_a_mapping_33() -> None:
    assert len(FunctionConfiguration.model_fields) == 40
    assert len(EventSourceMappingConfiguration.model_fields) == 33


def _holds(value: Any, secret: str) -> bool:
    return secret in json.dumps(value, default=str) or secret in repr(value)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "operation",
    [
        "create_function",
        "get_function",
        "get_function_configuration",
        "list_functions",
        "list_versions_by_function",
        "publish_version",
        "update_function_code",
        "update_function_configuration",
    ],
)
async def test_operation_returns_no_environment_value_and_no_url(
    operation: str,
) -> None:
    def poisoned(shape: Shape | None) -> Any:
        return json.loads(
            json.dumps(sample(shape), default=str)
            .replace('"Variables": {"LOG_LEVEL": "x"}', f'"Variables": {{"LOG_LEVEL": "{SECRET}"}}')
            .replace('"Location": "x"', f'"Location": "https://code/?X-Amz-Signature={SECRET}"')
        )

    answer = poisoned(response_shape(operation))
    assert _holds(answer, SECRET)
    result = await bound(operation, Echo(answer))(everything_for(operation))
    assert not _holds(result.model_dump(mode="json", by_alias=True), SECRET)
    assert not _holds(result, SECRET)
    assert "LOG_LEVEL" in repr(result)


@pytest.mark.parametrize("port", ["python", "json"])
def test_environment_value_cannot_be_held(port: str) -> None:
    document = {"Environment": {"Variables": {"TOKEN": SECRET, "ODD": None}}}
    found = (
        FunctionConfiguration.model_validate(document)
        if port == "python"
        else TypeAdapter(FunctionConfiguration).validate_json(json.dumps(document))
    )
    assert found.environment is not None
    assert found.environment.variables == {"TOKEN": HIDDEN_VALUE, "ODD": HIDDEN_VALUE}


def test_text_is_cut_to_what_a_history_holds() -> None:
    found = FunctionConfiguration.model_validate({"StateReason": "x" * 3_000_000})
    assert found.state_reason is not None
    assert len(found.state_reason) < 101_000
    assert "cut" in found.state_reason


def test_code_location_comes_without_its_url() -> None:
    found = GetFunctionResponse.model_validate(
        {"Code": {"Location": "https://signed", "ImageUri": "repo/image:1"}}
    )
    assert found.model_dump(by_alias=True) == {"Code": {"ImageUri": "repo/image:1"}}


def test_response_is_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        FunctionConfiguration().version = "8"  # type: ignore[misc]
    assert issubclass(FunctionConfiguration, Response)
