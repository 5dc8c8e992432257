"""Batching: concurrent requests share few calls, and each gets its own response.

It is used for CloudWatch's alarms. A single release gets its response at once. A thousand releases
that poll every ten seconds would make a hundred calls per second, where AWS allows about nine.
Batched, they make as many calls as the rate allows, for up to a hundred alarms each. No response
is older than its request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, Self, TypeVar

from activities.errors import AwsError, classify_error

MAX_NAMES_PER_CALL: Final = 100
"""Names in one call: AWS's largest page."""

NEXT_CALL_DELAY_SECONDS: Final = 1.0
"""How long a call without a response holds up the next one."""


class _Filterable(Protocol):
    def filter_by_name(self, names: Sequence[str]) -> Self:
        """The part of a response that is about these names."""
        ...


_Batch = TypeVar("_Batch", bound=_Filterable)


@dataclass(frozen=True)
class _PendingRequest(Generic[_Batch]):
    names: Sequence[str]
    response: asyncio.Future[_Batch]


class Batcher(Generic[_Batch]):
    """One call at a time, for all requests that arrived during the last one."""

    def __init__(self, fetch: Callable[[list[str]], Awaitable[_Batch]]) -> None:
        """Use ``fetch`` for each call; it is given every name once."""
        self._fetch = fetch
        self._pending: list[_PendingRequest[_Batch]] = []
        self._sender: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def request(self, names: Sequence[str]) -> _Batch:
        """The response for these names.

        Raises what AWS answers for these names, never an error that other names caused.
        """
        pending = _PendingRequest[_Batch](names, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_pending())
        return await pending.response

    async def _send_pending(self) -> None:
        while requests := self._take_batch():
            call = asyncio.create_task(self._send(requests))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            await asyncio.wait([call], timeout=NEXT_CALL_DELAY_SECONDS)

    def _take_batch(self) -> list[_PendingRequest[_Batch]]:
        """Remove and return the requests for one call, in order, without cancelled ones."""
        batch: list[_PendingRequest[_Batch]] = []
        names: set[str] = set()
        waiting = [request for request in self._pending if not request.response.done()]
        for request in waiting:
            if batch and len(names | set(request.names)) > MAX_NAMES_PER_CALL:
                break
            names |= set(request.names)
            batch.append(request)
        self._pending = waiting[len(batch) :]
        return batch

    async def _send(self, requests: list[_PendingRequest[_Batch]]) -> None:
        """Fetch for all requests together.

        After a permanent error, fetch for each alone, since one of them may be the cause.
        """
        try:
            response = await self._fetch(
                list(dict.fromkeys(name for request in requests for name in request.names))
            )
        except Exception as error:  # noqa: BLE001 - every error belongs to the callers
            is_shared = isinstance(error, AwsError) and (
                error.is_about_worker or classify_error(error).is_retryable
            )
            if len(requests) > 1 and not is_shared:
                for request in requests:
                    await self._send([request])
                return
            for request in requests:
                if not request.response.done():
                    request.response.set_exception(_copy_error(error))
        else:
            for request in requests:
                if not request.response.done():
                    request.response.set_result(response.filter_by_name(request.names))


def _copy_error(error: Exception) -> Exception:
    """Copy an error for one caller.

    One object that is raised in several tasks collects the tracebacks of all.
    """
    if not isinstance(error, AwsError):
        return error
    return AwsError(
        error.operation,
        error.code,
        error.message,
        status=error.status,
        retry_after=error.retry_after,
    )
