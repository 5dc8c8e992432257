"""The pace of our calls, by a virtual clock: never above the limit, rollbacks first."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from temporalio.common import Priority
from temporalio.testing import ActivityEnvironment

from activities.errors import AwsError, Fault, classify_error
from activities.limits import rate
from activities.limits.rate import Limits, Rates, TokenBucket
from tests.activities.virtual_time import virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


class RecordingBucket(TokenBucket):
    """Records when it let callers through."""

    def __init__(self, per_second: float) -> None:
        super().__init__(per_second)
        self.granted: list[float] = []

    def _serve(self) -> None:
        super()._serve()
        moment = self._last
        if moment not in self.granted:
            self.granted.append(moment)


@pytest.mark.parametrize("per_second", [40, 200])
@virtual_time
async def test_rate_is_exceeded_in_no_second(per_second: int) -> None:
    bucket = RecordingBucket(per_second)
    await asyncio.gather(*(bucket.acquire() for _ in range(int(per_second * 1.2) + 1)))
    assert len(bucket.granted) == int(per_second * 1.2)
    assert all(
        later - earlier > 1 - 1e-6
        for earlier, later in zip(bucket.granted, bucket.granted[per_second:], strict=False)
    )
    assert bucket.granted[-1] - bucket.granted[0] < 2.5


@virtual_time
async def test_idle_time_lets_one_call_pass_at_once_and_saves_no_more() -> None:
    bucket = TokenBucket(50)
    await asyncio.sleep(0.1)
    begun = now()
    for _ in range(3):
        await bucket.acquire()
    assert now() - begun == pytest.approx(0.04)


@virtual_time
async def test_priority_goes_first_and_then_arrival() -> None:
    bucket, order = TokenBucket(100), list[str]()

    async def caller(name: str, priority: int) -> None:
        await bucket.acquire(priority)
        order.append(name)

    bucket.pause(0.1)  # all have come before the first is served
    callers = [("a", 3), ("b", 3), ("rollback", 1), ("idle", 5), ("c", 3)]
    await asyncio.gather(*(caller(name, priority) for name, priority in callers))
    assert order == ["rollback", "a", "b", "c", "idle"]


@virtual_time
async def test_rollback_borrows_a_turn_that_the_next_call_pays_for() -> None:
    bucket, begun = TokenBucket(20), now()
    line = [asyncio.create_task(bucket.acquire()) for _ in range(3)]
    await asyncio.sleep(0.01)
    await bucket.acquire(1)
    assert now() - begun == pytest.approx(0.01)
    await asyncio.gather(*line)
    # Three turns of 50 ms: the second and third of the line, and the borrowed one.
    assert now() - begun == pytest.approx(0.15)


@virtual_time
async def test_borrowed_turns_are_few() -> None:
    bucket, begun = TokenBucket(20), now()
    await bucket.acquire()
    await asyncio.sleep(0.001)
    for _ in range(rate.MAX_BORROWED_TURNS):
        await bucket.acquire(1)
    assert now() - begun == pytest.approx(0.001)
    await bucket.acquire(1)
    assert now() - begun == pytest.approx(0.2)


@virtual_time
async def test_throttle_ends_borrowing() -> None:
    bucket, begun = TokenBucket(100), now()
    bucket.pause(0.1)
    await bucket.acquire(1)
    assert now() - begun == pytest.approx(0.1)


@virtual_time
async def test_cancelled_caller_takes_no_turn() -> None:
    bucket = TokenBucket(4)
    await bucket.acquire()
    leaving = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0)
    leaving.cancel()
    begun = now()
    await bucket.acquire()
    assert now() - begun == pytest.approx(0.25)


@virtual_time
async def test_pause_holds_every_caller_back() -> None:
    bucket = TokenBucket(1000)
    waiting = asyncio.create_task(asyncio.wait_for(bucket.acquire(), 5))
    await waiting
    bucket.pause(0.1)
    begun = now()
    await asyncio.gather(bucket.acquire(), bucket.acquire())
    assert now() - begun == pytest.approx(0.101)


@virtual_time
async def test_limits_are_separate_for_each_kind_of_call() -> None:
    limits = Limits(Rates(control_plane=1, get_function=1, get_policy=1))
    begun = now()
    for operation in ("update_alias", "get_function", "get_policy"):
        await limits.acquire(operation)
    assert now() == begun


@virtual_time
async def test_limit_of_the_control_plane_is_shared() -> None:
    limits = Limits(Rates(control_plane=20))
    begun = now()
    for operation in ("update_alias", "get_alias", "list_tags"):
        await limits.acquire(operation)
    assert now() - begun == pytest.approx(0.1)


@virtual_time
async def test_invocation_takes_no_turn() -> None:
    limits = Limits(Rates(control_plane=0.1))
    await limits.acquire("update_alias")
    begun = now()
    for _ in range(100):
        await limits.acquire("invoke")
    assert now() == begun


@virtual_time
async def test_activity_of_priority_one_goes_first() -> None:
    limits, order = Limits(Rates(control_plane=50)), list[str]()

    async def call(name: str) -> None:
        await limits.acquire("update_alias")
        order.append(name)

    rollback = ActivityEnvironment()
    rollback.info = dataclasses.replace(rollback.info, priority=Priority(priority_key=1))
    await limits.acquire("update_alias")
    releases = [
        asyncio.create_task(ActivityEnvironment().run(call, f"release {number}"))
        for number in range(3)
    ]
    await asyncio.sleep(0)
    await rollback.run(call, "rollback")
    await asyncio.gather(*releases)
    assert order == ["rollback", "release 0", "release 1", "release 2"]


@virtual_time
async def test_call_without_a_turn_is_throttled_unsent() -> None:
    limits = Limits(Rates(control_plane=0.1))
    await limits.acquire("update_alias")
    begun = now()
    with pytest.raises(AwsError, match="not sent") as caught:
        await limits.acquire("update_alias")
    assert classify_error(caught.value) is Fault.THROTTLED
    assert now() - begun == pytest.approx(rate.TURN_TIMEOUT_SECONDS)


@virtual_time
async def test_default_rates_are_aws_lambdas_own() -> None:
    assert Rates() == Rates(
        control_plane=15, get_function=100, get_policy=15, describe_alarms=5, get_metric_data=25
    )


@virtual_time
async def test_limits_keep_their_proportions_at_another_rate() -> None:
    assert Rates().scale_to(30) == Rates(
        control_plane=30, get_function=200, get_policy=30, describe_alarms=10, get_metric_data=50
    )


@virtual_time
async def test_faster_rate_applies_to_waiting_callers() -> None:
    bucket, begun = TokenBucket(1), now()
    await bucket.acquire()
    waiting = asyncio.gather(*(bucket.acquire() for _ in range(5)))
    await asyncio.sleep(0)
    bucket.set_rate(100)
    await waiting
    assert now() - begun == pytest.approx(0.05)


@virtual_time
async def test_slower_rate_applies_to_waiting_callers() -> None:
    bucket, begun = TokenBucket(1000), now()
    await bucket.acquire()
    waiting = asyncio.gather(bucket.acquire(), bucket.acquire())
    await asyncio.sleep(0)
    bucket.set_rate(10)
    await waiting
    assert now() - begun == pytest.approx(0.2)


@virtual_time
async def test_unchanged_rate_does_not_restart_a_wait() -> None:
    bucket, begun = TokenBucket(5), now()
    await bucket.acquire()
    waiting = asyncio.ensure_future(bucket.acquire())
    for _ in range(5):
        await asyncio.sleep(0.03)
        bucket.set_rate(5)
    await waiting
    assert now() - begun == pytest.approx(0.2)


@virtual_time
async def test_share_is_the_same_part_of_each_limit() -> None:
    limits = Limits(
        Rates(
            control_plane=12, get_function=90, get_policy=6, describe_alarms=3, get_metric_data=15
        )
    )
    limits.divide_rates(3)
    assert limits.control_plane == 4
    shares = {name: bucket.per_second for name, bucket in limits._operation_buckets.items()}
    assert shares == {
        "get_function": 30,
        "get_policy": 2,
        "describe_alarms": 1,
        "get_metric_data": 5,
    }
    limits.divide_rates(1)
    assert limits.control_plane == 12


@virtual_time
async def test_cloudwatch_calls_take_no_turn_of_lambdas() -> None:
    limits = Limits(Rates(control_plane=1, describe_alarms=1, get_metric_data=1))
    begun = now()
    await limits.acquire("update_alias")
    await limits.acquire("describe_alarms")
    await limits.acquire("get_metric_data")
    assert now() == begun


@virtual_time
async def test_throttle_holds_its_own_kind_of_call_back() -> None:
    limits = Limits(Rates(1000, 1000, 1000, 1000, 1000))
    limits.report_fault("update_alias", Fault.THROTTLED)
    limits.report_fault("get_function", Fault.CONFLICT)
    begun = now()
    await limits.acquire("get_function")
    assert now() == begun
    await limits.acquire("get_alias")
    assert now() - begun == pytest.approx(rate._BACK_OFF_SECONDS)


@pytest.mark.parametrize(("per_second", "room"), [(15, 7), (5, 2), (1, 1), (0.1, 1)])
@virtual_time
async def test_room_is_for_calls_that_get_their_turn_soon_and_for_one(
    per_second: float, room: int
) -> None:
    limits = Limits(Rates().scale_to(per_second))
    assert limits.has_room_for(room)
    assert not limits.has_room_for(room + 1)


@virtual_time
async def test_waiting_call_takes_room_until_it_is_served_or_leaves() -> None:
    limits = Limits(Rates(control_plane=4))
    await limits.acquire("update_alias")
    first, second = (asyncio.ensure_future(limits.acquire("update_alias")) for _ in range(2))
    await asyncio.sleep(0)
    assert not limits.has_room_for(1)
    second.cancel()
    async with asyncio.timeout(0.1):
        await limits.wait_for_change()
    assert limits.has_room_for(1)
    await first
    assert limits.has_room_for(2)
