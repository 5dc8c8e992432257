"""Many who ask at the same time share a call, and none hears of another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from temporalio.exceptions import ApplicationError

from activities.cloudwatch import batching
from activities.cloudwatch.alarms import Alarms, DescribeAlarmsRequest, WatchAlarmsRequest
from activities.cloudwatch.batching import Batcher
from activities.errors import AwsError, Fault
from tests.fake_lambda import FakeLambda


@dataclass
class Told:
    names: Sequence[str]

    def filter_by_name(self, names: Sequence[str]) -> Told:
        return Told([name for name in self.names if name in names])


@dataclass
class Oracle:
    """Knows of every name; is slow; and refuses some names."""

    delay: float = 0.02
    refuses: dict[str, Exception] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    async def ask(self, names: list[str]) -> Told:
        self.asked.append(names)
        await asyncio.sleep(self.delay)
        for name in names:
            if name in self.refuses:
                raise self.refuses[name]
        return Told(names)


async def test_lone_request_is_a_call_of_its_own_at_once() -> None:
    oracle = Oracle()
    together = Batcher(oracle.ask)
    for _ in range(2):
        assert (await together.request(["a", "b"])).names == ["a", "b"]
    assert oracle.asked == [["a", "b"], ["a", "b"]]


async def test_requests_during_a_call_share_the_next() -> None:
    oracle = Oracle()
    together = Batcher(oracle.ask)
    first = asyncio.create_task(together.request(["first"]))
    await asyncio.sleep(0.005)
    answers = await asyncio.gather(
        *(together.request([f"{number}", "all"]) for number in range(20))
    )
    assert [answer.names for answer in answers] == [
        ["0", "all"],
        *([["all", f"{number}"] for number in range(1, 20)]),
    ]
    assert len(oracle.asked) == 2
    assert oracle.asked[1].count("all") == 1
    assert (await first).names == ["first"]


async def test_call_has_a_hundred_names_at_most() -> None:
    oracle = Oracle()
    together = Batcher(oracle.ask)
    await asyncio.gather(
        *(together.request([f"{number}-{index}" for index in range(30)]) for number in range(10))
    )
    assert [len(names) for names in oracle.asked] == [90, 90, 90, 30]


async def test_thousand_requests_make_ten_calls() -> None:
    oracle = Oracle()
    together = Batcher(oracle.ask)
    await asyncio.gather(*(together.request([f"{number}"]) for number in range(1000)))
    assert len(oracle.asked) == 10


DENIED = AwsError("describe_alarms", "AccessDenied", "not yours", status=403)
THROTTLED = AwsError("describe_alarms", "Throttling", "Rate exceeded", status=400)


@pytest.mark.parametrize("problem", [DENIED, ValueError("an answer that is none")])
async def test_refusal_concerns_the_refused_request_alone(
    problem: Exception,
) -> None:
    together = Batcher(Oracle(refuses={"b": problem}).ask)
    first, second, third = await asyncio.gather(
        *(together.request([name]) for name in "abc"), return_exceptions=True
    )
    assert isinstance(first, Told)
    assert str(second) == str(problem)
    assert isinstance(third, Told)


async def test_transient_fault_reaches_all_without_calls_for_each() -> None:
    oracle = Oracle(refuses={"b": THROTTLED})
    together = Batcher(oracle.ask)
    answers = await asyncio.gather(
        *(together.request([name]) for name in "abc"), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == [str(THROTTLED)] * 3
    assert len({id(answer) for answer in answers}) == 3
    assert len(oracle.asked) == 1


async def test_cancelled_request_is_left_out_and_cancels_no_other() -> None:
    oracle = Oracle()
    together = Batcher(oracle.ask)
    begun = [asyncio.create_task(together.request([name])) for name in "ab"]
    await asyncio.sleep(0.005)
    later = [asyncio.create_task(together.request([name])) for name in "cd"]
    await asyncio.sleep(0.005)
    begun[0].cancel()
    later[0].cancel()
    assert (await begun[1]).names == ["b"]
    assert (await later[1]).names == ["d"]
    assert oracle.asked == [["a", "b"], ["d"]]


async def test_hanging_call_delays_the_next_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "NEXT_CALL_DELAY_SECONDS", 0.05)
    oracle = Oracle(delay=5)
    together = Batcher(oracle.ask)
    hanging = asyncio.create_task(together.request(["a"]))
    await asyncio.sleep(0.005)
    oracle.delay = 0
    async with asyncio.timeout(1):
        assert (await together.request(["b"])).names == ["b"]
    hanging.cancel()


async def test_release_receives_its_own_alarms_only() -> None:
    aws = FakeLambda()
    aws.alarms |= {"mine": "OK", "yours": "ALARM"}
    alarms = Alarms(aws)
    mine, yours, gone = await asyncio.gather(
        alarms.watch_alarms(WatchAlarmsRequest(alarm_names=["mine"])),
        alarms.watch_alarms(WatchAlarmsRequest(alarm_names=["yours"])),
        alarms.describe_alarms(DescribeAlarmsRequest(alarm_names=["gone"])),
        return_exceptions=True,
    )
    assert isinstance(mine, ApplicationError)
    assert mine.type == Fault.NOT_READY
    assert not isinstance(yours, BaseException)
    assert [alarm.alarm_name for alarm in yours.firing] == ["yours"]
    assert not isinstance(gone, BaseException)
    assert gone.find_missing(["gone"]) == ["gone"]
    assert len(aws.calls) == 1
