"""Base models and primitive types of AWS Lambda's API.

A *request* is strict: it refuses unknown members. A *response* is lenient: AWS may add members at
any time, and a response that failed to decode would stop a release halfway. Both are immutable,
snake_case in Python and spelled as AWS spells them on the wire. So the input of an activity is what
``aws lambda … --cli-input-json`` takes.

A structure that is both sent and received has two classes, as it has in AWS's own model in some
places: ``VpcConfig`` is sent, ``VpcConfigResponse`` is received.

Patterns and limits are those of botocore's service model (lambda, 2015-03-31). botocore itself
checks only types, required members and minimums. Patterns are Rust's, as pydantic uses them: they
have no lookahead or lookbehind, and ``$`` is the end of the text.
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

_SPELLING_EXCEPTIONS: Final = {
    "document_db_event_source_config": "DocumentDBEventSourceConfig",
    "execution_environment_memory_gib_per_v_cpu": "ExecutionEnvironmentMemoryGiBPerVCpu",
    "kms_key_arn": "KMSKeyArn",
    "principal_org_id": "PrincipalOrgID",
    "schema_registry_uri": "SchemaRegistryURI",
    "source_kms_key_arn": "SourceKMSKeyArn",
    "uri": "URI",
    "uuid": "UUID",
}


_MAX_TEXT_CHARACTERS: Final = 100_000


def _to_aws_name(member: str) -> str:
    return _SPELLING_EXCEPTIONS.get(member) or to_pascal(member)


class Shape(BaseModel):
    """A structure of AWS's API; absent members are left out on the wire."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=_to_aws_name,
        populate_by_name=True,
        hide_input_in_errors=True,
        val_json_bytes="base64",
    )

    @model_serializer(mode="wrap")
    def _drop_absent_members(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    def parameters(self) -> dict[str, Any]:
        """Return this shape as botocore takes it, without absent members.

        Names are AWS's; bytes and dates are Python's.
        """
        return self.model_dump(by_alias=True, exclude_none=True)


class Request(Shape):
    """The input of an operation.

    Unknown members are refused, and so are values out of AWS's bounds.
    """

    model_config = ConfigDict(extra="forbid")

    failure_type: ClassVar[str] = "Invalid"
    """The failure type for a malformed one (see :mod:`workflows.temporal.payloads`)."""


class Response(Shape):
    """The output of an operation.

    Unknown members are ignored, and enumerations are plain text.
    """

    model_config = ConfigDict(extra="ignore")


Integer = Annotated[int, Field(strict=True)]
Boolean = Annotated[bool, Field(strict=True)]
Double = Annotated[float, Field(strict=True)]
"""Strict: ``"5"`` is not an integer and ``1`` is not a boolean, though pydantic accepts both."""

Blob = Annotated[
    bytes,
    Field(strict=True),
    PlainSerializer(lambda blob: base64.b64encode(blob).decode(), when_used="json"),
]
"""Bytes; on the wire base64 in the standard alphabet, as the AWS CLI has it.

pydantic's own encoding uses the URL-safe alphabet.
"""

REGION: Final = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]"
_ARN_PREFIX: Final = rf"^(arn:(aws[a-zA-Z-]*)?:lambda:)?({REGION}:)?([0-9]{{12}}:)?(function:)?"
_QUALIFIER_SUFFIX: Final = r"(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9_-]+))?$"

FunctionName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=140,
        pattern=rf"{_ARN_PREFIX}([a-zA-Z0-9_-]{{1,64}}){_QUALIFIER_SUFFIX}",
        description="Name (at most 64 characters), partial ARN (123456789012:function:name) or ARN"
        " of a function.",
    ),
]
NamespacedFunctionName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=rf"{_ARN_PREFIX}([a-zA-Z0-9_-]{{1,64}}|[a-zA-Z0-9_-]*\.[a-zA-Z0-9._-]*)"
        rf"{_QUALIFIER_SUFFIX}",
        description="Name (at most 64 characters), partial ARN or ARN of a function, each with an"
        " optional :qualifier.",
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
    """The parts of a function's name, partial ARN or ARN; None for absent parts."""

    region: str | None
    account: str | None
    name: str
    qualifier: str | None


_FUNCTION_PARTS: Final = re.compile(
    rf"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?(?:(?P<region>{REGION}):)?"
    r"(?:(?P<account>[0-9]{12}):)?(?:function:)?(?P<name>[^:]+)(?::(?P<qualifier>.+))?"
)


def parse_function_name(function: str) -> FunctionParts:
    """Split a function's name, partial ARN or ARN; any other text is all name."""
    match = _FUNCTION_PARTS.fullmatch(function)
    return (
        FunctionParts(match["region"], match["account"], match["name"], match["qualifier"])
        if match
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
PublishedVersionNumber = Annotated[
    str, Field(pattern=r"^[0-9]+$", description="A published version's number.")
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
        description="An ARN; empty text removes it.",
    ),
]
RoleArn = Annotated[
    str,
    Field(
        max_length=10000,
        pattern=r"^arn:(aws[a-zA-Z-]*)?:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@/-]+$",
        description="The ARN of a role, such as arn:aws:iam::123456789012:role/checkout.",
    ),
]
TenantId = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9._:/=+@ -]+$")]
"""Which tenant an invocation is for, where the function isolates tenants."""
Uuid = Annotated[str, Field(min_length=36, max_length=36)]

_TAG: Final = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$"
TagKey = Annotated[str, Field(min_length=1, max_length=128, pattern=_TAG)]
TagValues = dict[TagKey, Annotated[str, Field(max_length=256, pattern=_TAG)]]


def _truncate(text: str) -> str:
    if len(text) <= _MAX_TEXT_CHARACTERS:
        return text
    return f"{text[:_MAX_TEXT_CHARACTERS]}… (cut: {len(text)} characters)"


BoundedText = Annotated[str, AfterValidator(_truncate)]
"""Text of AWS's, cut to the 100,000 characters that a history may hold; a cut is marked."""
