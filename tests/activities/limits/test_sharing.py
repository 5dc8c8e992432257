"""A worker's share of the rates, by the workers that Temporal lists."""

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

from activities.limits.rate import Limits, Rates
from activities.limits.sharing import HEARTBEAT_INTERVAL, RateShare
from tests.activities.virtual_time import virtual_time

_INTERVAL = HEARTBEAT_INTERVAL.total_seconds()
RUNNING, SHUTDOWN = WorkerStatus.WORKER_STATUS_RUNNING, WorkerStatus.WORKER_STATUS_SHUTDOWN
DRAINING = WorkerStatus.WORKER_STATUS_SHUTTING_DOWN


@dataclass
class Temporal:
    """A client of Temporal, its service, and the time of each worker's heartbeat."""

    identity: str = "me"
    namespace: str = "default"
    heartbeats: dict[str, float] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    draining: set[str] = field(default_factory=set)
    polls: list[dict[str, float]] = field(default_factory=lambda: [{}, {}])
    is_away: bool = False
    refusal: RPCStatusCode | None = None
    lists_workers: bool = True
    refused: int = 0

    @property
    def workflow_service(self) -> Temporal:
        return self

    async def list_workers(self, request: Any, **_: Any) -> ListWorkersResponse:
        self._fail()
        if not self.lists_workers:
            raise RPCError("unknown method", RPCStatusCode.UNIMPLEMENTED, b"")
        assert request.query == 'TaskQueue="q"'
        answer = ListWorkersResponse()
        for name, at in self.heartbeats.items():
            heartbeat = WorkerHeartbeat(
                worker_instance_key=name,
                worker_identity=name,
                status=SHUTDOWN
                if name in self.stopped
                else DRAINING
                if name in self.draining
                else RUNNING,
            )
            heartbeat.heartbeat_time.FromDatetime(datetime.fromtimestamp(at, UTC))
            answer.workers_info.append(WorkerInfo(worker_heartbeat=heartbeat))
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
        if self.is_away:
            raise RPCError("not there", RPCStatusCode.UNAVAILABLE, b"")
        if self.refusal is not None:
            self.refused += 1
            raise RPCError(f"refused, request {self.refused}", self.refusal, b"")


def make_share(temporal: Any, workers: int | None = None) -> tuple[RateShare, Limits]:
    limits = Limits(Rates(control_plane=12))
    return RateShare(temporal, task_queue="q", limits=limits, workers=workers), limits


async def wait_for_rate(limits: Limits, rate: float) -> None:
    try:
        async with asyncio.timeout(20 * _INTERVAL):
            while limits.control_plane != pytest.approx(rate):
                await asyncio.sleep(_INTERVAL / 5)
    except TimeoutError:
        pytest.fail(f"the rate stays at {limits.control_plane:g}, and does not become {rate:g}")


@virtual_time
async def test_new_worker_counts_itself_and_takes_half_of_its_share() -> None:
    share, limits = make_share(Temporal(heartbeats={"a": 1, "b": 1}))
    await share.start()
    assert limits.control_plane == 12 / 3 / 2


@virtual_time
async def test_lone_worker_begins_with_half_too() -> None:
    share, limits = make_share(Temporal())
    await share.start()
    assert limits.control_plane == 6


@virtual_time
async def test_share_follows_workers_that_come_and_go() -> None:
    temporal = Temporal(heartbeats={"me": 1, "a": 1})
    share, limits = make_share(temporal)
    await share.start()
    maintaining = asyncio.create_task(share.maintain())

    async def send_heartbeats() -> None:
        while True:
            temporal.heartbeats = {
                name: at + (name != "killed") for name, at in temporal.heartbeats.items()
            }
            await asyncio.sleep(0.6 * _INTERVAL)

    sending = asyncio.create_task(send_heartbeats())
    await wait_for_rate(limits, 6)
    temporal.heartbeats["killed"] = 1
    await wait_for_rate(limits, 4)
    await wait_for_rate(limits, 6)
    temporal.heartbeats["b"] = 1
    await wait_for_rate(limits, 4)
    temporal.stopped.add("b")
    await wait_for_rate(limits, 6)
    for task in (maintaining, sending):
        task.cancel()


@virtual_time
async def test_worker_that_ended_while_it_drained_does_not_count() -> None:
    temporal = Temporal(heartbeats={"gone": 1.0, "draining": 1.0}, draining={"gone", "draining"})
    share, _ = make_share(temporal)
    assert await share.list_workers() == set()
    temporal.heartbeats["draining"] += _INTERVAL
    assert await share.list_workers() == {"draining"}


@virtual_time
async def test_heartbeat_by_a_clock_that_is_an_hour_off_counts() -> None:
    temporal = Temporal(heartbeats={"me": 1, "ahead": 4_000_000_000})
    share, limits = make_share(temporal)
    await share.start()
    maintaining = asyncio.create_task(share.maintain())
    for _ in range(15):
        await asyncio.sleep(0.6 * _INTERVAL)
        temporal.heartbeats = {name: at + 1 for name, at in temporal.heartbeats.items()}
    assert limits.control_plane == 6
    maintaining.cancel()


@virtual_time
async def test_share_stays_while_temporal_does_not_respond() -> None:
    temporal = Temporal(heartbeats={"me": 1, "a": 1, "b": 1})
    share, limits = make_share(temporal)
    await share.start()
    maintaining = asyncio.create_task(share.maintain())
    await wait_for_rate(limits, 4)
    temporal.is_away = True
    await asyncio.sleep(8 * _INTERVAL)
    assert limits.control_plane == 4
    assert not maintaining.done()
    maintaining.cancel()


@virtual_time
async def test_pollers_count_where_temporal_lists_no_workers() -> None:
    temporal = Temporal(
        lists_workers=False,
        polls=[{"me": 1, "workflows only": 60, "dead": 80}, {"me": 1, "activities only": 2}],
    )
    share, limits = make_share(temporal)
    await share.start()
    assert limits.control_plane == 12 / 3 / 2


@pytest.mark.parametrize("refusal", [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED])
@virtual_time
async def test_share_is_by_the_setting_where_temporal_tells_nobody(
    refusal: RPCStatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    share, limits = make_share(Temporal(refusal=refusal), workers=4)
    await share.start()
    assert limits.control_plane == 12 / 4 / 2
    maintaining = asyncio.create_task(share.maintain())
    await wait_for_rate(limits, 3)
    await asyncio.sleep(8 * _INTERVAL)
    maintaining.cancel()
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == 1, warnings
    assert "Grant this worker ListWorkers or DescribeTaskQueue" in warnings[0]
    assert "set RELEASES_WORKERS to how many there are; 4 assumed" in warnings[0]


@virtual_time
async def test_share_of_the_list_stays_while_temporal_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    temporal = Temporal(heartbeats={"me": 1, "a": 1, "b": 1})
    share, limits = make_share(temporal, workers=1)
    await share.start()
    maintaining = asyncio.create_task(share.maintain())
    await wait_for_rate(limits, 4)
    temporal.is_away = True
    await asyncio.sleep(8 * _INTERVAL)
    maintaining.cancel()
    assert limits.control_plane == 4
    assert "Grant" not in caplog.text
