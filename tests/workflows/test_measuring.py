"""A watch over metrics as a workflow has it: by the workflow's clock, one answer for each thing that is new, and no history for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from activities.cloudwatch.alarms import WATCH
from activities.cloudwatch.metrics import Metrics, MetricsResponse, WatchMetricsRequest
from tests.fake_lambda import FakeLambda

_QUEUE = "measuring"


@workflow.defn(sandboxed=False)
class Measuring:
    """So many answers of a watch, from the minute in which it starts; each looks two minutes back."""

    @workflow.run
    async def run(self, pieces: int) -> list[MetricsResponse]:
        told: list[MetricsResponse] = []
        begin = workflow.now()
        while len(told) < pieces:
            since = max(begin, workflow.now() - timedelta(minutes=5))
            known = told[-1].digest if told else None
            request = WatchMetricsRequest(
                function_name="checkout",
                name="live",
                versions=["2", "1"],
                since=since,
                settle=30.0,
                slow_above=300.0,
                every=10.0,
                known=known,
            )
            answer = await workflow.execute_activity_method(
                Metrics.watch_metrics,
                request,
                start_to_close_timeout=WATCH.start_to_close,
                retry_policy=WATCH.retry,
            )
            told.append(answer)
        return told


@pytest.fixture
async def worker(temporal: WorkflowEnvironment, aws: FakeLambda) -> AsyncIterator[Worker]:
    aws.create("checkout", "one", "two")
    aws.somebody(
        "update_alias",
        FunctionName="checkout",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )
    del aws.routed["checkout", "live"][0]  # as if it had been so always
    async with Worker(
        temporal.client, task_queue=_QUEUE, workflows=[Measuring], activities=list_operations(aws)
    ) as serving:
        yield serving


async def measure(temporal: WorkflowEnvironment, pieces: int) -> tuple[list[MetricsResponse], int]:
    """The answers, and how many events the history has, but for those of the skipped time."""
    handle = await temporal.client.start_workflow(
        Measuring.run, pieces, id="measuring", task_queue=_QUEUE
    )
    async with asyncio.timeout(30):
        told = await handle.result()
    skipping = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
    return told, len(
        [event async for event in handle.fetch_history_events() if event.event_type != skipping]
    )


@pytest.mark.usefixtures("worker")
async def test_a_watch_tells_each_minute_once_it_has_settled_and_costs_no_history_in_between(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.callers("checkout", per_minute=6000, error_rates={"2": 0.05, "1": 0.005})
    told, events = await measure(temporal, 9)
    assert [answer.status for answer in told] == ["Complete"] * 9
    assert told[0].minutes == []
    newest = [answer.minutes[-1] for answer in told[1:]]
    assert newest == [newest[0] + timedelta(minutes=number) for number in range(8)]
    for answer in told[1:]:
        assert timedelta(seconds=90) <= answer.at - answer.minutes[-1] < timedelta(seconds=103)
        assert answer.versions["2"].invocations == [600] * len(answer.minutes)
        assert answer.versions["2"].errors == [30] * len(answer.minutes)
        assert answer.versions["1"].errors == [27] * len(answer.minutes)
    assert len(aws.of("get_metric_data")) > 40
    assert events <= 6 * 9 + 5


@pytest.mark.usefixtures("worker")
async def test_cloudwatch_that_forbids_or_fails_is_told_once_and_so_is_that_it_does_no_more(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.callers("checkout")
    aws.before("get_metric_data", lambda _: setattr(aws, "metrics_status", "Forbidden"), skip=3)
    aws.before("get_metric_data", lambda _: setattr(aws, "metrics_status", "Complete"), skip=9)
    aws.fail("get_metric_data", "Throttling", "Rate exceeded", skip=15, times=4)
    told, _ = await measure(temporal, 8)
    statuses = [answer.status for answer in told]
    assert [status for status in statuses if status != "Complete"] == ["Forbidden", "Throttled"]
    assert all(not answer.minutes for answer in told if answer.status != "Complete")


@pytest.mark.usefixtures("worker")
async def test_late_points_come_when_they_come(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.callers("checkout")
    aws.metrics_delay = timedelta(minutes=2)
    told, _ = await measure(temporal, 3)
    assert [answer.at - answer.minutes[-1] >= timedelta(minutes=3) for answer in told[1:]] == [
        True,
        True,
    ]


def test_traffic_follows_the_weights_of_the_alias_within_a_minute(aws: FakeLambda) -> None:
    aws.create("checkout", "one", "two")
    moves = aws.routed["checkout", "live"]
    noon = datetime.fromisoformat("2026-11-25T12:00:00Z")
    moves[:] = [
        (noon, {"1": 1.0}),
        (noon + timedelta(seconds=75), {"1": 0.9, "2": 0.1}),
        (noon + timedelta(seconds=90), {"2": 1.0}),
    ]
    shares = [
        round(aws.share("checkout", "2", noon + timedelta(minutes=minute)), 6)
        for minute in (-1, 0, 1, 2)
    ]
    assert shares == [0, 0, 0.1 * 0.25 + 0.5, 1]
    assert aws.share("checkout", "1", noon - timedelta(minutes=1)) == 1
