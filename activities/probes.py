"""Probes: one request to one version of a function; its response is judged here.

A response may hold anything, such as a customer's data or a secret, so it stays in this activity.
The history receives only how long it took and what is wrong with it: at which path, and the type
of the value there. Time is measured in the worker, around the call. It includes the network, and
the start of a cold environment.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import jsonpath
from pydantic import AfterValidator, Field, JsonValue
from pydantic_core import from_json, to_json

from activities.errors import Fault
from activities.operation import ONCE, OperationGroup, is_retry, operation
from activities.readback import permanent_error
from activities.shapes import (
    Integer,
    NamespacedFunctionName,
    Qualifier,
    Request,
    Response,
    TenantId,
)

MAX_MILLISECONDS: Final = 900_000
"""Lambda's longest time-out.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

_OK_STATUS: Final = 200

_JSON_TYPES: Final[Mapping[type, str]] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "an array",
    dict: "an object",
}


def _validate_finite(value: JsonValue) -> JsonValue:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("it has a number that JSON cannot represent") from None
    return value


def _validate_path(path: str) -> str:
    try:
        _compile_path(path)
    except jsonpath.JSONPathError:  # its message repeats the input
        raise ValueError("not a JSON path (RFC 9535)") from None
    return path


def _compile_path(path: str) -> jsonpath.JSONPath:
    query = jsonpath.compile(path, strict=True)
    if not isinstance(query, jsonpath.JSONPath) or not query.singular_query():
        raise ValueError("may select several places: a singular query of RFC 9535 is needed")
    return query


Json = Annotated[JsonValue, AfterValidator(_validate_finite)]


class ResponseExpectation(Request):
    """One expectation of a response: a value at ``path``, by one of two tests.

    ``equals``: the value is ``value`` (absent: null). ``exists``: there is a value (``value`` is
    true), or there is none (false).
    """

    path: Annotated[str, Field(max_length=100), AfterValidator(_validate_path)]
    test: Literal["equals", "exists"]
    value: Json = None

    def find_flaw(self, response: JsonValue) -> str | None:
        """What is wrong with a response, without any of its content; None if nothing is."""
        found = _find_values(_compile_path(self.path), response)
        holds = (
            bool(found) is bool(self.value)
            if self.test == "exists"
            else bool(found) and _is_same_json(found[0], self.value)
        )
        if holds:
            return None
        actual = f"{_name_type(found[0])} is there" if found else "nothing is there"
        return f"{self.path} is not as expected: {actual}"


class ProbeFunctionRequest(Request):
    """The version to probe, the payload, and what is expected of the response.

    ``payload`` and the expectations' ``value`` are plain JSON, and are stored in the history.
    """

    function_name: NamespacedFunctionName
    qualifier: Qualifier
    payload: Json = Field(default_factory=dict[str, JsonValue], repr=False)
    expectations: Annotated[list[ResponseExpectation], Field(max_length=10)] = Field(
        default_factory=list[ResponseExpectation]
    )
    max_milliseconds: Annotated[Integer, Field(ge=1, le=MAX_MILLISECONDS)] = MAX_MILLISECONDS
    tenant_id: TenantId | None = None


class ProbeFunctionResponse(Response):
    """How long the response took, and what is wrong with it.

    ``failure`` is None if nothing is.
    """

    milliseconds: int
    failure: str | None = None


class Probes(OperationGroup):
    """Operations that probe a version before it gets traffic."""

    @operation(ONCE)
    async def probe_function(self, request: ProbeFunctionRequest) -> ProbeFunctionResponse:
        """Send one request, wait ``max_milliseconds`` for its response, and judge it.

        A function that fails, or responds late or unexpectedly, is a response with a ``failure``,
        not a failure of the operation. Sent once or not at all, as ``invoke``: a second attempt
        sends nothing. An invocation that was given up may go on running.

        AWS: Invoke.
        """
        if is_retry():
            version = f"version {request.qualifier} of {request.function_name}"
            what = f"{version} may have been probed already, and was not probed again"
            raise permanent_error(Fault.UNAVAILABLE, "probe_function", what)
        parameters = {
            "FunctionName": request.function_name,
            "Qualifier": request.qualifier,
            "InvocationType": "RequestResponse",
            "LogType": "None",
            **({"TenantId": request.tenant_id} if request.tenant_id else {}),
        }
        clock = asyncio.get_running_loop().time
        started_at = clock()
        try:
            async with asyncio.timeout(request.max_milliseconds / 1000):
                answer = await self.aws.call(
                    "lambda", "invoke", {**parameters, "Payload": to_json(request.payload)}
                )
        except TimeoutError:
            late = f"no answer within {request.max_milliseconds} ms"
            return ProbeFunctionResponse(
                milliseconds=_to_milliseconds(clock() - started_at), failure=late
            )
        return ProbeFunctionResponse(
            milliseconds=_to_milliseconds(clock() - started_at),
            failure=_find_flaw(answer, request.expectations),
        )


def _to_milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _find_flaw(
    answer: Mapping[str, Any], expectations: Sequence[ResponseExpectation]
) -> str | None:
    """The first thing that is wrong with AWS's response to Invoke."""
    if error := answer.get("FunctionError"):
        return f"it failed ({error if error in {'Handled', 'Unhandled'} else 'FunctionError'})"
    if (status := answer.get("StatusCode")) != _OK_STATUS:
        return f"its status is {status}, not {_OK_STATUS}"
    if not expectations:
        return None
    try:
        content: JsonValue = from_json(answer.get("Payload") or b"", allow_inf_nan=False)
    except ValueError:  # its message quotes the response
        return "its answer is not JSON"
    return next(
        (flaw for each in expectations if (flaw := each.find_flaw(content)) is not None), None
    )


def _find_values(query: jsonpath.JSONPath, response: JsonValue) -> list[Any]:
    """The value at the one place that a query names, or nothing."""
    # The library would parse a string as a JSON document.
    if isinstance(response, str):
        return [response] if query.empty() else []
    return query.findall(response)


def _is_same_json(one: JsonValue, other: JsonValue) -> bool:
    """Whether two values are the same JSON.

    Unlike in Python, ``true`` is not 1. The number 1 equals 1.0.
    """
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case dict(), dict():
            return one.keys() == other.keys() and all(
                _is_same_json(value, other[name]) for name, value in one.items()
            )
        case list(), list():
            return len(one) == len(other) and all(map(_is_same_json, one, other))
        case _:
            return one == other


def _name_type(value: object) -> str:
    return _JSON_TYPES.get(type(value), "null")
