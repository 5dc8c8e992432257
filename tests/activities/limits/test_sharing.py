"""Which part of the rates is a worker's, by what Temporal says; what the real one says is in tests/test_worker.py."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse, ListWorkersResponse
from temporalio.service import RPCError, RPCStatusCode

from activities.limits import sharing
from activities.limits.rate import Limits, Rates
from activities.limits.sharing import RateShare

RUNNING, SHUTDOWN = WorkerStatus.WORKER_STATUS_RUNNING, WorkerStatus.WORKER_STATUS_SHUTDOWN


@dataclass
class Temporal:
    """What one says who serves a queue: a client, its service, and a clock for each worker's beat."""

    identity: str = "me"
    namespace: str = "default"
    beats: dict[str, float] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    polls: list[dict[str, float]] = field(default_factory=lambda: [{}, {}])
    away: bool = False
    keeps_a_list: bool = True

    @property
    def workflow_service(self) -> Temporal:
        return self

    async def list_workers(self, request: Any, **_: Any) -> ListWorkersResponse:
        self._fail()
        if not self.keeps_a_list:
            raise RPCError("unknown method", RPCStatusCode.UNIMPLEMENTED, b"")
        assert request.query == 'TaskQueue="q"'
        answer = ListWorkersResponse()
        for name, at in self.beats.items():
            beat = WorkerHeartbeat(
                worker_instance_key=name,
                worker_identity=name,
                status=SHUTDOWN if name in self.stopped else RUNNING,
            )
            beat.heartbeat_time.FromDatetime(datetime.fromtimestamp(at, UTC))
            answer.workers_info.append(WorkerInfo(worker_heartbeat=beat))
        return answer

    async def describe_task_queue(self, request: Any, **_: Any) -> DescribeTaskQueueResponse:
        self._fail()
        answer = DescribeTaskQueueResponse()
        for name, ago in self.polls[request.task_queue_type - 1].items():
            poller = PollerInfo(identity=name)
            poller.last_access_time.FromDatetime(datetime.now(UTC) - timedelta(seconds=ago))
            answer.pollers.append(poller)
        return answer

    def _fail(self) -> None:
        if self.away:
            raise RPCError("not there", RPCStatusCode.UNAVAILABLE, b"")


@pytest.fixture
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "HEARTBEAT_INTERVAL", timedelta(seconds=0.05))
    monkeypatch.setattr(sharing, "REDUCED_SHARE_SECONDS", 0.12)
    monkeypatch.setattr(sharing, "HEARTBEAT_EXPIRY_SECONDS", 0.2)


def shared(temporal: Any) -> tuple[RateShare, Limits]:
    limits = Limits(Rates(control_plane=12))
    return RateShare(temporal, task_queue="q", limits=limits), limits


async def becomes(limits: Limits, rate: float) -> None:
    async with asyncio.timeout(2):
        while limits.control_plane != pytest.approx(rate):
            await asyncio.sleep(0.01)


async def test_new_worker_counts_itself_and_takes_half_of_its_share() -> None:
    mine, limits = shared(Temporal(beats={"a": 1, "b": 1}))
    await mine.start()
    assert limits.control_plane == 12 / 3 / 2


async def test_lone_worker_begins_with_half_too() -> None:
    mine, limits = shared(Temporal())
    await mine.start()
    assert limits.control_plane == 6


@pytest.mark.usefixtures("haste")
async def test_share_follows_workers_that_come_and_go() -> None:
    temporal = Temporal(beats={"me": 1, "a": 1})
    mine, limits = shared(temporal)
    await mine.start()
    keeping = asyncio.create_task(mine.maintain())

    async def beat() -> None:
        while True:
            temporal.beats = {name: at + (name != "killed") for name, at in temporal.beats.items()}
            await asyncio.sleep(0.03)

    beating = asyncio.create_task(beat())
    await becomes(limits, 6)
    temporal.beats["killed"] = 1
    await becomes(limits, 4)
    await becomes(limits, 6)
    temporal.beats["b"] = 1
    await becomes(limits, 4)
    temporal.stopped.add("b")
    await becomes(limits, 6)
    for task in (keeping, beating):
        task.cancel()


@pytest.mark.usefixtures("haste")
async def test_heartbeat_by_a_clock_that_is_an_hour_off_counts() -> None:
    temporal = Temporal(beats={"me": 1, "ahead": 4_000_000_000})
    mine, limits = shared(temporal)
    await mine.start()
    keeping = asyncio.create_task(mine.maintain())
    for _ in range(15):
        await asyncio.sleep(0.03)
        temporal.beats = {name: at + 1 for name, at in temporal.beats.items()}
    assert limits.control_plane == 6
    keeping.cancel()


@pytest.mark.usefixtures("haste")
async def test_share_stays_while_temporal_does_not_respond() -> None:
    temporal = Temporal(beats={"me": 1, "a": 1, "b": 1})
    mine, limits = shared(temporal)
    await mine.start()
    keeping = asyncio.create_task(mine.maintain())
    await becomes(limits, 4)
    temporal.away = True
    await asyncio.sleep(0.4)
    assert limits.control_plane == 4
    assert not keeping.done()
    keeping.cancel()


async def test_pollers_count_where_temporal_lists_no_workers() -> None:
    temporal = Temporal(
        keeps_a_list=False,
        polls=[{"me": 1, "workflows only": 60, "dead": 80}, {"me": 1, "activities only": 2}],
    )
    mine, limits = shared(temporal)
    await mine.start()
    assert limits.control_plane == 12 / 3 / 2
