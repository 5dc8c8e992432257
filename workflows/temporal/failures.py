"""The failure converter: our failures without stack traces and causes."""

from __future__ import annotations

from typing import Final

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from activities.errors import Fault
from workflows.control_requests import refuse_unknown

_OWN_FAILURE_TYPES: Final = frozenset(
    {*map(str, Fault), "ReleaseRejected", "ReleaseRolledBack", "RollbackFailed", "Refused"}
)

_ENCODED: Final = "Encoded failure"
"""The message of an encoded failure, in the words of Temporal's SDKs."""


class PlainFailureConverter(DefaultFailureConverter):
    """Temporal's failure converter, with our failures reduced to what people read.

    They have no stack trace and no cause. Temporal wraps the failure of a payload converter in
    "failed decoding arguments": a malformed input is reported as itself instead.
    https://docs.temporal.io/failure-converter
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Convert an exception to a failure."""
        cause = exception.__cause__
        if (
            isinstance(exception, ApplicationError)
            and isinstance(cause, ApplicationError)
            and cause.type in _OWN_FAILURE_TYPES
            and not exception.type
        ):
            exception = cause
        if isinstance(exception, RuntimeError) and _is_of_unknown_update(exception):
            exception = refuse_unknown()
        super().to_failure(exception, payload_converter, failure)
        if failure.application_failure_info.type in _OWN_FAILURE_TYPES:
            failure.stack_trace = ""
            failure.ClearField("cause")


class EncodedFailureConverter(PlainFailureConverter):
    """The same, with message and stack trace where a codec encrypts them.

    The type of a failure stays in the clear: Temporal decides by it about retries.
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Convert an exception to a failure."""
        super().to_failure(exception, payload_converter, failure)
        _encode(failure, payload_converter)


def _encode(failure: Failure, payload_converter: PayloadConverter) -> None:
    """Move the texts of a failure and its causes to where the codec encrypts them.

    A failure that has come from Temporal has its message in both places.
    """
    if failure.message != _ENCODED or not failure.HasField("encoded_attributes"):
        attributes = {"message": failure.message, "stack_trace": failure.stack_trace}
        [payload] = payload_converter.to_payloads([attributes])
        failure.encoded_attributes.CopyFrom(payload)
        failure.message, failure.stack_trace = _ENCODED, ""
    if failure.HasField("cause"):
        _encode(failure.cause, payload_converter)


def _is_of_unknown_update(error: RuntimeError) -> bool:
    """Whether the SDK (1.35) has no handler for an update: it has no type of its own for that.

    A handler for all other names would refuse them, too, but the UI would offer it without a name.
    """
    text = str(error)
    return text.startswith("Update handler for ") and "expected but not found" in text
