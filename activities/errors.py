"""Errors between this program and AWS, classified into faults.

A fault is the type of an activity's failure (``ApplicationError.type``). It stands in histories
and in the UI, and workflows decide by it:

    transient     Unavailable   no response from AWS or the network; a write may have happened
    intermittent  Throttled     too many calls: retried after the delay that AWS requests
                  NotReady      the resource exists but is still settling (benign: no alert)
                  Conflict      another operation holds the resource at the moment
    passing       Denied        credentials or permissions do not suffice: a person mends it
    unclear       Unknown       a code that is not in the table
    permanent     Stale         the resource was changed by another writer since it was read
                  Exists        the name is taken, by a resource with other properties
                  NotFound      no such function, version, alias, mapping …
                  Invalid       AWS, or a request model of ours, does not accept the request
                  Exhausted     a quota or a size limit is reached
    ours          Bug           a mistake in this program

How long a failure is retried is a matter of time, not of attempts, and of the operation's
:class:`~activities.retry_budget.RetryBudget`: :func:`find_time_limit`.

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
from typing import Any, Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.advice import find_advice
from activities.error_codes import (
    CODE_TABLES,
    NOT_SERVED_CODES,
    PASSING_CODES,
    UNSENT_CODES,
)
from activities.retry_budget import (
    AT_ONCE,
    FIVE_MINUTES,
    READ_BUDGET,
    SEVEN_SECONDS,
    RetryBudget,
    find_propagation_limit,
)

_MAX_MESSAGE_CHARACTERS: Final = 1_000

_MINUTE: Final = timedelta(minutes=1)

_HTTP_SERVER_ERROR: Final = 500
_HTTP_TOO_MANY_REQUESTS: Final = 429

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
    def passes(self) -> bool:
        """Whether time or a person can mend it without a change of the release.

        An undo goes on for such a fault: credentials that expired, a permission that is missing.
        """
        return self.is_retryable or self is Fault.DENIED

    @property
    def advice(self) -> str:
        """What to do next where the cause is not known: one sentence."""
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

    @property
    def is_about_worker(self) -> bool:
        """Whether every request of this worker fails so: its credentials, clock or proxy."""
        return self.code in PASSING_CODES


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
    Fault.EXHAUSTED: "A limit is reached: AWS's message above names it; ask for less, or request a"
    " higher quota from AWS.",
    Fault.UNKNOWN: "This code is not in the table yet: find it in AWS's documentation, and add"
    " it to activities/error_codes.py.",
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


def find_time_limit(error: AwsError, budget: RetryBudget = READ_BUDGET) -> timedelta | None:
    """Return how long failures like this one may go on in a row; None: without limit."""
    fault = classify_error(error)
    match error.code:
        case "InvalidParameterValueException":
            return find_propagation_limit(error.message)
        case "ResourceNotFoundException" if error.operation in _WRITES_THAT_NAME_A_VERSION:
            return SEVEN_SECONDS
        case "DownloadFailed":
            return budget.unknown
        case "ResponseParserError":
            return budget.unanswered or FIVE_MINUTES
        case _ if error.is_about_worker:
            return budget.passing
        case _:
            return _find_limit_of_fault(fault, error.code, budget)


def _find_limit_of_fault(fault: Fault, code: str, budget: RetryBudget) -> timedelta | None:
    match fault:
        case Fault.DENIED:
            return AT_ONCE if code in NOT_SERVED_CODES else budget.denied
        case Fault.UNKNOWN:
            return budget.unknown
        case Fault.UNAVAILABLE | Fault.THROTTLED:
            return budget.unanswered
        case _:
            return None if fault.is_retryable else AT_ONCE


def to_activity_failure(
    error: AwsError,
    *,
    attempt: int,
    once: bool,
    failing_for: timedelta = AT_ONCE,
    budget: RetryBudget = READ_BUDGET,
) -> ApplicationError:
    """Return the activity failure for an error: its fault as type, with advice.

    Temporal retries it while failures like it have gone on in a row for less than their time limit:
    ``failing_for`` is zero for the first. An operation that must happen ``once`` is never retried.
    The details are one small mapping: operation, AWS's code, fault; and ``attempt``, the number of
    this attempt, after the first: an earlier one may have succeeded although its response was lost.
    """
    fault, limit = classify_error(error), find_time_limit(error, budget)
    advice = find_advice(error.code, error.message) or fault.advice
    if once and fault is Fault.UNAVAILABLE and error.code not in UNSENT_CODES:
        advice = _ONCE_ADVICE
    lasting = f", for {_format_duration(failing_for)} so far" if failing_for >= _MINUTE else ""
    return ApplicationError(
        f"{error}{lasting}. {advice}",
        describe_failure(error.operation, error.code, fault, attempt=attempt),
        type=fault.value,
        non_retryable=once or (limit is not None and failing_for >= limit),
        next_retry_delay=None
        if error.retry_after is None
        else timedelta(seconds=error.retry_after),
        category=ApplicationErrorCategory.BENIGN
        if fault is Fault.NOT_READY
        else ApplicationErrorCategory.UNSPECIFIED,
    )


def describe_failure(operation: str, code: str, fault: Fault, *, attempt: int) -> dict[str, Any]:
    """Return the details of an activity's failure; the attempt only after the first."""
    details = {"operation": operation, "code": code, "fault": fault.value}
    return details if attempt == 1 else {**details, "attempt": attempt}


def _format_duration(duration: timedelta) -> str:
    return f"{duration // _MINUTE} min"
