"""GetMetricData: what was recorded, by whatever statistic, and when it is told."""

import asyncio
import itertools
import time
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
MIXED = "import time\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n    assert not event.get('fail')\n"


def minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


async def recorded(
    harness: LocalHarness, *values: float, at: datetime | None = None, name: str | None = None
) -> str:
    """A metric with these values."""
    name = name or next(NAMES)
    data = [
        {"MetricName": name, "Value": value, "Timestamp": at or datetime.now(UTC)}
        for value in values
    ]
    await (await harness.clients.of("cloudwatch")).put_metric_data(
        Namespace="Tests", MetricData=data
    )
    return name


async def asked(
    harness: LocalHarness, *queries: dict[str, Any], **more: Any
) -> dict[str, dict[datetime, float]]:
    now = datetime.now(UTC)
    times = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1)} | more
    answer = await (await harness.clients.of("cloudwatch")).get_metric_data(
        MetricDataQueries=[*queries], **times
    )
    assert {result["StatusCode"] for result in answer["MetricDataResults"]} == {"Complete"}
    return {
        result["Id"]: dict(zip(result["Timestamps"], result["Values"], strict=True))
        for result in answer["MetricDataResults"]
    }


def query(
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
        ("SampleCount", 10), ("Sum", 550), ("Average", 55), ("Minimum", 10), ("Maximum", 100), ("p0", 10), ("p50", 55), ("p90", 91), ("p99", 99.1), ("p100", 100),
        ("TC(30:)", 7), ("TC(29.9:)", 8), ("TC(:30)", 3), ("TC(30:90)", 6), ("TC(100:)", 0), ("PR(:30)", 30), ("PR(90:)", 10), ("PR(30:90)", 60),
    ],
)  # fmt: skip
async def test_a_statistic_is_as_cloudwatch_defines_it(
    harness: LocalHarness, stat: str, expected: float
) -> None:
    moment = datetime.now(UTC) - timedelta(minutes=5)
    name = await recorded(harness, *range(100, 0, -10), at=moment)
    [value] = (await asked(harness, query(name, stat)))["m"].values()
    assert value == pytest.approx(expected)


@pytest.mark.parametrize(
    "stat", ["tm90", "IQM", "TS(30:)", "TC(10%:90%)", "TC(:)", "median", "p", "p101"]
)
async def test_a_statistic_that_is_not_emulated_is_refused_and_is_no_average(
    harness: LocalHarness, stat: str
) -> None:
    name = await recorded(harness, 1)
    with raises_client_error("ValidationError", 400, stat):
        await asked(harness, query(name, stat))


async def test_an_alarm_on_a_statistic_that_is_not_emulated_is_refused(
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
    cloudwatch = await harness.clients.of("cloudwatch")
    with raises_client_error("ValidationError", 400, "tm90"):
        await cloudwatch.put_metric_alarm(**alarm, ExtendedStatistic="tm90")
    await cloudwatch.put_metric_alarm(**alarm, ExtendedStatistic="TC(300:)")


async def test_each_minute_has_its_own_values_and_an_expression_those_of_its_minutes(
    harness: LocalHarness,
) -> None:
    now = minute(datetime.now(UTC))
    first, second, third = (now - timedelta(minutes=number) for number in (9, 8, 6))
    errors, calls = next(NAMES), next(NAMES)
    await recorded(harness, 1, 2, at=first, name=errors)
    await recorded(harness, 10, at=first, name=calls)
    await recorded(harness, 20, at=second, name=calls)
    await recorded(harness, 5, at=third, name=errors)
    found = await asked(
        harness,
        query(errors, "Sum", id="e", period=60),
        query(calls, "Sum", id="c", period=60, ReturnData=False),
        {"Id": "rate", "Expression": "e / c"},
        {"Id": "filled", "Expression": "FILL(e, 0)"},
    )
    assert found == {
        "e": {first: 3, third: 5},
        "rate": {first: 0.3},
        "filled": {first: 3, third: 5},
    }


async def test_what_is_asked_for_begins_with_the_start_and_ends_before_the_end(
    harness: LocalHarness,
) -> None:
    now = minute(datetime.now(UTC))
    moments = [now - timedelta(minutes=number) for number in (9, 8, 7, 6)]
    name = next(NAMES)
    for moment in moments:
        await recorded(harness, 1, at=moment, name=name)
    found = await asked(
        harness,
        query(name, "Sum", period=60),
        StartTime=moments[1],
        EndTime=moments[3],
        ScanBy="TimestampAscending",
    )
    assert [*found["m"]] == moments[1:3]


# ── late ──


@pytest.fixture
async def late() -> AsyncIterator[LocalHarness]:
    """A local Lambda that tells of a minute 20 s after its end."""
    async with (
        LocalLambda.start(settle=0.05, provision=0.1, metrics=20) as aws,
        open_clients(aws.endpoint_url) as made,
    ):
        yield await LocalHarness.of(made)


async def test_a_minute_is_told_so_long_after_its_end_and_an_alarm_sees_it_at_once(
    late: LocalHarness,
) -> None:
    now = datetime.now(UTC)
    name = next(NAMES)
    over, running = now - timedelta(seconds=80), now
    await recorded(late, 5, at=over, name=name)
    await recorded(late, 7, at=running, name=name)
    assert await asked(late, query(name, "Sum", period=60)) == {"m": {minute(over): 5.0}}


# ── what a release sees ──


@pytest.fixture
async def shop(harness: LocalHarness) -> str:
    """A function with a stable version 1 and a candidate 2 behind an alias, half of the traffic each."""
    name = await harness.function(MIXED, versions=2)
    await harness.client.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    return name


async def test_each_versions_numbers_are_what_was_sent_through_the_alias(
    harness: LocalHarness, shop: str, fast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in (
        ("AWS_ENDPOINT_URL", fast),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(variable, value)
    if time.time() % 60 > 40:  # so that all of it falls into one minute
        await asyncio.sleep(60 - time.time() % 60)
    for version in "12":  # warm, and not through the alias
        await harness.invoke(shop, {"fail": 1}, Qualifier=version)
    begun = datetime.now(UTC)
    sent = {
        "1": {"invocations": 0, "errors": 0, "slow": 0},
        "2": {"invocations": 0, "errors": 0, "slow": 0},
    }
    sending = 0
    while sending < 24 or not all(counted["slow"] for counted in sent.values()):
        event: dict[str, float] = ({}, {"sleep": 1.2}, {"fail": 1}, {}, {}, {})[sending % 6]
        answer, _ = await harness.invoke(shop, event, Qualifier="live")
        counted = sent[answer["ExecutedVersion"]]
        counted["invocations"] += 1
        counted["errors"] += "fail" in event
        counted["slow"] += "sleep" in event
        sending += 1

    rate = {
        "Id": "rate",
        "Expression": "100 * e / i",
        "Metrics": {
            name: everything(shop, metric)
            for name, metric in (("e", "Errors"), ("i", "Invocations"))
        },
    }
    request = MetricsRequest(
        function_name=shop,
        name="live",
        versions=["2", "1"],
        since=begun,
        settle=0,
        slow_above=1000,
        others=[CustomMetric.model_validate(rate)],
    )
    async with connect("us-east-1") as aws:
        told = await Metrics(
            aws, lambda: minute(begun) + timedelta(minutes=1, seconds=1)
        ).get_metrics(request)
    assert (told.status, told.minutes) == ("Complete", [minute(begun)])
    for version, counted in sent.items():
        series = told.versions[version]
        seen = {"invocations": series.invocations, "errors": series.errors, "slow": series.slow}
        assert seen == {name: [number] for name, number in counted.items()}
        assert series.throttles == [0]
        assert series.timed == series.invocations
        assert series.p50 is not None
        assert series.p99 is not None
        [p50], [p99] = series.p50, series.p99
        assert p50 is not None
        assert p99 is not None
        assert 0 <= p50 < 1000
        assert p50 < p99
    failed = sum(counted["errors"] for counted in sent.values()) + 2
    assert told.others == {"rate": [pytest.approx(100 * failed / (sending + 2), rel=1e-4)]}


def everything(function: str, metric: str) -> dict[str, Any]:
    return {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": {"FunctionName": function},
        "Stat": "Sum",
    }
