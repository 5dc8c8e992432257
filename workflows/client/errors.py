"""Errors of the client, as one tree whose messages are complete sentences.

::

    ReleaseClientError
    ├── Unreachable     Temporal does not answer, denies access, or does not know the namespace
    ├── NoWorker        Temporal answers, but no worker does the work
    ├── NoSuchRelease   no release, schedule or workflow has that name
    ├── Ambiguous       several accounts or regions have releases of that name
    ├── BadRequest      the request is malformed: ``problems`` lists every reason with its path,
    │                   or Temporal cannot read it
    └── Refused         the release, or Temporal, refused the request

Any other exception is a bug.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

_UNAVAILABLE: Final = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}
_ACCESS_DENIED: Final = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}


class ReleaseClientError(Exception):
    """A request that failed; the message has the cause and, if known, the remedy."""


class Unreachable(ReleaseClientError):
    """Temporal does not answer, denies access, or does not know the namespace."""


class NoWorker(ReleaseClientError):
    """Temporal answers, but no worker handles the request. A later one still may."""


class NoSuchRelease(ReleaseClientError):
    """No release, schedule or workflow has that name."""


class Ambiguous(ReleaseClientError):
    """The name matches several releases; the message lists them."""


class BadRequest(ReleaseClientError):
    """The request is malformed; nothing was sent. ``problems`` lists every reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Refused(ReleaseClientError):
    """The release, or Temporal, refused the request. Nothing was changed by it."""


def is_unavailable(error: RPCError) -> bool:
    """Whether Temporal or the network is down: the same request may succeed later."""
    return error.status in _UNAVAILABLE


def is_unknown_namespace(error: RPCError) -> bool:
    """Whether the namespace is not found, rather than something in it."""
    if error.status is not RPCStatusCode.NOT_FOUND:
        return False
    return any(
        detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details
    )


def lacks_search_attributes(error: RPCError) -> bool:
    """Whether a search attribute is not registered in the namespace."""
    # Temporal has no error detail for that, only this text.
    return "search attribute" in error.message.lower()


@contextmanager
def translate_errors(not_found: str = "there is no such workflow") -> Generator[None]:
    """Translate Temporal's errors into :class:`ReleaseClientError`.

    ``not_found`` is the message of ``NoSuchRelease``, where the requested workflow does not exist.
    """
    try:
        yield
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise Refused(
            cause.message if isinstance(cause, ApplicationError) else str(cause)
        ) from error
    except RPCTimeoutOrCancelledError as error:
        # The SDK raises this class where a query or an update is not answered within its deadline.
        raise NoWorker("no worker answers") from error
    except RPCError as error:
        raise _translate_rpc_error(error, not_found) from error


def _translate_rpc_error(error: RPCError, not_found: str) -> ReleaseClientError:
    message = error.message.strip() or error.status.name
    if error.status in _ACCESS_DENIED:
        return Unreachable(f"Temporal denies access: {message}")
    if is_unknown_namespace(error):
        return Unreachable(f"Temporal does not know the namespace (TEMPORAL_NAMESPACE): {message}")
    if is_unavailable(error):
        return Unreachable(f"Temporal does not answer: {message}")
    if lacks_search_attributes(error):
        return Refused(
            f"{message}: start a worker once, it registers the search attributes of releases"
        )
    by_status = {
        RPCStatusCode.NOT_FOUND: NoSuchRelease(not_found),
        RPCStatusCode.INVALID_ARGUMENT: BadRequest([message]),
    }
    return by_status.get(error.status, Refused(message))
