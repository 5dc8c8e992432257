"""``watch_metrics`` from a workflow.

One answer for each settled minute, and no other events.
"""

from __future__ import annotations

import asyncio
import time
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

_QUEUE = "watch-metrics"


@workflow.defn(sandboxed=False)
class WatchWorkflow:
    """Collects so many answers of a watch, from the minute in which it starts."""

    @workflow.run
    async def run(self, pieces: int) -> list[MetricsResponse]:
        answers: list[MetricsResponse] = []
        begin = workflow.now()
        while len(answers) < pieces:
            since = max(begin, workflow.now() - timedelta(minutes=5))
            known = answers[-1].digest if answers else None
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
            answers.append(answer)
        return answers


@pytest.fixture
async def worker(temporal: WorkflowEnvironment, aws: FakeLambda) -> AsyncIterator[Worker]:
    aws.create("checkout", "one", "two")
    aws.apply(
        "update_alias",
        FunctionName="checkout",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )
    del aws.routed["checkout", "live"][0]  # as if the alias had always been so
    async with Worker(
        temporal.client,
        task_queue=_QUEUE,
        workflows=[WatchWorkflow],
        activities=list_operations(aws),
    ) as serving:
        yield serving


async def run_watch(
    temporal: WorkflowEnvironment, pieces: int
) -> tuple[list[MetricsResponse], int]:
    """Run a watch; return its answers and the number of events without those of skipped time."""
    handle = await temporal.client.start_workflow(
        WatchWorkflow.run, pieces, id="watch-metrics", task_queue=_QUEUE
    )
    async with asyncio.timeout(90):
        answers = await handle.result()
    skipping = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
    return answers, len(
        [event async for event in handle.fetch_history_events() if event.event_type != skipping]
    )


@pytest.mark.usefixtures("worker")
async def test_watch_reports_each_settled_minute_and_no_more_events(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.callers("checkout", per_minute=6000, error_rates={"2": 0.05, "1": 0.005})
    begun = time.monotonic()
    answers, events = await run_watch(temporal, 9)
    # A minute settles after 30 s, and is polled within 10 s; real time passes meanwhile.
    latest = timedelta(seconds=100 + time.monotonic() - begun)
    assert [answer.status for answer in answers] == ["Complete"] * 9
    assert answers[0].minutes == []
    newest = [answer.minutes[-1] for answer in answers[1:]]
    assert newest == [newest[0] + timedelta(minutes=number) for number in range(8)]
    for answer in answers[1:]:
        assert timedelta(seconds=90) <= answer.at - answer.minutes[-1] < latest
        assert answer.versions["2"].invocations == [600] * len(answer.minutes)
        assert answer.versions["2"].errors == [30] * len(answer.minutes)
        assert answer.versions["1"].errors == [27] * len(answer.minutes)
    assert len(aws.of("get_metric_data")) > 40
    assert events <= 6 * 9 + 5


@pytest.mark.usefixtures("worker")
async def test_failure_of_cloudwatch_is_reported_once_and_so_is_its_end(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.callers("checkout")
    aws.before("get_metric_data", lambda _: setattr(aws, "metrics_status", "Forbidden"), skip=3)
    aws.before("get_metric_data", lambda _: setattr(aws, "metrics_status", "Complete"), skip=9)
    aws.fail("get_metric_data", "Throttling", "Rate exceeded", skip=15, times=4)
    answers, _ = await run_watch(temporal, 8)
    statuses = [answer.status for answer in answers]
    assert [status for status in statuses if status != "Complete"] == ["Forbidden", "Throttled"]
    assert all(not answer.minutes for answer in answers if answer.status != "Complete")


@pytest.mark.usefixtures("worker")
async def test_late_data_points_are_reported_late(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.callers("checkout")
    aws.metrics_delay = timedelta(minutes=2)
    answers, _ = await run_watch(temporal, 3)
    assert [answer.at - answer.minutes[-1] >= timedelta(minutes=3) for answer in answers[1:]] == [
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
