"""What can go wrong between a program and its releases, as one tree of errors whose messages are sentences for people.

::

    ReleaseClientError
    ├── Unreachable     Temporal does not answer, does not let us in, or does not know the namespace
    ├── NoWorker        Temporal answers, and nobody does the work
    ├── NoSuchRelease   there is no release, schedule or workflow of that name
    ├── Ambiguous       several accounts or regions have releases of that name
    ├── BadRequest      what was asked cannot be sent: ``problems`` lists every reason with its path
    └── Refused         the release, or Temporal, said no

Everything else that is raised is a bug.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode


class ReleaseClientError(Exception):
    """Something did not work; the message says what and, where it is known, what to do."""


class Unreachable(ReleaseClientError):
    """Temporal does not answer, does not let us in, or does not know the namespace."""


class NoWorker(ReleaseClientError):
    """Temporal answers, but no worker takes up what was asked. It may still do so once one is back."""


class NoSuchRelease(ReleaseClientError):
    """There is nothing of that name."""


class Ambiguous(ReleaseClientError):
    """The name stands for several; the message lists them."""


class BadRequest(ReleaseClientError):
    """What was asked is malformed; nothing was sent."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Refused(ReleaseClientError):
    """The release, or Temporal, said no. Nothing was changed by it."""


_AWAY = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.UNKNOWN,
}
_LOCKED_OUT = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}


def is_unavailable(error: RPCError) -> bool:
    """Whether Temporal, or the way to it, is down, so that the same question may be answered later."""
    return error.status in _AWAY or error.status is RPCStatusCode.RESOURCE_EXHAUSTED


def unknown_namespace(error: RPCError) -> bool:
    """Whether it is the namespace that is not found, rather than something in it."""
    if error.status is not RPCStatusCode.NOT_FOUND:
        return False
    return any(
        detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details
    )


@contextmanager
def translate_errors(missing: str = "there is no such workflow") -> Generator[None]:
    """Turn Temporal's errors into ours; ``missing`` is said where the one thing that was asked about does not exist."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise Refused(
            cause.message if isinstance(cause, ApplicationError) else str(cause)
        ) from error
    except RPCTimeoutOrCancelledError as error:
        raise NoWorker("no worker answers") from error
    except RPCError as error:
        raise _said(error, missing) from error


def _said(error: RPCError, missing: str) -> ReleaseClientError:
    said = error.message.strip() or error.status.name
    if error.status in _LOCKED_OUT:
        return Unreachable(f"Temporal does not let us in: {said}")
    if unknown_namespace(error):
        return Unreachable(f"Temporal does not know the namespace (TEMPORAL_NAMESPACE): {said}")
    if is_unavailable(error):
        return Unreachable(f"Temporal does not answer: {said}")
    if error.status is RPCStatusCode.NOT_FOUND:
        return NoSuchRelease(missing)
    if "search attribute" in said.lower():
        return Refused(
            f"{said}: start a worker once, it registers the search attributes of releases"
        )
    return Refused(said)
