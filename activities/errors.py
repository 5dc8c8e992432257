"""Errors between this program and AWS, classified into faults.

A fault is the type of an activity's failure (``ApplicationError.type``). It stands in histories
and in the UI, and workflows decide by it:

    transient     Unavailable   no response from AWS or the network; a write may have happened
    intermittent  Throttled     too many calls: retried after the delay that AWS requests
                  NotReady      the resource exists but is still settling (benign: no alert)
                  Conflict      another operation holds the resource at the moment
    permanent     Stale         the resource was changed by another writer since it was read
                  Exists        the name is taken, by a resource with other properties
                  NotFound      no such function, version, alias, mapping …
                  Invalid       AWS, or a request model of ours, does not accept the request
                  Denied        credentials or permissions do not suffice
                  Exhausted     a quota or a size limit is reached
    unclear       Unknown       a code that is not in the table: retried a few times
    ours          Bug           a mistake in this program

Errors are classified by AWS's error *code*, never by botocore's exception classes, because
several real codes are not modelled. The table is :mod:`activities.error_codes`. A test fails as
soon as botocore documents a code that is not in it.

Three codes are ambiguous and are split by operation and message:

- ``ResourceConflictException``: exists, busy, or referenced;
- ``InvalidParameterValueException``: invalid, a role that has not propagated yet, or (for
  PublishVersion) code that was replaced since it was read;
- ``ResourceNotFoundException``: missing, or so new that not every host of AWS's knows it.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.error_codes import CODE_TABLES

_MAX_MESSAGE_CHARACTERS: Final = 1_000

_HTTP_SERVER_ERROR: Final = 500
_HTTP_TOO_MANY_REQUESTS: Final = 429

_ATTEMPTS_IN_FIVE_MINUTES: Final = 15
"""1 + 2 + 4 + 8 + 16 s, then every 30 s: the retry policy of :mod:`activities.operation`."""

_ATTEMPTS_IN_SEVEN_SECONDS: Final = 4
"""1 + 2 + 4 s, by the same policy."""

_ATTEMPTS_FOR_UNCLEAR_ERRORS: Final = 5

_ONCE_ADVICE: Final = (
    "The request was sent once and is not sent again, so it may or may not have happened."
)

_CREATING_OPERATIONS: Final = ("create_", "add_permission")

_REFERENCED_PHRASES: Final = (
    "aliases reference it",
    "provisioned version",
    "provisioned concurrency alias",
)

_OTHER_CODE_PHRASE: Final = "is different from current codesha256"

_ATTEMPTS_WHILE_PROPAGATING: Final[dict[str, int]] = {
    "cannot be assumed by lambda": _ATTEMPTS_IN_FIVE_MINUTES,
    "execution role does not have permissions": _ATTEMPTS_IN_FIVE_MINUTES,
    "ensure the role can perform": _ATTEMPTS_IN_FIVE_MINUTES,
    "throttled by ec2": _ATTEMPTS_IN_FIVE_MINUTES,
    "kms key is invalid for creategrant": _ATTEMPTS_IN_FIVE_MINUTES,
    "because it is a replicated function": _ATTEMPTS_IN_FIVE_MINUTES,
    "function does not exist": _ATTEMPTS_IN_SEVEN_SECONDS,
}
"""The attempts for each phrase of ``InvalidParameterValueException`` that passes.

AWS sends them while a new role, key or function has not propagated to all its services.
"""

_WRITES_THAT_NAME_A_VERSION: Final = {
    "update_alias",
    "create_alias",
    "add_permission",
    "put_provisioned_concurrency_config",
}
"""Retried on ``ResourceNotFoundException``: the version may have been published a moment ago."""


class Fault(StrEnum):
    """A kind of failure; its value is the failure type that Temporal records."""

    UNAVAILABLE = "Unavailable"
    THROTTLED = "Throttled"
    NOT_READY = "NotReady"
    CONFLICT = "Conflict"
    STALE = "Stale"
    EXISTS = "Exists"
    NOT_FOUND = "NotFound"
    INVALID = "Invalid"
    DENIED = "Denied"
    EXHAUSTED = "Exhausted"
    UNKNOWN = "Unknown"
    BUG = "Bug"

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later without any change by a person."""
        return self in {
            Fault.UNAVAILABLE,
            Fault.THROTTLED,
            Fault.NOT_READY,
            Fault.CONFLICT,
            Fault.UNKNOWN,
        }

    @property
    def advice(self) -> str:
        """What to do next: one sentence for the reader of a history."""
        return _ADVICE[self]


class AwsError(Exception):
    """An error response, or no response: the only error that the AWS port raises.

    ``code`` is AWS's own (``ResourceConflictException``), or the name of botocore's exception
    where there was no response (``ReadTimeoutError``), or one of ours (``WrongRegion``,
    ``InvalidReference``, ``InProgress`` …: ``OWN_CODES`` in :mod:`activities.error_codes`).
    ``message`` is AWS's, cut to 1,000 characters. It never holds a parameter value that was sent.
    ``status`` is the HTTP status, 0 where there is none. ``retry_after`` is in seconds, as AWS
    requests it.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        message = message.encode(errors="replace").decode()
        message = (
            message
            if len(message) <= _MAX_MESSAGE_CHARACTERS
            else message[: _MAX_MESSAGE_CHARACTERS - 1] + "…"
        )
        super().__init__(f"{operation}: {message} ({code})")
        self.operation: Final = operation
        self.code: Final = code
        self.message: Final = message
        self.status: Final = status
        self.retry_after: Final = retry_after


_FAULT_BY_CODE: Final = {
    code: Fault(fault)
    for table in CODE_TABLES
    for fault, codes in table.items()
    for code in codes.split()
}

_ADVICE: Final[dict[Fault, str]] = {
    Fault.UNAVAILABLE: "AWS or the network did not respond; if it lasts, check the AWS Health"
    " Dashboard and the worker's network.",
    Fault.THROTTLED: "Too many calls for this account and region; if it lasts, lower the worker's"
    " rates or find the other caller.",
    Fault.NOT_READY: "No action needed: it is polled again.",
    Fault.CONFLICT: "Another operation holds the resource; if it lasts, find out what else is"
    " changing this function.",
    Fault.STALE: "It was changed by another writer since it was read: check its current state"
    " before you try anything else.",
    Fault.EXISTS: "The name is taken: choose another name, or update or remove the existing one.",
    Fault.NOT_FOUND: "Check the name and the qualifier, and that this worker serves the right"
    " account and region.",
    Fault.INVALID: "Correct the request: AWS's message above names what it does not accept.",
    Fault.DENIED: "Check the worker's credentials, and its role's permissions for this function"
    " and for everything that it refers to.",
    Fault.EXHAUSTED: "A limit is reached: make room (delete old versions, make the package smaller)"
    " or request a higher quota from AWS.",
    Fault.UNKNOWN: "This code is not in the table yet: find it in AWS's documentation, and add"
    " it to activities/errors.py.",
    Fault.BUG: "This is a mistake in lambda-releases, not in your release: please report it with"
    " this history.",
}


def classify_error(error: AwsError) -> Fault:
    """Return the fault that an error is: by its code, else by its HTTP status."""
    if error.code == "ResourceConflictException":
        return _classify_conflict(error)
    if error.code == "InvalidParameterValueException" and _is_other_code(error):
        return Fault.STALE
    if fault := _FAULT_BY_CODE.get(error.code):
        return fault
    if error.status >= _HTTP_SERVER_ERROR:
        return Fault.UNAVAILABLE
    return Fault.THROTTLED if error.status == _HTTP_TOO_MANY_REQUESTS else Fault.UNKNOWN


def _classify_conflict(error: AwsError) -> Fault:
    """Split AWS's most ambiguous code: settling, busy, referenced, or taken."""
    message = error.message.lower()
    if "following state: pending" in message:
        return Fault.NOT_READY
    if "in progress" in message or "following state" in message:
        return Fault.CONFLICT
    if any(phrase in message for phrase in _REFERENCED_PHRASES):
        return Fault.INVALID
    return Fault.EXISTS if error.operation.startswith(_CREATING_OPERATIONS) else Fault.CONFLICT


def _is_other_code(error: AwsError) -> bool:
    """Whether PublishVersion was refused because ``$LATEST`` has other code.

    That is, other than ``CodeSha256``. AWS has no error code of its own for it: the message begins
    "CodeSHA256 (…) is different from current CodeSHA256 in $LATEST".
    """
    return error.operation == "publish_version" and _OTHER_CODE_PHRASE in error.message.lower()


def max_attempts(error: AwsError) -> int | None:
    """Return the attempts that an error permits in all; None: retried without limit."""
    fault = classify_error(error)
    match error.code:
        case "InvalidParameterValueException":
            message = error.message.lower()
            return next(
                (
                    count
                    for phrase, count in _ATTEMPTS_WHILE_PROPAGATING.items()
                    if phrase in message
                ),
                1,
            )
        case "ResourceNotFoundException" if error.operation in _WRITES_THAT_NAME_A_VERSION:
            return _ATTEMPTS_IN_SEVEN_SECONDS
        case "ExpiredTokenException" | "ExpiredToken" | "DownloadFailed":
            return _ATTEMPTS_FOR_UNCLEAR_ERRORS
        case "ResponseParserError":
            return _ATTEMPTS_IN_FIVE_MINUTES
        case _ if fault is Fault.UNKNOWN:
            return _ATTEMPTS_FOR_UNCLEAR_ERRORS
        case _:
            return None if fault.is_retryable else 1


def to_activity_failure(error: AwsError, *, attempt: int, once: bool) -> ApplicationError:
    """Return the activity failure for an error: its fault as type, with advice.

    ``attempt`` is the number of this attempt, from 1; with it the failure decides whether Temporal
    retries. An operation that must happen ``once`` is never retried. The details are one small
    mapping: operation, AWS's code, fault.
    """
    fault, attempts = classify_error(error), max_attempts(error)
    advice = _ONCE_ADVICE if once and fault is Fault.UNAVAILABLE else fault.advice
    return ApplicationError(
        f"{error}. {advice}",
        {"operation": error.operation, "code": error.code, "fault": fault.value},
        type=fault.value,
        non_retryable=once or (attempts is not None and attempt >= attempts),
        next_retry_delay=None
        if error.retry_after is None
        else timedelta(seconds=error.retry_after),
        category=ApplicationErrorCategory.BENIGN
        if fault is Fault.NOT_READY
        else ApplicationErrorCategory.UNSPECIFIED,
    )
