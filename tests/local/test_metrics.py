"""GetMetricData: statistics, time ranges, and how late a minute is returned."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.aws import connect
from activities.cloudwatch.metric_queries import CustomMetric
from activities.cloudwatch.metrics import Metrics, MetricsRequest
from deploy.local.emulator import LocalLambda
from tests.local.harness import LocalHarness, open_clients, raises_client_error

NAMES = (f"metric-{number}" for number in itertools.count())
MIXED = """
import time

def handler(event, context):
    time.sleep(event.get('sleep', 0))
    assert not event.get('fail')
"""
SLOW_SECONDS = 1.2
SLOW_ABOVE_MS = 1000
FAST_EVENTS: tuple[dict[str, float], ...] = ({}, {"fail": 1}, {}, {}, {})


def floor_to_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


async def put_values(
    harness: LocalHarness, *values: float, at: datetime | None = None, name: str | None = None
) -> str:
    """Put these values of a metric, and return its name."""
    name = name or next(NAMES)
    data = [
        {"MetricName": name, "Value": value, "Timestamp": at or datetime.now(UTC)}
        for value in values
    ]
    await (await harness.clients.get("cloudwatch")).put_metric_data(
        Namespace="Tests", MetricData=data
    )
    return name


async def read_values(
    harness: LocalHarness, *queries: dict[str, Any], **more: Any
) -> dict[str, dict[datetime, float]]:
    now = datetime.now(UTC)
    times = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1)} | more
    answer = await (await harness.clients.get("cloudwatch")).get_metric_data(
        MetricDataQueries=[*queries], **times
    )
    assert {result["StatusCode"] for result in answer["MetricDataResults"]} == {"Complete"}
    return {
        result["Id"]: dict(zip(result["Timestamps"], result["Values"], strict=True))
        for result in answer["MetricDataResults"]
    }


def build_query(
    name: str, stat: str, *, id: str = "m", period: int = 3600, **more: Any
) -> dict[str, Any]:
    return {
        "Id": id,
        "MetricStat": {
            "Metric": {"Namespace": "Tests", "MetricName": name},
            "Period": period,
            "Stat": stat,
        },
        **more,
    }


@pytest.mark.parametrize(
    ("stat", "expected"),
    [
        ("SampleCount", 10), ("Sum", 550), ("Average", 55), ("Minimum", 10), ("Maximum", 100),
        ("p0", 10), ("p50", 55), ("p90", 91), ("p99", 99.1), ("p100", 100),
        ("TC(30:)", 7), ("TC(29.9:)", 8), ("TC(:30)", 3), ("TC(30:90)", 6), ("TC(100:)", 0),
        ("PR(:30)", 30), ("PR(90:)", 10), ("PR(30:90)", 60),
    ],
)  # fmt: skip
async def test_statistic_is_as_cloudwatch_defines_it(
    harness: LocalHarness, stat: str, expected: float
) -> None:
    moment = datetime.now(UTC) - timedelta(minutes=5)
    name = await put_values(harness, *range(100, 0, -10), at=moment)
    [value] = (await read_values(harness, build_query(name, stat)))["m"].values()
    assert value == pytest.approx(expected)


@pytest.mark.parametrize(
    "stat", ["tm90", "IQM", "TS(30:)", "TC(10%:90%)", "TC(:)", "median", "p", "p101"]
)
async def test_statistic_that_is_not_emulated_is_refused(harness: LocalHarness, stat: str) -> None:
    name = await put_values(harness, 1)
    with raises_client_error("ValidationError", 400, stat):
        await read_values(harness, build_query(name, stat))


async def test_alarm_on_a_statistic_that_is_not_emulated_is_refused(
    harness: LocalHarness,
) -> None:
    alarm = {
        "AlarmName": "trimmed",
        "Namespace": "Tests",
        "MetricName": "x",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
    }
    alarm |= {"ComparisonOperator": "GreaterThanThreshold"}
    cloudwatch = await harness.clients.get("cloudwatch")
    with raises_client_error("ValidationError", 400, "tm90"):
        await cloudwatch.put_metric_alarm(**alarm, ExtendedStatistic="tm90")
    await cloudwatch.put_metric_alarm(**alarm, ExtendedStatistic="TC(300:)")


async def test_minutes_and_expressions_have_values_of_their_own(
    harness: LocalHarness,
) -> None:
    now = floor_to_minute(datetime.now(UTC))
    first, second, third = (now - timedelta(minutes=number) for number in (9, 8, 6))
    errors, calls = next(NAMES), next(NAMES)
    await put_values(harness, 1, 2, at=first, name=errors)
    await put_values(harness, 10, at=first, name=calls)
    await put_values(harness, 20, at=second, name=calls)
    await put_values(harness, 5, at=third, name=errors)
    found = await read_values(
        harness,
        build_query(errors, "Sum", id="e", period=60),
        build_query(calls, "Sum", id="c", period=60, ReturnData=False),
        {"Id": "rate", "Expression": "e / c"},
        {"Id": "filled", "Expression": "FILL(e, 0)"},
    )
    assert found == {
        "e": {first: 3, third: 5},
        "rate": {first: 0.3},
        "filled": {first: 3, third: 5},
    }


async def test_range_includes_its_start_and_excludes_its_end(
    harness: LocalHarness,
) -> None:
    now = floor_to_minute(datetime.now(UTC))
    moments = [now - timedelta(minutes=number) for number in (9, 8, 7, 6)]
    name = next(NAMES)
    for moment in moments:
        await put_values(harness, 1, at=moment, name=name)
    found = await read_values(
        harness,
        build_query(name, "Sum", period=60),
        StartTime=moments[1],
        EndTime=moments[3],
        ScanBy="TimestampAscending",
    )
    assert [*found["m"]] == moments[1:3]


@pytest.fixture
async def late_harness() -> AsyncIterator[LocalHarness]:
    """A local Lambda that returns a minute 20 s after its end."""
    async with (
        LocalLambda.start(settle=0.05, provision=0.1, metrics=20) as aws,
        open_clients(aws.endpoint_url) as made,
    ):
        yield await LocalHarness.connect(made)


async def test_minute_is_returned_late_but_alarms_read_it_at_once(
    late_harness: LocalHarness,
) -> None:
    now = datetime.now(UTC)
    name = next(NAMES)
    over, running = now - timedelta(seconds=80), now
    await put_values(late_harness, 5, at=over, name=name)
    await put_values(late_harness, 7, at=running, name=name)
    assert await read_values(late_harness, build_query(name, "Sum", period=60)) == {
        "m": {floor_to_minute(over): 5.0}
    }


@pytest.fixture
async def function(harness: LocalHarness) -> str:
    """A function whose alias sends half of the traffic each to versions 1 and 2."""
    name = await harness.create_function(MIXED, versions=2)
    await harness.client.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    return name


async def test_metrics_of_a_version_match_its_traffic_through_the_alias(
    harness: LocalHarness, function: str, lambda_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in (
        ("AWS_ENDPOINT_URL", lambda_url),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(variable, value)
    if time.time() % 60 > 45:  # all of it has to fall into one minute
        await asyncio.sleep(60 - time.time() % 60)
    for version in "12":  # a cold start each, which the alias does not count
        await harness.invoke(function, {"fail": 1}, Qualifier=version)
    begun = datetime.now(UTC)
    sent = {version: Counter(invocations=0, errors=0, slow=0, waited=0) for version in "12"}

    async def send(event: dict[str, float]) -> None:
        started = time.monotonic()
        response, _ = await harness.invoke(function, event, Qualifier="live")
        counts = sent[response["ExecutedVersion"]]
        counts["invocations"] += 1
        counts["errors"] += "fail" in event
        counts["slow"] += "sleep" in event
        counts["waited"] += time.monotonic() - started > SLOW_ABOVE_MS / 1000

    while not all(counts["slow"] and counts["errors"] for counts in sent.values()):
        for event in FAST_EVENTS * 8:
            await send(event)
        await asyncio.gather(*(send({"sleep": SLOW_SECONDS}) for _ in range(6)))

    rate = {
        "Id": "rate",
        "Expression": "100 * e / i",
        "Metrics": {
            name: sum_of(function, metric)
            for name, metric in (("e", "Errors"), ("i", "Invocations"))
        },
    }
    request = MetricsRequest(
        function_name=function,
        name="live",
        versions=["2", "1"],
        since=begun,
        settle=0,
        slow_above=SLOW_ABOVE_MS,
        others=[CustomMetric.model_validate(rate)],
    )
    async with connect("us-east-1") as aws:
        clock = floor_to_minute(begun) + timedelta(minutes=1, seconds=1)
        metrics = await Metrics(aws, lambda: clock).get_metrics(request)
    assert (metrics.status, metrics.minutes) == ("Complete", [floor_to_minute(begun)])
    for version, counts in sent.items():
        series = metrics.versions[version]
        assert series.invocations == [counts["invocations"]]
        assert series.errors == [counts["errors"]]
        assert series.slow is not None
        [slow] = series.slow
        assert slow is not None
        # On a busy machine others are slow, too; none is slower here than where it was sent.
        assert counts["slow"] <= slow <= counts["waited"]
        assert series.throttles == [0]
        assert series.timed == series.invocations
        assert series.p50 is not None
        assert series.p99 is not None
        [p50], [p99] = series.p50, series.p99
        assert p50 is not None
        assert p99 is not None
        assert 0 <= p50 < SLOW_ABOVE_MS
        assert p50 < p99
    cold = 2
    invocations = sum(counts["invocations"] for counts in sent.values()) + cold
    failed = sum(counts["errors"] for counts in sent.values()) + cold
    assert metrics.others == {"rate": [pytest.approx(100 * failed / invocations, rel=1e-4)]}


def sum_of(function: str, metric: str) -> dict[str, Any]:
    return {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": {"FunctionName": function},
        "Stat": "Sum",
    }
