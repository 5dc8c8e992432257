"""Probes: one request to one version of a function, whose answer is judged here and goes no further.

An answer may hold anything, a customer's data or a secret. What a history gets to know of it is how long it took, and what is wrong with it: at
which path, and of which type what is there is. Time is taken in the worker, around the call: the way there and back is part of it, and so is the
start of a cold environment.
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
from activities.shapes import NamespacedFunctionName, Qualifier, Request, Response, Integer

MAX_MILLISECONDS: Final = 900_000
"""Milliseconds: Lambda's longest function."""

_OK: Final = 200


def _finite(value: JsonValue) -> JsonValue:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("a number in it is none that JSON can write") from None
    return value


def _singular(path: str) -> str:
    try:
        _compiled(path)
    except jsonpath.JSONPathError:  # says what was typed
        raise ValueError("not a JSON path (RFC 9535)") from None
    return path


def _compiled(path: str) -> jsonpath.JSONPath:
    query = jsonpath.compile(path, strict=True)
    if not isinstance(query, jsonpath.JSONPath) or not query.singular_query():
        raise ValueError("may select several places: a singular query of RFC 9535 is needed")
    return query


Json = Annotated[JsonValue, AfterValidator(_finite)]


class ResponseExpectation(Request):
    """At ``path`` is a value that ``equals`` this one (absent: null); or ``exists`` is: there is any (true), there is none (false)."""

    path: Annotated[str, Field(max_length=100), AfterValidator(_singular)]
    test: Literal["equals", "exists"]
    value: Json = None

    def find_flaw(self, answer: JsonValue) -> str | None:
        """What is wrong with an answer, if anything is, without any of it."""
        found = _found(_compiled(self.path), answer)
        holds = (
            bool(found) is bool(self.value)
            if self.test == "exists"
            else bool(found) and _same(found[0], self.value)
        )
        return (
            None
            if holds
            else f"{self.path} is not as expected: {f'{_kind(found[0])} is there' if found else 'nothing is there'}"
        )


class ProbeFunctionRequest(Request):
    """Which version is sent what, and what is expected of its answer. ``payload`` and ``value`` are JSON as it is, and stand in the history."""

    function_name: NamespacedFunctionName
    qualifier: Qualifier
    payload: Json = Field(default_factory=dict[str, JsonValue], repr=False)
    expectations: Annotated[list[ResponseExpectation], Field(max_length=10)] = Field(
        default_factory=list[ResponseExpectation]
    )
    max_milliseconds: Annotated[Integer, Field(ge=1, le=MAX_MILLISECONDS)] = MAX_MILLISECONDS


class ProbeFunctionResponse(Response):
    """How long the answer took, and what is wrong with it; without ``failure``, nothing is."""

    milliseconds: int
    failure: str | None = None


class Probes(OperationGroup):
    """Running a version to see whether it does what it should."""

    @operation(ONCE)
    async def probe_function(self, request: ProbeFunctionRequest) -> ProbeFunctionResponse:
        """Send one request to one version, wait for its answer for ``max_milliseconds`` at most, and judge it.

        A function that fails, answers late or otherwise than expected is an answer, not a failure: ``failure`` says so. Sent once or not at all,
        as ``invoke``: a second attempt sends nothing. One that is given up for its time may go on running.

        AWS: Invoke.
        """
        if is_retry():
            what = f"version {request.qualifier} of {request.function_name} may have been probed already, and was not probed again"
            raise permanent_error(Fault.UNAVAILABLE, "probe_function", what)
        asked = {
            "FunctionName": request.function_name,
            "Qualifier": request.qualifier,
            "InvocationType": "RequestResponse",
            "LogType": "None",
        }
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(request.max_milliseconds / 1000):
                answer = await self.aws.call(
                    "lambda", "invoke", {**asked, "Payload": to_json(request.payload)}
                )
        except TimeoutError:
            late = f"no answer within {request.max_milliseconds} ms"
            return ProbeFunctionResponse(milliseconds=_since(began, clock()), failure=late)
        return ProbeFunctionResponse(
            milliseconds=_since(began, clock()), failure=_flaw(answer, request.expectations)
        )


def _since(began: float, now: float) -> int:
    return round((now - began) * 1000)


def _flaw(answer: Mapping[str, Any], expectations: Sequence[ResponseExpectation]) -> str | None:
    """The first thing that is wrong with an answer of AWS's to Invoke."""
    if error := answer.get("FunctionError"):
        return f"it failed ({error if error in {'Handled', 'Unhandled'} else 'FunctionError'})"
    if (status := answer.get("StatusCode")) != _OK:
        return f"its status is {status}, not {_OK}"
    if not expectations:
        return None
    try:
        content: JsonValue = from_json(answer.get("Payload") or b"", allow_inf_nan=False)
    except ValueError:  # quotes the answer
        return "its answer is not JSON"
    return next((flaw for each in expectations if (flaw := each.find_flaw(content)) is not None), None)


def _found(query: jsonpath.JSONPath, answer: JsonValue) -> list[Any]:
    """What is at the one place that a query names: nothing, or one value. The library takes a text for a document to be read."""
    if isinstance(answer, str):
        return [answer] if query.empty() else []
    return query.findall(answer)


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two values are the same JSON: ``true`` is no 1, as it is in Python; 1 and 1.0 are one number."""
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case dict(), dict():
            return one.keys() == other.keys() and all(
                _same(value, other[name]) for name, value in one.items()
            )
        case list(), list():
            return len(one) == len(other) and all(map(_same, one, other))
        case _:
            return one == other


_KINDS: Final[Mapping[type, str]] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "an array",
    dict: "an object",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "null")
