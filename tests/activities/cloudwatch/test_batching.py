"""Concurrent requests that share a call, without a part in each other's errors."""

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

_TIMEOUT = 30
"""Seconds within which what was released has to come to its end."""


@dataclass
class Batch:
    """The response to a call: its names."""

    names: Sequence[str]

    def filter_by_name(self, names: Sequence[str]) -> Batch:
        return Batch([name for name in self.names if name in names])


@dataclass
class Source:
    """Knows every name and refuses some. While it is held, calls wait."""

    refuses: dict[str, Exception] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _called: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.released.set()

    def hold(self) -> None:
        self.released.clear()

    async def wait_for_call(self) -> None:
        async with asyncio.timeout(_TIMEOUT):
            await self._called.wait()

    async def fetch(self, names: list[str]) -> Batch:
        self.calls.append(names)
        self._called.set()
        await self.released.wait()
        for name in names:
            if name in self.refuses:
                raise self.refuses[name]
        return Batch(names)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A held call is not passed by, however slow the machine is."""
    monkeypatch.setattr(batching, "NEXT_CALL_DELAY_SECONDS", _TIMEOUT)


async def test_lone_request_is_a_call_of_its_own_at_once() -> None:
    source = Source()
    batcher = Batcher(source.fetch)
    for _ in range(2):
        assert (await batcher.request(["a", "b"])).names == ["a", "b"]
    assert source.calls == [["a", "b"], ["a", "b"]]


async def test_requests_during_a_call_share_the_next() -> None:
    source = Source()
    batcher = Batcher(source.fetch)
    source.hold()
    first = asyncio.create_task(batcher.request(["first"]))
    await source.wait_for_call()
    others = [asyncio.create_task(batcher.request([f"{number}", "all"])) for number in range(20)]
    await asyncio.sleep(0)  # each of them has made its request
    source.released.set()
    answers = await asyncio.gather(*others)
    assert [answer.names for answer in answers] == [
        ["0", "all"],
        *([["all", f"{number}"] for number in range(1, 20)]),
    ]
    assert len(source.calls) == 2
    assert source.calls[1].count("all") == 1
    assert (await first).names == ["first"]


async def test_call_has_a_hundred_names_at_most() -> None:
    source = Source()
    batcher = Batcher(source.fetch)
    await asyncio.gather(
        *(batcher.request([f"{number}-{index}" for index in range(30)]) for number in range(10))
    )
    assert [len(names) for names in source.calls] == [90, 90, 90, 30]


async def test_thousand_requests_make_ten_calls() -> None:
    source = Source()
    batcher = Batcher(source.fetch)
    await asyncio.gather(*(batcher.request([f"{number}"]) for number in range(1000)))
    assert len(source.calls) == 10


DENIED = AwsError("describe_alarms", "AccessDenied", "not yours", status=403)
THROTTLED = AwsError("describe_alarms", "Throttling", "Rate exceeded", status=400)


@pytest.mark.parametrize("problem", [DENIED, ValueError("invalid response")])
async def test_refusal_concerns_the_refused_request_alone(
    problem: Exception,
) -> None:
    batcher = Batcher(Source(refuses={"b": problem}).fetch)
    first, second, third = await asyncio.gather(
        *(batcher.request([name]) for name in "abc"), return_exceptions=True
    )
    assert isinstance(first, Batch)
    assert str(second) == str(problem)
    assert isinstance(third, Batch)


@pytest.mark.parametrize(
    "fault", [THROTTLED, AwsError("describe_alarms", "ExpiredTokenException", "expired")]
)
async def test_fault_of_no_name_reaches_all_without_calls_for_each(fault: AwsError) -> None:
    source = Source(refuses={"b": fault})
    batcher = Batcher(source.fetch)
    answers = await asyncio.gather(
        *(batcher.request([name]) for name in "abc"), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == [str(fault)] * 3
    assert len({id(answer) for answer in answers}) == 3
    assert len(source.calls) == 1


async def test_cancelled_request_is_left_out_and_cancels_no_other() -> None:
    source = Source()
    batcher = Batcher(source.fetch)
    source.hold()
    begun = [asyncio.create_task(batcher.request([name])) for name in "ab"]
    await source.wait_for_call()
    later = [asyncio.create_task(batcher.request([name])) for name in "cd"]
    await asyncio.sleep(0)  # both have made their requests
    begun[0].cancel()
    later[0].cancel()
    await asyncio.sleep(0)  # both are cancelled
    source.released.set()
    assert (await begun[1]).names == ["b"]
    assert (await later[1]).names == ["d"]
    assert source.calls == [["a", "b"], ["d"]]


async def test_hanging_call_delays_the_next_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "NEXT_CALL_DELAY_SECONDS", 0.05)
    source = Source()
    batcher = Batcher(source.fetch)
    source.hold()
    hanging = asyncio.create_task(batcher.request(["a"]))
    await source.wait_for_call()
    next_ = asyncio.create_task(batcher.request(["b"]))
    async with asyncio.timeout(_TIMEOUT):
        while len(source.calls) < 2:
            await asyncio.sleep(0.01)
    assert not hanging.done()
    source.released.set()
    assert (await next_).names == ["b"]
    assert (await hanging).names == ["a"]


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
