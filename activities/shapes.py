"""The alphabet of AWS Lambda's API: base models, and the names, numbers and ARNs every operation is made of.

A *request* is strict: what it does not know it refuses. A *response* is lenient: AWS may add members at any time, and an
answer that failed to decode would stop a release in the middle. Both are immutable, snake_case in Python and spelt
as AWS spells them on the wire, so an activity's input is what ``aws lambda … --cli-input-json`` takes.

Where one structure is both asked and answered there are two classes, as AWS itself has them for some: ``VpcConfig`` is what
we ask for, ``VpcConfigResponse`` what AWS says.

Patterns and limits are those of botocore's service model (lambda, 2015-03-31); botocore itself checks only types, required
members and minimums. pydantic's patterns are Rust's: no look-around, and ``$`` is the end of the text.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.alias_generators import to_pascal

_SPELT_OTHERWISE: Final = {
    "document_db_event_source_config": "DocumentDBEventSourceConfig",
    "execution_environment_memory_gib_per_v_cpu": "ExecutionEnvironmentMemoryGiBPerVCpu",
    "kms_key_arn": "KMSKeyArn",
    "principal_org_id": "PrincipalOrgID",
    "schema_registry_uri": "SchemaRegistryURI",
    "source_kms_key_arn": "SourceKMSKeyArn",
    "uri": "URI",
    "uuid": "UUID",
}


def _as_aws_spells(member: str) -> str:
    return _SPELT_OTHERWISE.get(member) or to_pascal(member)


class Shape(BaseModel):
    """Something AWS has a name for. Members that are absent are absent on the wire too, not null."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=_as_aws_spells,
        populate_by_name=True,
        hide_input_in_errors=True,
        val_json_bytes="base64",
    )

    @model_serializer(mode="wrap")
    def _without_absent_members(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    def parameters(self) -> dict[str, Any]:
        """This shape as botocore takes it: AWS's names, Python's own bytes and dates, nothing absent."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Request(Shape):
    """What may be asked of an operation: unknown members are refused, and so is a value out of AWS's bounds."""

    model_config = ConfigDict(extra="forbid")

    failure_type: ClassVar[str] = "Invalid"
    """The failure type that a malformed one ends with (see :mod:`workflows.temporal.plugin`)."""


class Response(Shape):
    """What an operation answers: members that we do not know yet are ignored, and every enumeration is plain text."""

    model_config = ConfigDict(extra="ignore")


Integer = Annotated[int, Field(strict=True)]
Boolean = Annotated[bool, Field(strict=True)]
Double = Annotated[float, Field(strict=True)]
"""Numbers are numbers and flags are flags: ``"5"`` is no 5 and ``1`` is no true, though pydantic would let them pass."""

Blob = Annotated[
    bytes,
    Field(strict=True),
    PlainSerializer(lambda blob: base64.b64encode(blob).decode(), when_used="json"),
]
"""Bytes; base64 on the wire, in the alphabet that ``base64`` and the AWS CLI use (pydantic's own is the URL-safe one)."""

REGION: Final = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]"
_FROM_ARN: Final = rf"^(arn:(aws[a-zA-Z-]*)?:lambda:)?({REGION}:)?([0-9]{{12}}:)?(function:)?"
_QUALIFIER: Final = r"(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9_-]+))?$"

FunctionName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=140,
        pattern=rf"{_FROM_ARN}([a-zA-Z0-9_-]{{1,64}}){_QUALIFIER}",
        description="Name (at most 64 characters), partial ARN (123456789012:function:name) or ARN of a function.",
    ),
]
NamespacedFunctionName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=rf"{_FROM_ARN}([a-zA-Z0-9_-]{{1,64}}|[a-zA-Z0-9_-]*\.[a-zA-Z0-9._-]*){_QUALIFIER}",
        description="Name (at most 64 characters), partial ARN or ARN of a function, each of them with a :qualifier if need be.",
    ),
]
Qualifier = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9_$-]+)$",
        description="A version or an alias.",
    ),
]


class FunctionParts(NamedTuple):
    """What a function's name, partial ARN or ARN says; None for what it does not say."""

    region: str | None
    account: str | None
    name: str
    qualifier: str | None


_APART: Final = re.compile(
    rf"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?(?:(?P<region>{REGION}):)?(?:(?P<account>[0-9]{{12}}):)?(?:function:)?"
    r"(?P<name>[^:]+)(?::(?P<qualifier>.+))?"
)


def parse_function_name(function: str) -> FunctionParts:
    """Take a function's name, partial ARN or ARN apart. What is none of them is all name."""
    found = _APART.fullmatch(function)
    return (
        FunctionParts(found["region"], found["account"], found["name"], found["qualifier"])
        if found
        else FunctionParts(None, None, function, None)
    )


AliasName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*$",
        description="Not digits only: those are versions.",
    ),
]
Version = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1024,
        pattern=r"^(\$LATEST(\.PUBLISHED)?|[0-9]+)$",
        description="A published version's number, or $LATEST.",
    ),
]
Description = Annotated[str, Field(max_length=256)]

Arn = Annotated[
    str,
    Field(
        max_length=10000,
        pattern=rf"^arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9-])+:({REGION})?:([0-9]{{12}})?:(.*)$",
    ),
]
ResourceArn = Annotated[
    str,
    Field(
        max_length=10000,
        pattern=r"^((arn:(aws[a-zA-Z-]*)?:[a-z0-9.-]+:.*)|())$",
        description="An ARN; empty text takes it away.",
    ),
]
RoleArn = Annotated[
    str,
    Field(
        max_length=10000,
        pattern=r"^arn:(aws[a-zA-Z-]*)?:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@/-]+$",
    ),
]
Uuid = Annotated[str, Field(min_length=36, max_length=36)]

_TAG: Final = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$"
TagKey = Annotated[str, Field(min_length=1, max_length=128, pattern=_TAG)]
TagValues = dict[TagKey, Annotated[str, Field(max_length=256, pattern=_TAG)]]

_MOST_TEXT: Final = 100_000


def _cut(text: str) -> str:
    return (
        text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}… (cut: {len(text)} characters)"
    )


BoundedText = Annotated[str, AfterValidator(_cut)]
"""AWS's own text, as far as a history may hold it: 100,000 characters, then cut with a word about it."""
