"""Alarms: dimensions, states, missing data, and metric math."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.awslambda.metric_math import MathExpression, UnsupportedExpressionError
from tests.local.harness import LocalHarness, raises_client_error, wait_until

_names = (f"alarm-{number}" for number in itertools.count())


async def put_alarm(harness: LocalHarness, **more: Any) -> str:
    """Put an alarm on at least one error in 10 seconds, and return its name."""
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
    await (await harness.clients.get("cloudwatch")).put_metric_alarm(**{**basics, **more})
    return name


async def put_value(
    harness: LocalHarness,
    value: float,
    metric: str = "Errors",
    *,
    seconds_ago: float = 0,
    **dimensions: str,
) -> None:
    data = {"MetricName": metric, "Value": value, "Dimensions": build_dimensions(**dimensions)}
    data["Timestamp"] = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    await (await harness.clients.get("cloudwatch")).put_metric_data(
        Namespace="Tests", MetricData=[data]
    )


async def describe(harness: LocalHarness, name: str) -> dict[str, Any]:
    answer = await (await harness.clients.get("cloudwatch")).describe_alarms(AlarmNames=[name])
    [alarm] = answer["MetricAlarms"]
    return dict(alarm)


async def read_state(harness: LocalHarness, name: str) -> str:
    return str((await describe(harness, name))["StateValue"])


def build_dimensions(**named: str) -> list[dict[str, str]]:
    return [{"Name": key, "Value": value} for key, value in named.items()]


async def test_alarm_reads_exactly_its_dimensions(harness: LocalHarness) -> None:
    dimensions = build_dimensions(FunctionName="exact", Resource="exact:live")
    name = await put_alarm(harness, Dimensions=dimensions)
    await put_value(harness, 5, FunctionName="exact")
    await put_value(harness, 5, FunctionName="exact", Resource="exact:live", ExecutedVersion="2")
    assert await read_state(harness, name) == "OK"
    await put_value(harness, 5, Resource="exact:live", FunctionName="exact")
    assert await read_state(harness, name) == "ALARM"


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        ("notBreaching", "OK"),
        ("breaching", "ALARM"),
        ("missing", "INSUFFICIENT_DATA"),
        ("ignore", "INSUFFICIENT_DATA"),
    ],
)
async def test_missing_data_is_treated_as_configured(
    harness: LocalHarness, treatment: str, expected: str
) -> None:
    name = await put_alarm(
        harness, Dimensions=build_dimensions(Silent=treatment), TreatMissingData=treatment
    )
    assert await read_state(harness, name) == expected


async def test_alarm_that_ignores_missing_data_keeps_its_state(
    harness: LocalHarness,
) -> None:
    name = await put_alarm(
        harness, Dimensions=build_dimensions(Given="state"), TreatMissingData="ignore"
    )
    cloudwatch = await harness.clients.get("cloudwatch")
    for given in ("ALARM", "OK", "ALARM"):
        await cloudwatch.set_alarm_state(AlarmName=name, StateValue=given, StateReason="a test")
        assert await read_state(harness, name) == given


async def test_state_set_by_hand_lasts_until_the_next_evaluation(harness: LocalHarness) -> None:
    name = await put_alarm(harness, Dimensions=build_dimensions(Set="by hand"))
    await (await harness.clients.get("cloudwatch")).set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="a test"
    )
    assert await read_state(harness, name) == "ALARM"
    await asyncio.sleep(1)
    assert await read_state(harness, name) == "ALARM"

    async def is_ok() -> bool:
        return await read_state(harness, name) == "OK"

    await wait_until(is_ok)


async def test_alarm_on_the_errors_of_an_alias_names_its_reason(
    harness: LocalHarness,
) -> None:
    function = await harness.create_function(
        "def handler(event, context):\n    assert not event\n", versions=1
    )
    await harness.client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    name = await put_alarm(
        harness,
        Namespace="AWS/Lambda",
        Threshold=3,
        Dimensions=build_dimensions(FunctionName=function, Resource=f"{function}:live"),
    )
    for event in ({}, {}, {"bad": 1}, {"bad": 1}):
        await harness.invoke(function, event, Qualifier="live")
    assert await read_state(harness, name) == "OK"
    await harness.invoke(function, {"bad": 1}, Qualifier="live")
    found = await describe(harness, name)
    assert found["StateValue"] == "ALARM"
    assert "3.0" in found["StateReason"]


async def test_alarm_changes_by_the_passing_of_time_alone(
    harness: LocalHarness,
) -> None:
    name = await put_alarm(harness, Dimensions=build_dimensions(Time="passes"))
    # Three periods of 10 s are evaluated, so the value counts for 3 s more.
    await put_value(harness, 5, seconds_ago=27, Time="passes")
    assert await read_state(harness, name) == "ALARM"

    async def is_ok() -> bool:
        return await read_state(harness, name) == "OK"

    await wait_until(is_ok)


async def test_alarm_needs_as_many_datapoints_as_configured(
    harness: LocalHarness,
) -> None:
    name = await put_alarm(
        harness,
        Dimensions=build_dimensions(Two="of three"),
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
    )
    await put_value(harness, 5, Two="of three")
    assert await read_state(harness, name) == "OK"
    await put_value(harness, 5, seconds_ago=15, Two="of three")
    assert await read_state(harness, name) == "ALARM"


def build_rate(first: str, second: str, expression: str, **dimensions: str) -> list[dict[str, Any]]:
    def metric(id_: str, name: str) -> dict[str, Any]:
        what = {
            "Namespace": "Tests",
            "MetricName": name,
            "Dimensions": build_dimensions(**dimensions),
        }
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


async def test_alarm_evaluates_metric_math(harness: LocalHarness) -> None:
    metrics = build_rate("Errors", "Invocations", "e / i * 100", Computed="rate")
    name = await put_alarm(harness, Metrics=metrics, Threshold=10)
    await put_value(harness, 100, "Invocations", Computed="rate")
    await put_value(harness, 9, Computed="rate")
    found = await describe(harness, name)
    assert found["StateValue"] == "OK"
    assert [one["Id"] for one in found["Metrics"]] == ["e", "i", "rate"]
    assert "MetricName" not in found
    await put_value(harness, 1, Computed="rate")
    assert await read_state(harness, name) == "ALARM"


async def test_division_of_zero_by_zero_is_missing_data(harness: LocalHarness) -> None:
    metrics = build_rate("Errors", "Invocations", "e / i * 100", Nothing="at all")
    name = await put_alarm(harness, Metrics=metrics, TreatMissingData="breaching")
    await put_value(harness, 0, "Invocations", Nothing="at all")
    await put_value(harness, 0, Nothing="at all")
    assert await read_state(harness, name) == "ALARM"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"Metrics": build_rate("Errors", "Invocations", "ANOMALY_DETECTION_BAND(e, 2)")},
            "ANOMALY_DETECTION_BAND",
        ),
        ({"Metrics": build_rate("Errors", "Invocations", "e / x")}, "refers to x"),
        ({"Metrics": build_rate("Errors", "Invocations", "e / i")[:2]}, "exactly one"),
        ({"Period": 15}, "Period must be"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "not emulated"),
        ({"TreatMissingData": "whatever"}, "TreatMissingData"),
    ],
)
async def test_alarm_that_would_not_work_is_refused(
    harness: LocalHarness, change: dict[str, Any], words: str
) -> None:
    with raises_client_error("ValidationError", 400, words):
        await put_alarm(harness, **change)


async def test_metric_data_of_expressions_comes_newest_first(harness: LocalHarness) -> None:
    await put_value(harness, 4, Data="computed")
    await put_value(harness, 8, "Invocations", Data="computed")
    metrics = [
        {**one, "ReturnData": True}
        for one in build_rate("Errors", "Invocations", "e / i * 100", Data="computed")
    ]
    cloudwatch = await harness.clients.get("cloudwatch")
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
def test_expression_has_a_value(expression: str, expected: float | None) -> None:
    assert MathExpression.parse(expression).value({"e": 1.0, "i": 4.0, "nothing": None}) == expected


@pytest.mark.parametrize(
    "expression",
    ["e +", "__import__('os')", "e.real", "[e]", "SUM(METRICS())", "True", "e and i", "lambda: e"],
)
def test_expression_that_is_not_emulated_is_refused(expression: str) -> None:
    with pytest.raises(UnsupportedExpressionError, match=r"cannot read|not emulated here"):
        MathExpression.parse(expression)
