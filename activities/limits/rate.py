"""How many calls a second we make to AWS: AWS's own limits, kept exactly by all workers together, and rollbacks go first.

AWS allows one account in one region 100 GetFunction, 15 GetPolicy and, all together, 15 other control-plane calls of Lambda's a second;
invocations are not counted. CloudWatch allows about 9 DescribeAlarms and 50 GetMetricData
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html), of which dashboards and alarms of others need some: we take half. The workers of an account share these numbers evenly
(:mod:`activities.limits.sharing` tells each its part). Within its part, each lets calls of one kind leave evenly spaced, never more than the
rate in any second, and serves whoever waits by the priority of its activity, then in the order of arrival. What restores service (priority 1)
does not wait: it borrows the next turn, up to :data:`MAX_BORROWED_TURNS` of them, so that AWS may see so many more in one second.

The lines stay short: a worker takes an activity from Temporal only while there is room in all of them (:mod:`activities.limits.slots`). The
long queue is Temporal's, where a rollback overtakes, and where whichever worker has a turn to give takes the next.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from temporalio import activity

from activities.errors import AwsError, Fault
from activities.limits.priority import HIGHEST_PRIORITY_KEY


@dataclass(frozen=True)
class Rates:
    """Calls a second that the workers of one account and region may make, all together. The defaults are AWS's for Lambda, half of it for CloudWatch."""

    control_plane: float = 15
    get_function: float = 100
    get_policy: float = 15
    describe_alarms: float = 5
    get_metric_data: float = 25

    def scale_to(self, control_plane: float) -> Rates:
        """The same proportions, for so many control-plane calls a second."""
        part = control_plane / self.control_plane
        others = (self.get_function, self.get_policy, self.describe_alarms, self.get_metric_data)
        return Rates(control_plane, *(other * part for other in others))


class TokenBucket:
    """Lets so many through each second, evenly spaced, the most urgent first. ``served`` is called whenever its line became shorter."""

    def __init__(self, per_second: float, served: Callable[[], None] = lambda: None) -> None:
        """Begin with one token: the first comes through at once."""
        self.per_second = per_second
        self._interval = 1 / per_second
        self._last = self._paused_until = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._on_dequeue = served

    @property
    def queue_length(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def acquire(self, priority: int = 3) -> None:
        """Wait for a token; 1 is more urgent than 5, and borrows one. A caller that is cancelled while it waits takes none."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._waiting and now >= self._open_at:
            self._last = now
            return
        if (
            priority <= HIGHEST_PRIORITY_KEY
            and now >= self._paused_until
            and self._last < now + (MAX_BORROWED_TURNS - 1) * self._interval
        ):
            self._last = max(self._last + self._interval, now)
            return
        turn = loop.create_future()
        place = (priority, next(self._arrivals), turn)
        heapq.heappush(self._waiting, place)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
                self._on_dequeue()
            raise

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    def set_rate(self, per_second: float) -> None:
        """Go on at another rate: whoever is next waits by the new one, counted from whoever was last."""
        if per_second == self.per_second:
            return
        self.per_second, self._interval = per_second, 1 / per_second
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._wake()

    @property
    def _open_at(self) -> float:
        return max(self._last + self._interval, self._paused_until)

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._open_at, self._serve)

    def _serve(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._waiting and now >= self._open_at:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                self._last = now
        if self._waiting:
            self._wake()
        self._on_dequeue()


MAX_BORROWED_TURNS: Final = 3
"""Turns that what restores service may take ahead of time, one after the other."""

TURN_TIMEOUT_SECONDS: Final = 4.0
"""Seconds that a call waits for its turn before it gives up, unsent: its activity's time-out must not find it on the way."""

MAX_QUEUE_SECONDS: Final = 0.5
"""Seconds of waiting that a line may hold: enough that no turn is lost while the next activity is fetched, and far from :data:`TURN_TIMEOUT_SECONDS`."""

RATE_LIMITED_SERVICES: Final = {"lambda", "cloudwatch"}
"""The services whose calls :class:`Limits` is for."""

_BACK_OFF_SECONDS: Final = 1.0
_UNLIMITED_OPERATIONS: Final = {"invoke", "invoke_async"}


@dataclass
class Limits:
    """The limits of AWS Lambda's control plane, and CloudWatch's, for one account and region: this worker's part of them.

    ``rates`` are those of all workers together. Until :meth:`share` says otherwise there is one worker.
    """

    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        """One bucket per limit."""
        self._moved = asyncio.Event()
        self._shared_bucket = TokenBucket(self.rates.control_plane, self.notify_waiters)
        self._operation_buckets = {
            "get_function": TokenBucket(self.rates.get_function, self.notify_waiters),
            "get_policy": TokenBucket(self.rates.get_policy, self.notify_waiters),
            "describe_alarms": TokenBucket(self.rates.describe_alarms, self.notify_waiters),
            "get_metric_data": TokenBucket(self.rates.get_metric_data, self.notify_waiters),
        }

    async def acquire(self, operation: str) -> None:
        """Wait until this operation may be called; raises ``RateLimited`` (a throttle, nothing was sent) after :data:`TURN_TIMEOUT_SECONDS` seconds."""
        if operation in _UNLIMITED_OPERATIONS:
            return
        try:
            async with asyncio.timeout(TURN_TIMEOUT_SECONDS):
                await self._bucket(operation).acquire(_priority())
        except TimeoutError:
            raise AwsError(
                operation,
                "RateLimited",
                f"not sent: {TURN_TIMEOUT_SECONDS:g} s were not enough to get a turn under AWS's rate limit",
                retry_after=1,
            ) from None

    def report_fault(self, operation: str, fault: Fault) -> None:
        """AWS refused a call: if for its rate, somebody else calls too, so hold this kind of call back for a second."""
        if fault is Fault.THROTTLED and operation not in _UNLIMITED_OPERATIONS:
            self._bucket(operation).pause(_BACK_OFF_SECONDS)

    def divide_rates(self, workers: float) -> None:
        """Go on at this worker's part of the rates, of so many workers'. What waits already waits by the new rate."""
        self._shared_bucket.set_rate(self.rates.control_plane / workers)
        for operation, bucket in self._operation_buckets.items():
            bucket.set_rate(getattr(self.rates, operation) / workers)
        self.notify_waiters()

    @property
    def control_plane(self) -> float:
        """Control-plane calls a second that this worker makes at most."""
        return self._shared_bucket.per_second

    def has_room_for(self, more: int) -> bool:
        """Whether so many more would get their turn within :data:`MAX_QUEUE_SECONDS`, whichever call they make. An empty line has room for one."""
        lines = (self._shared_bucket, self._operation_buckets["get_function"], self._operation_buckets["get_policy"])
        return all(bucket.queue_length + more <= max(1, bucket.per_second * MAX_QUEUE_SECONDS) for bucket in lines)

    async def wait_for_change(self) -> None:
        """Wait until there may be more room than now."""
        await self._moved.wait()

    def notify_waiters(self) -> None:
        """Have everybody who waits for room look again."""
        self._moved.set()
        self._moved.clear()

    def _bucket(self, operation: str) -> TokenBucket:
        return self._operation_buckets.get(operation, self._shared_bucket)


_DEFAULT_PRIORITY: Final = 3


def _priority() -> int:
    """The priority key of the activity that is calling; Temporal's default where it has none."""
    key = activity.info().priority.priority_key if activity.in_activity() else None
    return key or _DEFAULT_PRIORITY
