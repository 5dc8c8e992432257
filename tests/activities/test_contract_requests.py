"""Requests, compared with botocore's service model member by member."""

from __future__ import annotations

import base64
import json
import re
import string
from typing import Any

import pytest
from botocore.model import MapShape, Shape, StructureShape
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.function_models import CreateFunctionRequest, DeleteFunctionRequest
from activities.shapes import Request
from tests.activities.model import (
    Path,
    Scalar,
    at,
    lists,
    maps,
    matches,
    request_shape,
    sample,
    scalars,
)
from tests.activities.operations import METHODS, THIRTY, request_of

REQUESTS = {name: request for name in METHODS if (request := request_of(name))}
SHAPES = {name: shape for name in REQUESTS if (shape := request_shape(name)) is not None}

OURS = {"delete_function": {"Confirm"}}
"""Members that AWS does not know."""

MADE_HERE = {"add_permission": {"StatementId"}}
"""Members that AWS requires and we make up where they are absent."""

OPEN = {"Runtime", "SourceAccessType"}
"""Enumerations that grow with AWS: only their form is checked."""


def members(model: type[Request]) -> dict[str, bool]:
    return {field.alias or name: field.is_required() for name, field in model.model_fields.items()}


def encoded(document: Any) -> str:
    return json.dumps(
        document,
        default=lambda value: (
            base64.b64encode(value).decode() if isinstance(value, bytes) else value.isoformat()
        ),
    )


def complaints(operation: str, path: Path, value: Any) -> list[Any]:
    """The problem that our model has with a value at a path, in JSON as from Temporal."""
    try:
        REQUESTS[operation].model_validate_json(encoded(at(path, value)))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        return [problem for problem in found if problem["loc"][: len(path)] == path]
    return []


def structures(operation: str) -> list[tuple[Path, StructureShape]]:
    found: list[tuple[Path, StructureShape]] = []

    def walk(shape: Shape, path: Path) -> None:
        if isinstance(shape, StructureShape):
            found.append((path, shape))
            for name, member in shape.members.items():
                walk(member, (*path, name))
        elif shape.type_name == "list":
            walk(shape.member, (*path, 0))
        elif isinstance(shape, MapShape):
            walk(shape.value, (*path, sample(shape.key)))

    walk(SHAPES[operation], ())
    return found


def leaves(*kinds: str) -> list[Scalar]:
    """One leaf for each different botocore shape of these kinds in each operation."""
    found: dict[tuple[str, str], Scalar] = {}
    for operation, shape in SHAPES.items():
        for leaf in scalars(operation, shape):
            if leaf.shape.type_name in kinds:
                found.setdefault((operation, leaf.shape.name), leaf)
    return list(found.values())


def test_operations_of_the_seed_are_activities() -> None:
    assert {*METHODS} == {*THIRTY, "get_function_concurrency"}


@pytest.mark.parametrize("operation", SHAPES)
def test_request_has_every_member_under_awss_name(operation: str) -> None:
    assert {*members(REQUESTS[operation])} - OURS.get(operation, set()) == {
        *SHAPES[operation].members
    }


@pytest.mark.parametrize("operation", SHAPES)
def test_request_requires_what_aws_requires(operation: str) -> None:
    required = {name for name, required in members(REQUESTS[operation]).items() if required}
    assert required | MADE_HERE.get(operation, set()) == {*SHAPES[operation].required_members}


@pytest.mark.parametrize("operation", SHAPES)
def test_nested_structure_has_awss_members_and_refuses_others(
    operation: str,
) -> None:
    for path, shape in structures(operation):
        if path:
            missing = {
                problem["loc"][-1]
                for problem in complaints(operation, path, {})
                if problem["type"] == "missing"
            }
            assert missing == {*shape.required_members}, path
        for name in shape.members:
            problems = complaints(operation, (*path, name), sample(shape.members[name]))
            assert not problems, (path, name, problems)
        assert complaints(operation, (*path, "NoSuchMember"), "x"), path


@pytest.mark.parametrize("operation", SHAPES)
def test_request_with_every_member_goes_to_botocore_unchanged(
    operation: str,
) -> None:
    everything = sample(SHAPES[operation])
    if operation in {"create_alias", "update_alias"}:
        everything["FunctionVersion"] = "6"
    request = REQUESTS[operation].model_validate_json(encoded(everything))
    assert request.parameters() == everything
    report = ParamValidator().validate(request.parameters(), SHAPES[operation])
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("operation", SHAPES)
def test_request_survives_a_payload(operation: str) -> None:
    everything = sample(SHAPES[operation])
    if operation in {"create_alias", "update_alias"}:
        everything["FunctionVersion"] = "6"
    request = REQUESTS[operation].model_validate_json(encoded(everything))
    assert type(request).model_validate_json(request.model_dump_json(by_alias=True)) == request


@pytest.mark.parametrize("leaf", leaves("integer", "long"), ids=str)
def test_integer_has_awss_limits_and_is_no_text_and_no_flag(leaf: Scalar) -> None:
    low, high = leaf.shape.metadata.get("min", -(10**6)), leaf.shape.metadata.get("max", 10**6)
    for accepted in (low, high):
        assert not complaints(leaf.operation, leaf.path, accepted), accepted
    refused = [str(high), True, low + 0.5]
    refused += [low - 1] if "min" in leaf.shape.metadata else []
    refused += [high + 1] if "max" in leaf.shape.metadata else []
    for value in refused:
        assert complaints(leaf.operation, leaf.path, value), value


@pytest.mark.parametrize("leaf", leaves("double", "float"), ids=str)
def test_number_has_awss_limits_and_is_no_text_and_no_flag(leaf: Scalar) -> None:
    low, high = leaf.shape.metadata["min"], leaf.shape.metadata["max"]
    for accepted in (low, high, (low + high) / 2):
        assert not complaints(leaf.operation, leaf.path, accepted), accepted
    for refused in (low - 0.001, high + 0.001, str(low), True):
        assert complaints(leaf.operation, leaf.path, refused), refused


@pytest.mark.parametrize("leaf", leaves("boolean"), ids=str)
def test_flag_is_no_text_and_no_number(leaf: Scalar) -> None:
    for accepted in (True, False):
        assert not complaints(leaf.operation, leaf.path, accepted)
    for refused in ("true", 1, 0, "no"):
        assert complaints(leaf.operation, leaf.path, refused), refused


@pytest.mark.parametrize(
    "leaf", [leaf for leaf in leaves("string") if "enum" in leaf.shape.metadata], ids=str
)
def test_enumeration_accepts_botocores_values_only(
    leaf: Scalar,
) -> None:
    for value in leaf.shape.metadata["enum"]:
        assert not complaints(leaf.operation, leaf.path, value), value
    assert complaints(leaf.operation, leaf.path, "not a value!")
    assert bool(complaints(leaf.operation, leaf.path, "BRAND_NEW")) == (
        leaf.shape.name != "SourceAccessType"
    )


def test_runtime_that_botocore_does_not_know_is_accepted() -> None:
    assert not complaints("create_function", ("Runtime",), "python4.2")
    assert complaints("create_function", ("Runtime",), "Python 3.13")


@pytest.mark.parametrize("operation", SHAPES)
def test_lists_are_as_long_as_aws_accepts(operation: str) -> None:
    for path, shape in lists(SHAPES[operation]):
        item = sample(shape.member)
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
        assert not complaints(operation, path, [item] * low), path
        if high is not None:
            assert not complaints(operation, path, [item] * high), path
            assert complaints(operation, path, [item] * (high + 1)), path
        if low:
            assert complaints(operation, path, []), path


@pytest.mark.parametrize("operation", SHAPES)
def test_map_keys_have_awss_pattern(operation: str) -> None:
    for path, shape in maps(SHAPES[operation]):
        good = sample(shape.key)
        for key in (good, "", f"{good}!", f"{good} ", "ä", "a" * 129, "1" * 1025, "_X", "A"):
            accepted = not [
                problem
                for problem in complaints(operation, path, {key: sample(shape.value)})
                if "[key]" in problem["loc"]
            ]
            assert accepted == matches(shape.key, key), (path, key)


_PATTERNS = {
    leaf.shape.name: leaf for leaf in leaves("string") if "enum" not in leaf.shape.metadata
}
_ALPHABET = st.characters(min_codepoint=32, max_codepoint=126)
_ODD = st.sampled_from([*string.punctuation, " ", "0", "a", "Z", "\n", "\t", ":"])


_EDGES = {
    "CollectionName": ("system.users", "systematic", "system"),
    "DestinationArn": (
        "kafka://dead-letters",
        "kafka://.dead",
        "kafka://" + "a" * 249,
        "kafka://" + "a" * 250,
    ),
    "FunctionName": (
        "f" * 64,
        "f" * 65,
        "function:f",
        "f:$LATEST",
        "f:live",
        "a.b",
        "123456789012:function:f",
    ),
    "NamespacedFunctionName": (
        "f" * 64,
        "f" * 65,
        "us-east-1.f",
        "f" * 65 + ".g",
        "f:$LATEST",
        "f:7",
        "f::",
    ),
    "S3Bucket": ("artifacts.", "arti.facts", "ab"),
}


def _edges(shape: Shape) -> tuple[str, ...]:
    """Texts just within and just beyond a shape's length, and at the edges of its pattern."""
    good, longest = sample(shape), shape.metadata.get("max", 300)
    padded = good + good[-1] * (longest - len(good))
    return (
        *_EDGES.get(shape.name, ()),
        "",
        "x" * longest,
        "x" * (longest + 1),
        padded,
        padded + good[-1],
        f"{good}\n",
        f" {good}",
    )


def _texts(shape: Shape) -> st.SearchStrategy[str]:
    """Texts that match a shape's pattern, and the same with one character changed."""
    pattern = shape.metadata.get("pattern")
    if pattern is None or r"\p{" in pattern:
        good = st.text(_ALPHABET | st.sampled_from("äß€ж "), max_size=20)
    else:
        good = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True, alphabet=_ALPHABET)
    changed = st.builds(
        lambda text, place, odd, cut: (
            text[: place % (len(text) + 1)] + odd + text[place % (len(text) + 1) + cut :]
        ),
        good | st.just(sample(shape)),
        st.integers(0, 200),
        _ODD | st.just(""),
        st.integers(0, 1),
    )
    return good | changed


@pytest.mark.parametrize("name", _PATTERNS)
def test_text_is_accepted_exactly_where_aws_accepts_it(name: str) -> None:
    leaf = _PATTERNS[name]

    def agree(text: str) -> None:
        problems = complaints(leaf.operation, leaf.path, text)
        assert (not problems) == matches(leaf.shape, text) or ".PUBLISHED" in text, (text, problems)

    @settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_texts(leaf.shape))
    def always(text: str) -> None:
        agree(text)

    for text in _edges(leaf.shape):
        agree(text)
    always()


@pytest.mark.parametrize("leaf", leaves("string"), ids=str)
def test_text_of_one_kind_has_the_same_limits_everywhere(leaf: Scalar) -> None:
    longest = leaf.shape.metadata.get("max")
    assert not complaints(leaf.operation, leaf.path, sample(leaf.shape))
    assert complaints(leaf.operation, leaf.path, 7)
    for refused in ("\n", " ", "!", "x" * ((longest or 10) + 1)):
        if leaf.shape.name not in OPEN:
            assert bool(complaints(leaf.operation, leaf.path, refused)) != matches(
                leaf.shape, refused
            ), refused


@pytest.mark.parametrize(
    ("operation", "member"),
    [("update_function_code", "ZipFile"), ("invoke", "Payload"), ("invoke_async", "InvokeArgs")],
)
def test_bytes_are_base64_in_the_alphabet_of_the_aws_cli(operation: str, member: str) -> None:
    blob = bytes(range(256))
    request = REQUESTS[operation].model_validate({"FunctionName": "f", member: blob})
    assert (
        json.loads(request.model_dump_json(by_alias=True))[member]
        == base64.b64encode(blob).decode()
    )
    assert (
        REQUESTS[operation]
        .model_validate_json(request.model_dump_json(by_alias=True))
        .parameters()[member]
        == blob
    )


def test_validation_error_never_repeats_a_sensitive_value() -> None:
    secret = "hunter2"
    documents: list[dict[str, Any]] = [
        {"Environment": {"Variables": {"bad name": secret, "N": [secret]}}},
        {"Code": {"ZipFile": f"{secret}!"}, "Environment": secret},
        {"Code": {"ZipFile": 5, "S3Bucket": f"{secret}."}},
    ]
    for document in documents:
        with pytest.raises(ValidationError, match="validation error") as refused:
            CreateFunctionRequest.model_validate_json(json.dumps(document))
        assert secret not in str(refused.value)
        assert secret not in str(refused.value.errors(include_input=False, include_context=False))
    request = CreateFunctionRequest.model_validate(
        {"FunctionName": "f", "Role": sample_role(), "Code": {"ZipFile": secret.encode()}}
    )
    assert secret not in repr(request)


def sample_role() -> str:
    return "arn:aws:iam::123456789012:role/worker"


def test_environment_values_are_not_in_the_repr() -> None:
    request = REQUESTS["update_function_configuration"].model_validate(
        {"FunctionName": "f", "Environment": {"Variables": {"TOKEN": "hunter2"}}}
    )
    assert "hunter2" not in repr(request)


def test_delete_of_a_whole_function_needs_its_confirmation() -> None:
    for refused in (
        {"FunctionName": "f"},
        {"FunctionName": "f", "Confirm": "g"},
        {"FunctionName": "function:7"},
    ):
        with pytest.raises(ValidationError, match="as Confirm"):
            DeleteFunctionRequest.model_validate(refused)
    for accepted in (
        {"FunctionName": "f", "Confirm": "f"},
        {"FunctionName": "123456789012:function:f", "Confirm": "f"},
    ):
        assert DeleteFunctionRequest.model_validate(accepted)


@pytest.mark.parametrize(
    "name", ["f:live", "f:$LATEST", "arn:aws:lambda:eu-west-1:123456789012:function:f:live"]
)
def test_delete_of_a_version_names_no_alias_and_not_latest(name: str) -> None:
    function, _, qualifier = name.rpartition(":")
    for request in (
        {"FunctionName": name, "Confirm": "f"},
        {"FunctionName": function, "Qualifier": qualifier, "Confirm": "f"},
    ):
        with pytest.raises(ValidationError, match="only a published version"):
            DeleteFunctionRequest.model_validate(request)
    assert DeleteFunctionRequest.model_validate({"FunctionName": f"{function}:7"})
    assert DeleteFunctionRequest.model_validate({"FunctionName": function, "Qualifier": "7"})


@pytest.mark.parametrize("operation", ["create_alias", "update_alias"])
def test_alias_routes_to_one_other_version(operation: str) -> None:
    def refused(version: str, weights: dict[str, float]) -> bool:
        document = {"FunctionName": "f", "Name": "live", "FunctionVersion": version}
        try:
            REQUESTS[operation].model_validate(
                {**document, "RoutingConfig": {"AdditionalVersionWeights": weights}}
            )
        except ValidationError:
            return True
        return False

    assert not refused("1", {"2": 0.1})
    assert not refused("1", {})
    assert not refused("$LATEST", {})
    assert refused("1", {"2": 0.1, "3": 0.1})
    assert refused("1", {"1": 0.1})
    assert refused("$LATEST", {"2": 0.1})
    assert refused("1", {"$LATEST": 0.1})
