"""The alphabet of AWS Lambda's API: base models, and the names, numbers and ARNs every operation is made of.

A *request* is strict: what it does not know it refuses. A *response* is lenient: AWS may add members at any time, and an
answer that failed to decode would stop a release in the middle. Both are immutable, snake_case in Python and spelt
as AWS spells them on the wire, so an activity's input is what ``aws lambda … --cli-input-json`` takes.

Patterns and limits are those of botocore's service model (lambda, 2015-03-31); botocore itself checks only types, required
members and minimums.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic.alias_generators import to_pascal


class Shape(BaseModel):
    """Something AWS has a name for. Members that are absent are absent on the wire too, not null."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_pascal,
        populate_by_name=True,
        hide_input_in_errors=True,
        ser_json_bytes="base64",
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

    refused_as: ClassVar[str] = "Invalid"
    """The failure type that a malformed one ends with (see :mod:`workflows.plugin`)."""


class Response(Shape):
    """What an operation answers: members that we do not know yet are ignored."""

    model_config = ConfigDict(extra="ignore")


_PARTITION = r"arn:(aws[a-zA-Z-]*)?:lambda:"
_REGION = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:"
_NAME = rf"^({_PARTITION})?({_REGION})?(\d{{12}}:)?(function:)?"

FunctionName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=140,
        pattern=_NAME + r"([a-zA-Z0-9-_]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$",
        description="Name, partial ARN (123456789012:function:name) or ARN of a function.",
    ),
]
Qualifier = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_$]+)$", description="A version or an alias.")
]
AliasName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*$",
        description="Not digits only: those are versions.",
    ),
]
Version = Annotated[
    str,
    Field(
        min_length=1, max_length=1024, pattern=r"^(\$LATEST(\.PUBLISHED)?|[0-9]+)$", description="A published version's number, or $LATEST."
    ),
]
