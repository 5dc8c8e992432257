"""Payload and failure converters: malformed inputs fail at once, with every problem named by its path."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    BinaryNullPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError

from activities.errors import Fault
from workflows.request import ReleaseRequest, RollbackRequest, RolloutRequest

_OURS = {*map(str, Fault), "ReleaseRejected", "ReleaseRolledBack", "RollbackFailed", "Refused"}


def make_data_converter(given: DataConverter | None) -> DataConverter:
    """Our converters, with the user's own codec where there is one."""
    given = given or DataConverter.default
    return dataclasses.replace(
        given,
        payload_converter_class=StrictPayloadConverter,
        failure_converter_class=PlainFailureConverter,
    )


MAX_INPUT_BYTES = 1_000_000
"""Bytes of what a workflow may be started with. It goes on to a child and to activities, spelt out and perhaps encrypted, and Temporal
refuses payloads of 2 MiB: it takes a larger input at the start, and then lets the workflow try for ever to pass it on."""


MAX_BYTES: Mapping[type, int] = {
    ReleaseRequest: MAX_INPUT_BYTES,
    RollbackRequest: MAX_INPUT_BYTES,
    RolloutRequest: 2 * MAX_INPUT_BYTES,
}
"""A ``Rollout``'s input was spelt out by the workflow that starts it, and may be somewhat larger than what somebody typed."""


class _StrictJSON(PydanticJSONPlainPayloadConverter):
    """Pydantic's JSON, where a malformed *input* is a failure for good, with every problem named by its path.

    Inputs are the models that say how they are ``failure_type``. Anything else that does not decode, a result say, is a bug of ours or a
    version too old: that must not end a release, so it goes on as pydantic's own error, which Temporal retries until it is mended.
    """

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Decode, or fail for good where an input is malformed."""
        model = _input_of(type_hint)
        if model is None:
            return super().from_payload(payload, type_hint)
        if len(payload.data) > (limit := MAX_BYTES.get(model, len(payload.data))):
            raise _refusal(
                model,
                [
                    {
                        "field": "(input)",
                        "problem": f"larger than the {limit} bytes that can be passed on",
                    }
                ],
            )
        try:
            return _adapter(type_hint).validate_json(payload.data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise _refusal(model, _problems(error, payload.data)) from None


class _StrictNull(BinaryNullPayloadConverter):
    """Nothing at all, which is no input."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Decode nothing, or fail for good where an input is needed."""
        if type_hint is not None and type_hint is _input_of(type_hint):
            raise _refusal(type_hint, [{"field": "(input)", "problem": "null is no input"}])
        return super().from_payload(payload, type_hint)


class StrictPayloadConverter(CompositePayloadConverter):
    """Temporal's payload converters, with JSON read strictly."""

    def __init__(self) -> None:
        super().__init__(*_converters())  # Temporal makes one at every step of every workflow

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """Decode. An input is JSON and nothing else; several inputs are refused for their number, whether they can be read or not."""
        if not type_hints and (len(payloads) > 1 or workflow.in_workflow()):
            return [self._if_readable(payload) for payload in payloads]
        for payload, hint in zip(payloads, type_hints or (), strict=False):
            model, encoding = _input_of(hint), payload.metadata.get("encoding", b"")
            if model is not None and encoding not in _READ:
                raise _refusal(
                    model,
                    [
                        {
                            "field": "(input)",
                            "problem": "the payload's encoding is not json/plain, or was not undone by a codec",
                        }
                    ],
                )
        return super().from_payloads(payloads, type_hints)

    def _if_readable(self, payload: Payload) -> Any:
        try:
            return super().from_payloads([payload])[0]
        except Exception:  # noqa: BLE001 - whatever it is, nobody will look at it
            return RawValue(payload)


@functools.cache
def _converters() -> tuple[EncodingPayloadConverter, ...]:
    strict: dict[type, type[EncodingPayloadConverter]] = {
        JSONPlainPayloadConverter: _StrictJSON,
        BinaryNullPayloadConverter: _StrictNull,
    }
    return tuple(
        strict.get(type(each), type(each))()
        for each in DefaultPayloadConverter.default_encoding_payload_converters
    )


_READ = {b"json/plain", b"binary/null"}


@functools.cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter[Any](hint)


def _input_of(hint: object) -> type | None:
    """The model that is expected, where it is one that says how a malformed one is refused."""
    members: tuple[Any, ...] = (hint, *get_args(hint))
    return next(
        (
            member
            for member in members
            if isinstance(member, type) and hasattr(member, "failure_type")
        ),
        None,
    )


def _refusal(model: Any, problems: list[dict[str, str]]) -> ApplicationError:
    text = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    return ApplicationError(
        f"invalid {model.__name__}: {text}", problems, type=model.failure_type, non_retryable=True
    )


_MOST_PROBLEMS = 50


_WHICH = {"release", "rollback"}
"""The tags of the two inputs that a ``Rollout`` may be started with: nobody typed them."""


def _problems(error: ValidationError, data: bytes) -> list[dict[str, str]]:
    """Every problem with the path of its field, as the user wrote it; values are not repeated."""
    try:
        typed: object = from_json(data)
    except ValueError:
        typed = None
    found = [
        each
        for each in error.errors(include_url=False, include_input=False)
        if each["type"] != "default_factory_not_called"
    ]
    return [
        {"field": _path(problem["loc"], typed), "problem": _said(problem)}
        for problem in found[:_MOST_PROBLEMS]
    ]


def _said(problem: ErrorDetails) -> str:
    """What is wrong, in pydantic's words where those do not repeat what was typed."""
    if problem["type"] == "union_tag_invalid":
        context = problem.get("ctx", {})
        return f"{context.get('discriminator')} must be one of {context.get('expected_tags')}"
    return problem["msg"].removeprefix("Value error, ")


def _path(location: tuple[int | str, ...], typed: object) -> str:
    """A path without the tags that pydantic adds for the member of a union it took."""
    path: list[str] = []
    if (
        location
        and location[0] in _WHICH
        and not (isinstance(typed, dict) and location[0] in typed)
    ):
        location = location[1:]
    tagged = False
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if isinstance(part, str) and part.startswith(
            "<"
        ):  # a tag of ours: no member is called like that
            continue
        match typed:
            case dict():
                members = cast("Mapping[object, object]", typed)
                if part == members.get("kind") and not tagged and (not last or part not in members):
                    tagged = True
                    continue
                if not last and part not in members:
                    continue
                tagged = False
                typed = members.get(part)
            case list() if isinstance(part, int) and 0 <= part < len(cast("list[object]", typed)):
                typed = cast("list[object]", typed)[part]
            case _ if not last:
                continue
            case _:
                pass
        path.append(str(part)[:100])
    return ".".join(path) or "(input)"


class PlainFailureConverter(DefaultFailureConverter):
    """Failures that people read: ours without stack traces and causes; a refused input as itself, not as "failed decoding"."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Describe a failure in a line."""
        cause = exception.__cause__
        if (
            isinstance(exception, ApplicationError)
            and isinstance(cause, ApplicationError)
            and cause.type in _OURS
            and not exception.type
        ):
            exception = cause
        super().to_failure(exception, payload_converter, failure)
        if failure.application_failure_info.type in _OURS:
            failure.stack_trace = ""
            failure.ClearField("cause")
