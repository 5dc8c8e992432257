"""Rate limits for calls to AWS: token buckets in which rollbacks go first.

In one account and region AWS allows 100 GetFunction, 15 GetPolicy, and 15 other control-plane
calls of Lambda per second in total. Invocations do not count
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). CloudWatch allows about
9 DescribeAlarms and 50 GetMetricData per second
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html). Dashboards
and other alarms need some of those, so we use half.

The workers of an account share these rates evenly; :mod:`activities.limits.sharing` computes each
worker's share. Within its share a worker spaces calls of one kind evenly and never exceeds the
rate in any second. Callers that wait are served by the priority of their activity, then in the
order of arrival. A rollback activity (priority 1) does not wait: it borrows the next turn. It can
borrow :data:`MAX_BORROWED_TURNS` in a row, so AWS may receive that many more calls in one second.

The queues here stay short: a worker takes an activity from Temporal only while all of them have
room (:mod:`activities.limits.slots`). The long queue is Temporal's. There a rollback overtakes
other work, and any worker with a free turn can take the next activity.
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

MAX_BORROWED_TURNS: Final = 3
"""Turns that rollback activities may take ahead of time, one after the other."""

TURN_TIMEOUT_SECONDS: Final = 4.0
"""How long a call waits for its turn before it fails unsent.

It is shorter than any activity's time-out, so that no activity times out with a call on its way.
"""

MAX_QUEUE_SECONDS: Final = 0.5
"""Waiting time that a queue may hold.

It is enough that no turn is lost while the next activity is fetched, and far below
:data:`TURN_TIMEOUT_SECONDS`.
"""

RATE_LIMITED_SERVICES: Final = {"lambda", "cloudwatch"}
"""The services whose calls :class:`Limits` applies to."""

_BACK_OFF_SECONDS: Final = 1.0
_UNLIMITED_OPERATIONS: Final = {"invoke", "invoke_async"}
_DEFAULT_PRIORITY_KEY: Final = 3
"""Temporal's own default.

https://docs.temporal.io/develop/task-queue-priority-fairness
"""


_SAME_BUCKET: Final = {"describe_alarm_history": "describe_alarms"}
"""Operations that take their turns with another one; AWS allows each about as much."""


@dataclass(frozen=True)
class Rates:
    """Calls per second of all workers of one account and region together.

    The defaults are AWS's limits for Lambda, and half of AWS's limits for CloudWatch.
    """

    control_plane: float = 15
    get_function: float = 100
    get_policy: float = 15
    describe_alarms: float = 5
    get_metric_data: float = 25

    def scale_to(self, control_plane: float) -> Rates:
        """Scale all rates, so that there are this many control-plane calls per second."""
        factor = control_plane / self.control_plane
        others = (self.get_function, self.get_policy, self.describe_alarms, self.get_metric_data)
        return Rates(control_plane, *(other * factor for other in others))


class TokenBucket:
    """A number of turns per second, evenly spaced, served by priority.

    ``on_dequeue`` is called whenever the queue became shorter.
    """

    def __init__(self, per_second: float, on_dequeue: Callable[[], None] = lambda: None) -> None:
        """Start with one token: the first caller does not wait."""
        self.per_second = per_second
        self._interval = 1 / per_second
        self._last = self._paused_until = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._on_dequeue = on_dequeue

    @property
    def queue_length(self) -> int:
        """The number of callers that wait."""
        return len(self._waiting)

    async def acquire(self, priority: int = _DEFAULT_PRIORITY_KEY) -> None:
        """Wait for a token; priority 1 is served before 5, and borrows one.

        A caller that is cancelled while it waits takes no token.
        """
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
        self._schedule()
        try:
            await turn
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
                self._on_dequeue()
            raise

    def pause(self, seconds: float) -> None:
        """Serve no caller for this many seconds from now on."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    def set_rate(self, per_second: float) -> None:
        """Change the rate. It applies to waiting callers too, counted from the last turn."""
        if per_second == self.per_second:
            return
        self.per_second, self._interval = per_second, 1 / per_second
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._schedule()

    @property
    def _open_at(self) -> float:
        return max(self._last + self._interval, self._paused_until)

    def _schedule(self) -> None:
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
            self._schedule()
        self._on_dequeue()


@dataclass
class Limits:
    """This worker's share of the rate limits of one account and region.

    ``rates`` are those of all workers together. Until :meth:`divide_rates` is called, this worker
    uses all of them.
    """

    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        """Create one bucket for each limit."""
        self._changed = asyncio.Event()
        self._shared_bucket = TokenBucket(self.rates.control_plane, self.notify_waiters)
        self._operation_buckets = {
            "get_function": TokenBucket(self.rates.get_function, self.notify_waiters),
            "get_policy": TokenBucket(self.rates.get_policy, self.notify_waiters),
            "describe_alarms": TokenBucket(self.rates.describe_alarms, self.notify_waiters),
            "get_metric_data": TokenBucket(self.rates.get_metric_data, self.notify_waiters),
        }

    async def acquire(self, operation: str) -> None:
        """Wait until this operation may be called.

        After :data:`TURN_TIMEOUT_SECONDS` it raises ``RateLimited``, a throttle: nothing was sent.
        """
        if operation in _UNLIMITED_OPERATIONS:
            return
        try:
            async with asyncio.timeout(TURN_TIMEOUT_SECONDS):
                await self._get_bucket(operation).acquire(_read_priority())
        except TimeoutError:
            message = (
                f"not sent: {TURN_TIMEOUT_SECONDS:g} s were not enough "
                "to get a turn under AWS's rate limit"
            )
            raise AwsError(operation, "RateLimited", message, retry_after=1) from None

    def report_fault(self, operation: str, fault: Fault) -> None:
        """Pause this kind of call for a second if AWS throttled it.

        Other programs then call AWS as well.
        """
        if fault is Fault.THROTTLED and operation not in _UNLIMITED_OPERATIONS:
            self._get_bucket(operation).pause(_BACK_OFF_SECONDS)

    def divide_rates(self, workers: float) -> None:
        """Use the rates divided by this number of workers, for waiting calls too."""
        self._shared_bucket.set_rate(self.rates.control_plane / workers)
        for operation, bucket in self._operation_buckets.items():
            bucket.set_rate(getattr(self.rates, operation) / workers)
        self.notify_waiters()

    @property
    def control_plane(self) -> float:
        """Control-plane calls per second that this worker may make."""
        return self._shared_bucket.per_second

    def has_room_for(self, calls: int) -> bool:
        """Whether this many more calls, of any operation, get turns soon enough.

        The limit is :data:`MAX_QUEUE_SECONDS`. An empty queue has room for one call.
        """
        buckets = (
            self._shared_bucket,
            self._operation_buckets["get_function"],
            self._operation_buckets["get_policy"],
        )
        return all(
            bucket.queue_length + calls <= max(1, bucket.per_second * MAX_QUEUE_SECONDS)
            for bucket in buckets
        )

    async def wait_for_change(self) -> None:
        """Wait until there may be more room than now."""
        await self._changed.wait()

    def notify_waiters(self) -> None:
        """Wake every caller of :meth:`wait_for_change`."""
        self._changed.set()
        self._changed.clear()

    def _get_bucket(self, operation: str) -> TokenBucket:
        operation = _SAME_BUCKET.get(operation, operation)
        return self._operation_buckets.get(operation, self._shared_bucket)


def _read_priority() -> int:
    """The priority key of the calling activity; Temporal's default where it has none."""
    key = activity.info().priority.priority_key if activity.in_activity() else None
    return key or _DEFAULT_PRIORITY_KEY
