"""Invocations: routing by weight, metrics, limits and timeouts."""

import asyncio
import collections
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.local.harness import ECHO, FAIL, LocalHarness, raises_client_error, wait_until


async def create_aliased(
    harness: LocalHarness, *sources: str, weight: float = 0.0, **more: Any
) -> str:
    name = await harness.create_function(**more)
    for source in sources:
        await harness.publish_version(name, source)
    extra = {"2": weight} if weight else {}
    await harness.client.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": extra},
    )
    return name


async def read_total(
    harness: LocalHarness, metric: str, statistic: str = "Sum", **dimensions: str
) -> float:
    cloudwatch = await harness.clients.get("cloudwatch")
    now = datetime.now(UTC)
    answer = await cloudwatch.get_metric_data(
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        MetricDataQueries=[
            {
                "Id": "m",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": metric,
                        "Dimensions": [
                            {"Name": key, "Value": value} for key, value in dimensions.items()
                        ],
                    },
                    "Period": 86400,
                    "Stat": statistic,
                },
            }
        ],
    )
    [result] = answer["MetricDataResults"]
    assert result["StatusCode"] == "Complete"
    return float(sum(result["Values"]))


async def test_traffic_is_split_by_weight_and_counted_exactly(harness: LocalHarness) -> None:
    name = await create_aliased(harness, ECHO, FAIL, weight=0.3)
    invoked: collections.Counter[str] = collections.Counter()
    failed: collections.Counter[str] = collections.Counter()

    async def some() -> None:
        for _ in range(50):
            answer, payload = await harness.invoke(name, Qualifier="live")
            invoked[answer["ExecutedVersion"]] += 1
            failed[answer["ExecutedVersion"]] += "FunctionError" in answer
            if "FunctionError" not in answer:
                assert payload == {
                    "version": answer["ExecutedVersion"],
                    "arn": harness.build_arn(name, "live"),
                }

    await asyncio.gather(*(some() for _ in range(4)))
    assert invoked["1"] + invoked["2"] == 200
    assert 30 <= invoked["2"] <= 92  # five standard deviations from 60
    assert failed == {"1": 0, "2": invoked["2"]}

    resource = f"{name}:live"
    assert await read_total(harness, "Invocations", FunctionName=name) == 200
    assert await read_total(harness, "Invocations", FunctionName=name, Resource=resource) == 200
    assert await read_total(harness, "Errors", FunctionName=name, Resource=resource) == invoked["2"]
    assert await read_total(harness, "Throttles", FunctionName=name) == 0
    for version in ("1", "2"):
        through = {"FunctionName": name, "Resource": resource, "ExecutedVersion": version}
        assert await read_total(harness, "Invocations", **through) == invoked[version]
        assert await read_total(harness, "Errors", **through) == failed[version]
        assert await read_total(harness, "Duration", "SampleCount", **through) == invoked[version]
    assert await read_total(harness, "Invocations", FunctionName=name, Resource=f"{name}:2") == 0


async def test_qualifier_of_an_invocation_is_the_resource_dimension(harness: LocalHarness) -> None:
    name = await create_aliased(harness, ECHO)
    for qualifier in ({}, {"Qualifier": "$LATEST"}, {"Qualifier": "1"}, {"Qualifier": "live"}):
        await harness.invoke(name, **qualifier)
    assert await read_total(harness, "Invocations", FunctionName=name) == 4
    assert await read_total(harness, "Invocations", FunctionName=name, Resource=name) == 2
    assert await read_total(harness, "Invocations", FunctionName=name, Resource=f"{name}:1") == 1
    assert (
        await read_total(
            harness, "Invocations", FunctionName=name, Resource=f"{name}:1", ExecutedVersion="1"
        )
        == 0
    )
    assert (
        await read_total(
            harness, "Invocations", FunctionName=name, Resource=f"{name}:live", ExecutedVersion="1"
        )
        == 1
    )


async def test_weight_of_1_sends_all_traffic_to_the_additional_version(
    harness: LocalHarness,
) -> None:
    name = await create_aliased(harness, ECHO, ECHO + "#", weight=1.0)
    answers = [await harness.invoke(name, Qualifier="live") for _ in range(10)]
    assert {answer["ExecutedVersion"] for answer, _ in answers} == {"2"}


async def test_event_is_routed_and_its_errors_are_counted(harness: LocalHarness) -> None:
    name = await create_aliased(harness, ECHO, FAIL, weight=1.0)
    await harness.client.put_function_event_invoke_config(
        FunctionName=name, Qualifier="live", MaximumRetryAttempts=0
    )
    for _ in range(5):
        answer, _ = await harness.invoke(name, InvocationType="Event", Qualifier="live")
        assert answer["StatusCode"] == 202
    through = {"FunctionName": name, "Resource": f"{name}:live", "ExecutedVersion": "2"}

    async def all_failed() -> bool:
        return await read_total(harness, "Errors", **through) >= 5

    await wait_until(all_failed)
    assert await read_total(harness, "Invocations", **through) == 5
    assert await read_total(harness, "Errors", FunctionName=name, Resource=f"{name}:live") == 5


async def test_queue_invokes_both_versions_of_an_alias(harness: LocalHarness) -> None:
    sqs = await harness.clients.get("sqs")
    queue = (await sqs.create_queue(QueueName="routed"))["QueueUrl"]
    name = await create_aliased(harness, ECHO, ECHO + "#", weight=0.5)
    created = await harness.client.create_event_source_mapping(
        FunctionName=f"{name}:live",
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:routed",
        BatchSize=1,
    )
    for number in range(20):
        await sqs.send_message(QueueUrl=queue, MessageBody=str(number))

    async def by_version() -> list[float] | None:
        counts = [
            await read_total(
                harness,
                "Invocations",
                FunctionName=name,
                Resource=f"{name}:live",
                ExecutedVersion=one,
            )
            for one in "12"
        ]
        return counts if sum(counts) == 20 else None

    assert all(await wait_until(by_version, 20))
    await harness.client.delete_event_source_mapping(UUID=created["UUID"])


async def test_invoke_async_runs_a_function(harness: LocalHarness) -> None:
    name = await create_aliased(harness, ECHO)
    answer = await harness.client.invoke_async(FunctionName=f"{name}:live", InvokeArgs=b"{}")
    assert answer["Status"] == 202

    async def ran() -> bool:
        return (
            await read_total(harness, "Invocations", FunctionName=name, Resource=f"{name}:live")
            == 1
        )

    await wait_until(ran)


async def test_dry_run_runs_nothing(harness: LocalHarness) -> None:
    name = await create_aliased(harness, ECHO)
    answer, payload = await harness.invoke(name, InvocationType="DryRun", Qualifier="live")
    assert (answer["StatusCode"], payload) == (204, None)
    assert await read_total(harness, "Invocations", FunctionName=name) == 0


async def test_payload_that_is_not_json_is_refused(harness: LocalHarness) -> None:
    name = await harness.create_function()
    for operation, argument in (
        (harness.client.invoke, "Payload"),
        (harness.client.invoke_async, "InvokeArgs"),
    ):
        with raises_client_error(
            "InvalidRequestContentException", 400, "Could not parse request body into json"
        ):
            await operation(FunctionName=name, **{argument: b"{not json"})


@pytest.mark.filterwarnings("ignore:Sending a large body")
@pytest.mark.parametrize(("kind", "size"), [("RequestResponse", 6_291_457), ("Event", 1_048_577)])
async def test_payload_above_the_limit_is_refused(
    harness: LocalHarness, kind: str, size: int
) -> None:
    name = await harness.create_function()
    with raises_client_error("RequestTooLargeException", 413, "byte payload is too large"):
        await harness.client.invoke(
            FunctionName=name, InvocationType=kind, Payload=b'"' + b"x" * (size - 2) + b'"'
        )


async def test_error_names_the_missing_qualifier(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error("ResourceNotFoundException", 404, harness.build_arn(name, "live")):
        await harness.invoke(name, Qualifier="live")


async def test_function_is_ended_after_its_timeout(harness: LocalHarness) -> None:
    name = await harness.create_function(
        "import time\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=1
    )
    begun = time.monotonic()
    answer, payload = await harness.invoke(name)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Sandbox.Timedout"
    assert time.monotonic() - begun < 10


async def test_function_has_no_variables_of_the_shell(
    harness: LocalHarness,
) -> None:
    name = await harness.create_function(
        "import os\ndef handler(event, context):\n    return sorted(os.environ)\n"
    )
    _, names = await harness.invoke(name)
    assert "PYTEST_CURRENT_TEST" not in names
    assert not [one for one in names if one.startswith(("TEMPORAL", "UV_", "SSH", "GIT"))]
