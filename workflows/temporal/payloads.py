"""The payload converter: a malformed input fails at once, with all its problems."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self, get_args

from pydantic import TypeAdapter, ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    BinaryNullPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    SerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError

from workflows.domain.inputs import RECORDED, Input
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.rollout_request import RolloutRequest
from workflows.temporal.codec_keys import is_encrypted, make_unknown_key_error
from workflows.temporal.failures import EncodedFailureConverter, PlainFailureConverter
from workflows.temporal.input_problems import list_problems, make_failure, make_input_failure

MAX_INPUT_BYTES: Final = 1_000_000
"""Bytes of the input of a workflow.

The workflow passes its input on to a child and to activities, with defaults filled in and perhaps
encrypted. Temporal refuses payloads of more than 2 MiB. It accepts a larger input at the start, but
the workflow would then try without limit to pass it on.
https://docs.temporal.io/self-hosted-guide/defaults
"""

MAX_BYTES: Final[Mapping[type, int]] = {
    ReleaseRequest: MAX_INPUT_BYTES,
    RollbackRequest: MAX_INPUT_BYTES,
    RolloutRequest: 2 * MAX_INPUT_BYTES,
}
"""Bytes by the type of the input.

The input of a ``Rollout`` is written by the workflow that starts it, with defaults filled in. So it
may be larger than that of a user.
"""

_ANSWERING: Final[Sequence[list[type]]] = ([ReleaseRequest], [RollbackRequest])
"""The inputs of workflows that answer a query for their status after their end, too."""

_INPUT_ENCODINGS: Final = frozenset({b"json/plain", b"binary/null"})


def make_data_converter(given: DataConverter | None) -> DataConverter:
    """Return our converters, with the given converter's codec and storage.

    Where there is a codec, it gets the messages of failures, too.
    """
    given = given or DataConverter.default
    return dataclasses.replace(
        given,
        payload_converter_class=StrictPayloadConverter,
        failure_converter_class=EncodedFailureConverter
        if given.payload_codec
        else PlainFailureConverter,
    )


class UnreadInput(NamedTuple):
    """In place of the input of a ``Release`` or ``Rollback`` that cannot be read.

    The workflow fails with ``failure`` (:mod:`workflows.temporal.interceptors`). Failing here would
    leave it without its object, and Temporal's SDK would answer a query for its status by an error
    that calls itself a bug (temporalio 1.35).
    """

    failure: ApplicationError


class StrictPayloadConverter(CompositePayloadConverter):
    """Temporal's payload converters, with inputs decoded strictly.

    An *input* is a model with a ``failure_type``. A malformed one is a failure that is not retried.
    Anything else that does not decode, such as a result, is a bug of ours or a version that is too
    old. That must not end a release. It is raised as pydantic's own error, and Temporal retries
    until it is fixed.
    """

    def __init__(self, context: SerializationContext | None = None) -> None:
        super().__init__(*_make_converters())
        self._is_of_workflow = isinstance(context, WorkflowSerializationContext)

    def with_context(self, context: SerializationContext) -> Self:
        """Return the converter of one workflow, as a worker asks for it."""
        return type(self)(context)

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """Decode. An input is JSON and nothing else.

        What is still encrypted is no bad input: this process lacks the key, and another one may
        have it. It raises :class:`UnreadablePayload`, and Temporal retries.

        Without type hints, a payload that cannot be decoded is returned as a ``RawValue``. So a
        surplus of inputs reaches the check of their number, which refuses it
        (:mod:`workflows.temporal.interceptors`).
        """
        for payload in payloads:
            if is_encrypted(payload):
                raise make_unknown_key_error(payload)
        if not type_hints and (len(payloads) > 1 or workflow.in_workflow()):
            return [self._decode_or_keep(payload) for payload in payloads]
        for payload, hint in zip(payloads, type_hints or (), strict=False):
            model, encoding = _find_input_model(hint), payload.metadata.get("encoding", b"")
            if model is not None and encoding not in _INPUT_ENCODINGS:
                raise make_input_failure(
                    model,
                    "the payload's encoding is not json/plain, or was not undone by a codec",
                )
        try:
            return super().from_payloads(payloads, type_hints)
        except ApplicationError as failure:
            if type_hints in _ANSWERING and self._is_of_workflow:
                return [UnreadInput(failure)]
            raise

    def _decode_or_keep(self, payload: Payload) -> Any:
        try:
            return super().from_payloads([payload])[0]
        except Exception:  # noqa: BLE001 - any error: the value is not used
            return RawValue(payload)


class _StrictJsonConverter(PydanticJSONPlainPayloadConverter):
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        model = _find_input_model(type_hint)
        if model is None:
            return super().from_payload(payload, type_hint)
        if payload.data == b"null":
            return _make_empty(model)
        if len(payload.data) > (limit := MAX_BYTES.get(model, len(payload.data))):
            raise make_input_failure(model, f"larger than the {limit} bytes that can be passed on")
        try:
            return _make_adapter(type_hint).validate_json(
                payload.data, by_alias=True, by_name=False
            )
        except ValidationError as error:
            failure = make_failure(
                model, list_problems(error, payload.data, type_hint), payload.data
            )
        return _read_recorded(payload, type_hint, failure)


def _read_recorded(payload: Payload, type_hint: type | None, failure: ApplicationError) -> Any:
    """Read an input as earlier versions did, since a workflow that has begun with it goes on.

    One that has not begun is refused with ``failure`` (:mod:`workflows.temporal.interceptors`).
    """
    try:
        value = _make_adapter(type_hint).validate_json(
            payload.data, by_alias=True, by_name=False, context={RECORDED: True}
        )
    except ValidationError:
        raise failure from None
    return value.with_refusal(failure) if isinstance(value, Input) else value


def _make_empty(model: type) -> Any:
    """Return an input for a null: some SDKs send one where there is no input.

    A model that needs anything refuses it.
    """
    try:
        return _make_adapter(model).validate_python({})
    except ValidationError:
        raise make_input_failure(model, "null is no input") from None


class _StrictNullConverter(BinaryNullPayloadConverter):
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        if type_hint is not None and type_hint is _find_input_model(type_hint):
            return _make_empty(type_hint)
        return super().from_payload(payload, type_hint)


# Cached, because Temporal creates a payload converter at every step of every workflow.
@functools.cache
def _make_converters() -> tuple[EncodingPayloadConverter, ...]:
    strict: dict[type, type[EncodingPayloadConverter]] = {
        JSONPlainPayloadConverter: _StrictJsonConverter,
        BinaryNullPayloadConverter: _StrictNullConverter,
    }
    return tuple(
        strict.get(type(converter), type(converter))()
        for converter in DefaultPayloadConverter.default_encoding_payload_converters
    )


@functools.cache
def _make_adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter[Any](hint)


def _find_input_model(hint: object) -> type | None:
    """The input model of a type hint, which may be a union; None without one."""
    members: tuple[Any, ...] = (hint, *get_args(hint))
    return next(
        (
            member
            for member in members
            if isinstance(member, type) and hasattr(member, "failure_type")
        ),
        None,
    )
