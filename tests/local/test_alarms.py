"""Alarms: what they look at, when they go off, what they make of silence."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.awslambda.metric_math import Expression, UnsupportedExpressionError
from tests.local.harness import LocalHarness, raises_client_error, wait_until

_names = (f"alarm-{number}" for number in itertools.count())


async def put(harness: LocalHarness, **more: Any) -> str:
    """An alarm on the sum of Errors of 10 seconds, on at least one."""
    name = next(_names)
    basics: dict[str, Any] = {
        "AlarmName": name,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }
    if "Metrics" not in more:
        basics |= {"Namespace": "Tests", "MetricName": "Errors", "Statistic": "Sum", "Period": 10}
    await (await harness.clients.of("cloudwatch")).put_metric_alarm(**{**basics, **more})
    return name


async def record(
    harness: LocalHarness,
    value: float,
    metric: str = "Errors",
    *,
    seconds_ago: float = 0,
    **dimensions: str,
) -> None:
    data = {"MetricName": metric, "Value": value, "Dimensions": dimension(**dimensions)}
    data["Timestamp"] = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    await (await harness.clients.of("cloudwatch")).put_metric_data(
        Namespace="Tests", MetricData=[data]
    )


async def described(harness: LocalHarness, name: str) -> dict[str, Any]:
    answer = await (await harness.clients.of("cloudwatch")).describe_alarms(AlarmNames=[name])
    [alarm] = answer["MetricAlarms"]
    return dict(alarm)


async def state(harness: LocalHarness, name: str) -> str:
    return str((await described(harness, name))["StateValue"])


def dimension(**named: str) -> list[dict[str, str]]:
    return [{"Name": key, "Value": value} for key, value in named.items()]


async def test_an_alarm_looks_at_exactly_its_dimensions(harness: LocalHarness) -> None:
    dimensions = dimension(FunctionName="exact", Resource="exact:live")
    name = await put(harness, Dimensions=dimensions)
    await record(harness, 5, FunctionName="exact")
    await record(harness, 5, FunctionName="exact", Resource="exact:live", ExecutedVersion="2")
    assert await state(harness, name) == "OK"
    await record(harness, 5, Resource="exact:live", FunctionName="exact")
    assert await state(harness, name) == "ALARM"


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        ("notBreaching", "OK"),
        ("breaching", "ALARM"),
        ("missing", "INSUFFICIENT_DATA"),
        ("ignore", "INSUFFICIENT_DATA"),
    ],
)
async def test_silence_is_taken_as_the_alarm_says(
    harness: LocalHarness, treatment: str, expected: str
) -> None:
    name = await put(harness, Dimensions=dimension(Silent=treatment), TreatMissingData=treatment)
    assert await state(harness, name) == expected


async def test_an_alarm_that_ignores_silence_keeps_the_state_it_was_given(
    harness: LocalHarness,
) -> None:
    name = await put(harness, Dimensions=dimension(Given="state"), TreatMissingData="ignore")
    cloudwatch = await harness.clients.of("cloudwatch")
    for given in ("ALARM", "OK", "ALARM"):
        await cloudwatch.set_alarm_state(AlarmName=name, StateValue=given, StateReason="a test")
        assert await state(harness, name) == given


async def test_a_state_set_by_hand_stands_until_the_next_evaluation(harness: LocalHarness) -> None:
    name = await put(harness, Dimensions=dimension(Set="by hand"))
    await (await harness.clients.of("cloudwatch")).set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="a test"
    )
    assert await state(harness, name) == "ALARM"
    await asyncio.sleep(1)
    assert await state(harness, name) == "ALARM"

    async def calm() -> bool:
        return await state(harness, name) == "OK"

    await wait_until(calm, 12)


async def test_an_alarm_goes_off_by_the_errors_of_an_alias_and_names_its_reason(
    harness: LocalHarness,
) -> None:
    function = await harness.function(
        "def handler(event, context):\n    assert not event\n", versions=1
    )
    await harness.client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    name = await put(
        harness,
        Namespace="AWS/Lambda",
        Threshold=3,
        Dimensions=dimension(FunctionName=function, Resource=f"{function}:live"),
    )
    for event in ({}, {}, {"bad": 1}, {"bad": 1}):
        await harness.invoke(function, event, Qualifier="live")
    assert await state(harness, name) == "OK"
    await harness.invoke(function, {"bad": 1}, Qualifier="live")
    found = await described(harness, name)
    assert found["StateValue"] == "ALARM"
    assert "3.0" in found["StateReason"]


async def test_an_alarm_changes_as_time_passes_without_anything_happening(
    harness: LocalHarness,
) -> None:
    name = await put(harness, Dimensions=dimension(Time="passes"))
    await record(
        harness, 5, seconds_ago=27, Time="passes"
    )  # three periods of 10 s are looked back upon
    assert await state(harness, name) == "ALARM"

    async def calm() -> bool:
        return await state(harness, name) == "OK"

    await wait_until(calm, 10)


async def test_two_of_three_periods_are_needed_when_the_alarm_says_so(
    harness: LocalHarness,
) -> None:
    name = await put(
        harness, Dimensions=dimension(Two="of three"), EvaluationPeriods=3, DatapointsToAlarm=2
    )
    await record(harness, 5, Two="of three")
    assert await state(harness, name) == "OK"
    await record(harness, 5, seconds_ago=15, Two="of three")
    assert await state(harness, name) == "ALARM"


def rate(first: str, second: str, expression: str, **dimensions: str) -> list[dict[str, Any]]:
    def metric(id_: str, name: str) -> dict[str, Any]:
        what = {"Namespace": "Tests", "MetricName": name, "Dimensions": dimension(**dimensions)}
        return {
            "Id": id_,
            "MetricStat": {"Metric": what, "Period": 10, "Stat": "Sum"},
            "ReturnData": False,
        }

    return [
        metric("e", first),
        metric("i", second),
        {"Id": "rate", "Expression": expression, "ReturnData": True},
    ]


async def test_an_alarm_may_compute(harness: LocalHarness) -> None:
    metrics = rate("Errors", "Invocations", "e / i * 100", Computed="rate")
    name = await put(harness, Metrics=metrics, Threshold=10)
    await record(harness, 100, "Invocations", Computed="rate")
    await record(harness, 9, Computed="rate")
    found = await described(harness, name)
    assert found["StateValue"] == "OK"
    assert [one["Id"] for one in found["Metrics"]] == ["e", "i", "rate"]
    assert "MetricName" not in found
    await record(harness, 1, Computed="rate")
    assert await state(harness, name) == "ALARM"


async def test_nothing_divided_by_nothing_is_silence(harness: LocalHarness) -> None:
    metrics = rate("Errors", "Invocations", "e / i * 100", Nothing="at all")
    name = await put(harness, Metrics=metrics, TreatMissingData="breaching")
    await record(harness, 0, "Invocations", Nothing="at all")
    await record(harness, 0, Nothing="at all")
    assert await state(harness, name) == "ALARM"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"Metrics": rate("Errors", "Invocations", "ANOMALY_DETECTION_BAND(e, 2)")},
            "ANOMALY_DETECTION_BAND",
        ),
        ({"Metrics": rate("Errors", "Invocations", "e / x")}, "refers to x"),
        ({"Metrics": rate("Errors", "Invocations", "e / i")[:2]}, "exactly one"),
        ({"Period": 15}, "Period must be"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "not emulated"),
        ({"TreatMissingData": "whatever"}, "TreatMissingData"),
    ],
)
async def test_an_alarm_that_would_not_work_is_refused(
    harness: LocalHarness, change: dict[str, Any], words: str
) -> None:
    with raises_client_error("ValidationError", 400, words):
        await put(harness, **change)


async def test_metric_data_may_be_computed_and_comes_newest_first(harness: LocalHarness) -> None:
    await record(harness, 4, Data="computed")
    await record(harness, 8, "Invocations", Data="computed")
    metrics = [
        {**one, "ReturnData": True}
        for one in rate("Errors", "Invocations", "e / i * 100", Data="computed")
    ]
    cloudwatch = await harness.clients.of("cloudwatch")
    answer = await cloudwatch.get_metric_data(
        MetricDataQueries=metrics, StartTime="2020-01-01T00:00:00Z", EndTime="2100-01-01T00:00:00Z"
    )
    assert {one["Id"]: one["Values"] for one in answer["MetricDataResults"]} == {
        "e": [4.0],
        "i": [8.0],
        "rate": [50.0],
    }
    assert {one["StatusCode"] for one in answer["MetricDataResults"]} == {"Complete"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("e / i * 100", 25.0),
        ("(e + 1) / i", 0.5),
        ("-e", -1.0),
        ("e / nothing", None),
        ("FILL(nothing, 0) + e", 1.0),
        ("IF(i > 3, e / i, 0)", 0.25),
        ("IF(i > 30, e / i, 0)", 0.0),
        ("e / 0", None),
        ("2 ^ i", 16.0),
    ],
)
def test_an_expression_has_a_value(expression: str, expected: float | None) -> None:
    assert Expression.parse(expression).value({"e": 1.0, "i": 4.0, "nothing": None}) == expected


@pytest.mark.parametrize(
    "expression",
    ["e +", "__import__('os')", "e.real", "[e]", "SUM(METRICS())", "True", "e and i", "lambda: e"],
)
def test_an_expression_that_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(UnsupportedExpressionError):
        Expression.parse(expression)
