"""What can go wrong between us and AWS, and what each kind of failure means for whoever is waiting.

A fault is what an activity's failure is called (``ApplicationError.type``), in histories, in the UI and in workflows:

    transient     Unavailable   AWS or the network did not answer; a write may or may not have happened
    intermittent  Throttled     too many calls: wait as long as AWS says, then again
                  NotReady      the thing exists but is still settling (benign: no alarm, no warning)
                  Conflict      somebody else's operation holds it for the moment
    permanent     Stale         it is not as we last read it: somebody else changed it
                  Exists        there is one of that name already, and it is another one
                  NotFound      no such function, version, alias, mapping …
                  Invalid       AWS, or our own models, do not accept the request
                  Denied        credentials or permissions do not suffice
                  Exhausted     a quota or a size limit is reached
    unclear       Unknown       a code we have never seen: tried a few times, then given up

Decisions are made by AWS's error *code*, never by botocore's exception classes: several real codes are not modelled.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory


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
    def passes(self) -> bool:
        """Whether the same request may succeed later, with nobody changing anything."""
        return self in {Fault.UNAVAILABLE, Fault.THROTTLED, Fault.NOT_READY, Fault.CONFLICT, Fault.UNKNOWN}


class AwsError(Exception):
    """AWS answered with an error, or did not answer: what the port to AWS raises, and nothing else.

    ``code`` is AWS's own (``ResourceConflictException``), or botocore's exception name where no answer came (``ReadTimeoutError``).
    ``retry_after`` is AWS's advice in seconds. ``message`` never holds a parameter's value that we sent.
    """

    def __init__(self, operation: str, code: str, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        """Keep what AWS said, in AWS's words."""
        super().__init__(f"{operation}: {message} ({code})")
        self.operation: Final = operation
        self.code: Final = code
        self.message: Final = message
        self.status: Final = status
        self.retry_after: Final = retry_after


_CODES: Final[dict[str, Fault]] = {
    "ServiceException": Fault.UNAVAILABLE,
    "TooManyRequestsException": Fault.THROTTLED,
    "ThrottlingException": Fault.THROTTLED,
    "PreconditionFailedException": Fault.STALE,
    "ResourceNotFoundException": Fault.NOT_FOUND,
    "InvalidParameterValueException": Fault.INVALID,
    "ValidationException": Fault.INVALID,
    "ResourceInUseException": Fault.CONFLICT,
    "ResourceConflictException": Fault.CONFLICT,
    "AccessDeniedException": Fault.DENIED,
    "CodeStorageExceededException": Fault.EXHAUSTED,
}

_ADVICE: Final[dict[Fault, str]] = {}

_UNKNOWN_ATTEMPTS: Final = 5


def fault_of(error: AwsError) -> Fault:
    """The kind of failure that an error of AWS's is."""
    return _CODES.get(error.code, Fault.UNAVAILABLE if error.status >= 500 else Fault.UNKNOWN)


def failure(error: AwsError, *, attempt: int, once: bool) -> ApplicationError:
    """The activity failure for an error of AWS's: its fault as type, what to do next as text, and whether Temporal tries again.

    An operation that must happen ``once`` is never tried again, whatever went wrong.
    """
    fault = fault_of(error)
    return ApplicationError(
        f"{error} {_ADVICE.get(fault, '')}".strip(),
        {"operation": error.operation, "code": error.code, "fault": fault.value},
        type=fault.value,
        non_retryable=once or not fault.passes or (fault is Fault.UNKNOWN and attempt >= _UNKNOWN_ATTEMPTS),
        next_retry_delay=None if error.retry_after is None else timedelta(seconds=error.retry_after),
        category=ApplicationErrorCategory.BENIGN if fault is Fault.NOT_READY else ApplicationErrorCategory.UNSPECIFIED,
    )
