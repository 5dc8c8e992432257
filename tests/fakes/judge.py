"""AWS's own service models as the judge of every request, and of every answer of ours."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

from activities.errors import AwsError

_STATUS = {
    "InvalidParameterValueException": 400,
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ProvisionedConcurrencyConfigNotFoundException": 404,
    "ResourceConflictException": 409,
    "PreconditionFailedException": 412,
    "TooManyRequestsException": 429,
    "ServiceException": 500,
}


def refusal(
    operation: str, code: str, message: str = "", *, retry_after: float | None = None
) -> AwsError:
    """An error as AWS answers it; with no HTTP status where no answer came (``ReadTimeoutError``)."""
    return AwsError(
        operation,
        code,
        message or f"what AWS says with {code}",
        status=_STATUS.get(code, 0),
        retry_after=retry_after,
    )


def check_request(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what botocore would not send, and then what AWS would not take: lengths, patterns, enumerations, bounds."""
    shape = _model(service, operation).input_shape
    if shape is None:
        problems = [f"Unknown parameter: {name}" for name in parameters]
    else:
        report = ParamValidator().validate(dict(parameters), shape)
        problems = [report.generate_report()] if report.has_errors() else []
    if problems:
        raise refusal(operation, "ParamValidationError", "; ".join(problems))
    if shape is not None and (found := list(_violations(parameters, shape, "input"))):
        raise refusal(
            operation,
            "ValidationException",
            f"{len(found)} validation error detected: {'; '.join(found)}",
        )


def check_answer(service: str, operation: str, answer: Mapping[str, Any]) -> None:
    """Hold ourselves to AWS's answers: a member that AWS does not have is a mistake of the fake's."""
    shape = _model(service, operation).output_shape
    if shape is None:
        assert not answer, f"{operation} answers nothing, and not {answer}"
        return
    report = ParamValidator().validate(dict(answer), shape)
    assert not report.has_errors(), f"{operation}: {report.generate_report()}"


def _violations(value: Any, shape: Any, path: str) -> Iterator[str]:
    for inner, of, where in _parts(value, shape, path):
        yield from _violations(inner, of, where)
    if shape.type_name in {"list", "string"}:
        yield from _bounds(len(value), shape.metadata, path)
    if shape.type_name in {"integer", "long", "double", "float"}:
        yield from _bounds(value, shape.metadata, path)
    if shape.type_name == "string":
        if not _matches(shape.metadata.get("pattern"), value):
            yield f"Value at '{path}' failed to satisfy constraint: pattern"
        if shape.enum and value not in shape.enum:
            yield f"Value at '{path}' failed to satisfy constraint: enum"


def _parts(value: Any, shape: Any, path: str) -> list[tuple[Any, Any, str]]:
    match shape.type_name:
        case "structure":
            return [(inner, shape.members[name], f"{path}.{name}") for name, inner in value.items()]
        case "map":
            keys = [(name, shape.key, f"{path} key") for name in value]
            return keys + [(inner, shape.value, f"{path}.{name}") for name, inner in value.items()]
        case "list":
            return [(inner, shape.member, path) for inner in value]
        case _:
            return []


def _bounds(size: float, limits: Mapping[str, Any], path: str) -> Iterator[str]:
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"Value at '{path}' failed to satisfy constraint: between {limits.get('min')} and {limits.get('max')}"


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error:  # Java's \p{L}
        return None


def _matches(pattern: str | None, value: str) -> bool:
    compiled = _pattern(pattern) if pattern else None
    return compiled is None or compiled.fullmatch(value) is not None


@functools.cache
def _service(service: str) -> tuple[Any, dict[str, str]]:
    model = botocore.session.get_session().get_service_model(service)
    return model, {xform_name(name): name for name in model.operation_names}


@functools.cache
def _model(service: str, operation: str) -> Any:
    model, names = _service(service)
    return model.operation_model(names[operation])
