"""How many calls a second we make to AWS Lambda: AWS's own limits, kept exactly, and rollbacks go first.

AWS allows one account in one region 100 GetFunction, 15 GetPolicy and, all together, 15 other control-plane calls a second;
invocations are not counted. The limit of a Temporal task queue holds across workers but lets twice the rate through in its
first second. So each worker also paces itself: calls of one kind leave evenly spaced, never more than the rate in any second,
and whoever waits is served by the priority of its activity (1 is a rollback), then in the order of arrival.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field
from typing import Final

from temporalio import activity

from activities.errors import AwsError


@dataclass(frozen=True)
class Rates:
    """Calls a second that this worker may make. Where several workers serve one account and region, they share AWS's numbers."""

    control_plane: float = 15
    get_function: float = 100
    get_policy: float = 15


class Bucket:
    """Lets so many through each second, evenly spaced, the most urgent first."""

    def __init__(self, per_second: float) -> None:
        """Begin with one token: the first comes through at once."""
        self._interval = 1 / per_second
        self._open_at = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def draw(self, priority: int = 3) -> None:
        """Wait for a token; 1 is more urgent than 5. A caller that is cancelled while it waits takes none."""
        loop = asyncio.get_running_loop()
        if not self._waiting and loop.time() >= self._open_at:
            self._open_at = loop.time() + self._interval
            return
        turn = loop.create_future()
        heapq.heappush(self._waiting, (priority, next(self._arrivals), turn))
        self._wake_at(self._open_at)
        await turn

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long."""
        self._open_at = max(self._open_at, asyncio.get_running_loop().time() + seconds)

    def _wake_at(self, when: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(when, self._serve)

    def _serve(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._waiting and now >= self._open_at:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                self._open_at = now + self._interval
        if self._waiting:
            self._wake_at(self._open_at)


PATIENCE: Final = 4.0
"""Seconds that a call waits for its turn before it gives up, unsent: its activity's time-out must not find it on the way."""

_BACK_OFF: Final = 1.0
_OUTSIDE: Final = {"invoke", "invoke_async"}


@dataclass
class Limits:
    """The three limits of AWS Lambda's control plane, for one account and region."""

    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        """One bucket per limit."""
        self._others = Bucket(self.rates.control_plane)
        self._own = {"get_function": Bucket(self.rates.get_function), "get_policy": Bucket(self.rates.get_policy)}

    async def draw(self, operation: str) -> None:
        """Wait until this operation may be called; raises ``RateLimited`` (a throttle, nothing was sent) after :data:`PATIENCE` seconds."""
        if operation in _OUTSIDE:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._bucket(operation).draw(_priority())
        except TimeoutError:
            raise AwsError(
                operation, "RateLimited", f"not sent: {PATIENCE:g} s were not enough to get a turn under AWS's rate limit", retry_after=1
            ) from None

    def throttled(self, operation: str) -> None:
        """AWS refused a call for its rate, so somebody else calls too: hold this kind of call back for a second."""
        if operation not in _OUTSIDE:
            self._bucket(operation).pause(_BACK_OFF)

    def _bucket(self, operation: str) -> Bucket:
        return self._own.get(operation, self._others)


_DEFAULT_PRIORITY: Final = 3


def _priority() -> int:
    """The priority key of the activity that is calling; Temporal's default where it has none."""
    key = activity.info().priority.priority_key if activity.in_activity() else None
    return key or _DEFAULT_PRIORITY
