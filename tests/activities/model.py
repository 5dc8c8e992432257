"""botocore's service model of Lambda: paths through it, and samples of everything in it."""

from __future__ import annotations

import datetime as dt
import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from activities.shapes import parse_function_name

SERVICE = ServiceModel(Loader().load_service_model("lambda", "service-2"))

_PLACE = "eu-west-1:123456789012"
_LAMBDA = f"arn:aws:lambda:{_PLACE}"
_FUNCTION = f"{_LAMBDA}:function:checkout"
_UUID = "00000000-0000-0000-0000-000000000001"

SAMPLES = {
    "Action": "lambda:InvokeFunction",
    "AdditionalVersion": "7",
    "Alias": "live",
    "Arn": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "CapacityProviderArn": "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:big",
    "CodeSigningConfigArn": f"{_LAMBDA}:code-signing-config:csc-0123456789abcdef0",
    "CollectionName": "orders",
    "DatabaseName": "shop",
    "DestinationArn": "arn:aws:sqs:eu-west-1:123456789012:dead",
    "DurableExecutionArn": f"{_FUNCTION}:7/durable-execution/one/two",
    "DurableExecutionName": "order-1",
    "Endpoint": "broker-1.example.com:9092",
    "EnvironmentVariableName": "LOG_LEVEL",
    "EventSourceMappingArn": f"{_LAMBDA}:event-source-mapping:{_UUID}",
    "EventSourceToken": "amzn1.ask.skill.1",
    "FileSystemArn": f"arn:aws:elasticfilesystem:{_PLACE}:access-point/fsap-0123456789abcdef0",
    "FilterCriteriaErrorCode": "KMSAccessDeniedException",
    "FilterCriteriaErrorMessage": "no access to the key",
    "FunctionArn": f"{_FUNCTION}:live",
    "FunctionName": "checkout",
    "Handler": "app.handler",
    "KMSKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1",
    "LayerVersionArn": "arn:aws:lambda:eu-west-1:123456789012:layer:tools:3",
    "LocalMountPath": "/mnt/data",
    "LogGroup": "/aws/lambda/checkout",
    "MasterRegion": "ALL",
    "NameSpacedFunctionArn": f"{_FUNCTION}:7",
    "NamespacedFunctionName": "checkout:live",
    "NamespacedStatementId": "s3.invoke",
    "NumericLatestPublishedOrAliasQualifier": "7",
    "Pattern": '{"body": [{"exists": true}]}',
    "Principal": "s3.amazonaws.com",
    "PrincipalOrgID": "o-0123456789",
    "ProvisionedPollerGroupName": "pollers",
    "Queue": "orders",
    "ResourceArn": "arn:aws:sqs:eu-west-1:123456789012:dead",
    "RoleArn": "arn:aws:iam::123456789012:role/worker",
    "RuntimeVersionArn": "arn:aws:lambda:eu-west-1::runtime:0123456789",
    "S3Bucket": "artifacts",
    "S3Key": "checkout/42.zip",
    "S3ObjectVersion": "v1",
    "SchemaRegistryUri": "https://registry.example.com",
    "SecurityGroupId": "sg-1",
    "SourceOwner": "123456789012",
    "StatementId": "s3-invoke",
    "SubnetId": "subnet-1",
    "TagKey": "team",
    "TagValue": "shop",
    "TaggableResource": _FUNCTION,
    "TagsErrorCode": "AccessDeniedException",
    "TagsErrorMessage": "x" * 84,
    "TenantId": "tenant 1",
    "Timestamp": "2026-11-22T10:05:00.000+0000",
    "Topic": "orders",
    "URI": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:broker",
    "UUIDString": _UUID,
    "Version": "7",
    "VersionWithLatestPublished": "7",
}

NEW = "SomethingNew"
"""An enumerated value that AWS adds after our release."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Scalar:
    """A leaf of a request: its path, and its shape."""

    operation: str
    path: Path
    shape: Shape

    def __str__(self) -> str:
        return f"{self.operation}-{'.'.join(map(str, self.path))}"


def pascal(operation: str) -> str:
    found: str = next(name for name in SERVICE.operation_names if _snake(name) == operation)
    return found


@functools.cache
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def request_shape(operation: str) -> StructureShape | None:
    shape: StructureShape | None = SERVICE.operation_model(pascal(operation)).input_shape
    return shape


def response_shape(operation: str) -> StructureShape | None:
    shape: StructureShape | None = SERVICE.operation_model(pascal(operation)).output_shape
    return shape


def scalars(operation: str, shape: Shape, path: Path = ()) -> Iterator[Scalar]:
    """Every leaf under a shape, with its path.

    The path has member names, 0 for a list's item, and a sample key for a map's value.
    """
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                yield from scalars(operation, member, (*path, name))
        case ListShape():
            yield from scalars(operation, shape.member, (*path, 0))
        case MapShape():
            yield from scalars(operation, shape.value, (*path, sample(shape.key)))
        case _:
            yield Scalar(operation, path, shape)


def lists(shape: Shape, path: Path = ()) -> Iterator[tuple[Path, ListShape]]:
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                yield from lists(member, (*path, name))
        case ListShape():
            yield path, shape
            yield from lists(shape.member, (*path, 0))
        case MapShape():
            yield from lists(shape.value, (*path, sample(shape.key)))
        case _:
            return


def maps(shape: Shape, path: Path = ()) -> Iterator[tuple[Path, MapShape]]:
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                yield from maps(member, (*path, name))
        case ListShape():
            yield from maps(shape.member, (*path, 0))
        case MapShape():
            yield path, shape
        case _:
            return


def at(path: Path, value: Any) -> Any:
    """The document that has ``value`` at the end of ``path``, and nothing else."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def sample(shape: Shape, *, enum: str | None = None) -> Any:
    """A value of a shape with every member set, in Python's own types.

    Enumerated text is ``enum`` where that is given.
    """
    match shape:
        case StructureShape():
            return {name: sample(member, enum=enum) for name, member in shape.members.items()}
        case ListShape():
            return [sample(shape.member, enum=enum)]
        case MapShape():
            return {sample(shape.key): sample(shape.value, enum=enum)}
        case _ if "enum" in shape.metadata:
            return enum or shape.metadata["enum"][0]
        case _:
            return _SCALARS[shape.type_name](shape)


def _text(shape: Shape) -> str:
    return SAMPLES.get(shape.name) or "x" * max(1, shape.metadata.get("min", 1))


def _whole(shape: Shape) -> int:
    least: int = shape.metadata.get("min", 1)
    return max(1, least)


_SCALARS: dict[str, Callable[[Shape], Any]] = {
    "string": _text,
    "integer": _whole,
    "long": _whole,
    "double": lambda shape: float(shape.metadata.get("max", 1)),
    "boolean": lambda _: True,
    "blob": lambda _: b'{"a": 1}\xff\xfe',
    "timestamp": lambda _: dt.datetime(2026, 11, 22, 10, 5, tzinfo=dt.UTC),
}


def matches(shape: Shape, text: str) -> bool:
    """Whether botocore's model accepts a text: length, enumeration, pattern.

    A pattern is matched in full and in ASCII, as AWS does.
    """
    limits = shape.metadata
    if not limits.get("min", 0) <= len(text) <= limits.get("max", 10**9):
        return False
    if "enum" in limits:
        return text in limits["enum"]
    pattern: str = limits.get("pattern", r"[\s\S]*")
    if r"\p{" in pattern:
        return all(
            character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN"
            for character in text
        )
    if not re.fullmatch(pattern, text, re.ASCII):
        return False
    return (
        not shape.name.endswith("FunctionName")
        or len(name := parse_function_name(text).name) <= 64
        or "." in name
    )
