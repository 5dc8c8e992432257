"""botocore's service models, by which every request and every answer of the fake is checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

from tests.fake_lambda.refusals import Refusal

_MAY_BE_EMPTY = {"get_function_code_signing_config"}
"""Operations that answer nothing where there is nothing, whatever the model requires."""


def check_request(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what botocore would not send, and then what AWS would not accept.

    The second are lengths, patterns, enumerations and bounds: botocore does not check them.
    """
    shape = get_operation(service, operation).input_shape
    if shape is None:
        problems = [f"Unknown parameter: {name}" for name in parameters]
    else:
        report = ParamValidator().validate(dict(parameters), shape)
        problems = [report.generate_report()] if report.has_errors() else []
    if problems:
        raise Refusal("ParamValidationError", "; ".join(problems))
    if shape is not None and (found := list(_find_violations(parameters, shape, "input"))):
        raise Refusal(
            "ValidationException", f"{len(found)} validation error detected: {'; '.join(found)}"
        )


def check_answer(service: str, operation: str, answer: Mapping[str, Any]) -> None:
    """Fail where the fake answers what AWS's model does not know."""
    shape = get_operation(service, operation).output_shape
    if shape is None:
        assert not answer, f"{operation} answers nothing, and not {answer}"
        return
    if operation in _MAY_BE_EMPTY and not answer:
        return
    report = ParamValidator().validate(dict(answer), shape)
    assert not report.has_errors(), f"{operation}: {report.generate_report()}"


def get_operation(service: str, operation: str) -> OperationModel:
    """The model of an operation, by its name in snake_case."""
    return load_service(service).operation_model(_list_names(service)[operation])


@functools.cache
def load_service(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def _list_names(service: str) -> dict[str, str]:
    return {xform_name(name): name for name in load_service(service).operation_names}


def _find_violations(value: Any, shape: Any, path: str) -> Iterator[str]:
    for inner, of, where in _list_parts(value, shape, path):
        yield from _find_violations(inner, of, where)
    if shape.type_name in {"list", "string"}:
        yield from _check_bounds(len(value), shape.metadata, path)
    if shape.type_name in {"integer", "long", "double", "float"}:
        yield from _check_bounds(value, shape.metadata, path)
    if shape.type_name == "string":
        if not _matches(shape.metadata.get("pattern"), value):
            yield f"Value at '{path}' failed to satisfy constraint: pattern"
        if shape.enum and value not in shape.enum:
            yield f"Value at '{path}' failed to satisfy constraint: enum"


def _list_parts(value: Any, shape: Any, path: str) -> list[tuple[Any, Any, str]]:
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


def _check_bounds(size: float, limits: Mapping[str, Any], path: str) -> Iterator[str]:
    least, most = limits.get("min"), limits.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"Value at '{path}' failed to satisfy constraint: between {least} and {most}"


@functools.cache
def _compile(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error:  # Java's \p{L}
        return None


def _matches(pattern: str | None, value: str) -> bool:
    compiled = _compile(pattern) if pattern else None
    return compiled is None or compiled.fullmatch(value) is not None
