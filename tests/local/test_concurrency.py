"""Reserved and provisioned concurrency, and the account they share."""

from typing import Any

import pytest

from tests.local.bench import ECHO, Bench, refused, until


async def unreserved(bench: Bench) -> int:
    return int(
        (await bench.client.get_account_settings())["AccountLimit"][
            "UnreservedConcurrentExecutions"
        ]
    )


async def reserve(bench: Bench, name: str, wanted: int) -> None:
    await bench.client.put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=wanted
    )


async def provision(bench: Bench, name: str, qualifier: str, wanted: int = 1) -> dict[str, Any]:
    answer = await bench.client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=wanted
    )
    return dict(answer)


async def provisioned(bench: Bench, name: str, qualifier: str) -> dict[str, Any]:
    """The configuration once it is no longer on its way."""

    async def look() -> dict[str, Any] | None:
        found = await bench.client.get_provisioned_concurrency_config(
            FunctionName=name, Qualifier=qualifier
        )
        return None if found["Status"] == "IN_PROGRESS" else dict(found)

    return await until(look)


async def test_what_is_reserved_is_missing_in_the_account(alone: Bench) -> None:
    name = await alone.function()
    assert await unreserved(alone) == 1000
    await reserve(alone, name, 50)
    assert await unreserved(alone) == 950
    assert (await alone.client.get_function(FunctionName=name))["Concurrency"] == {
        "ReservedConcurrentExecutions": 50
    }
    assert (await alone.client.get_function_concurrency(FunctionName=name))[
        "ReservedConcurrentExecutions"
    ] == 50
    await reserve(alone, name, 900)
    await alone.client.delete_function_concurrency(FunctionName=name)
    await alone.client.delete_function_concurrency(FunctionName=name)
    assert await unreserved(alone) == 1000
    assert "Concurrency" not in await alone.client.get_function(FunctionName=name)


async def test_a_hundred_must_stay_unreserved(alone: Bench) -> None:
    one, other = await alone.function(), await alone.function()
    await reserve(alone, one, 800)
    with refused("InvalidParameterValueException", 400, "below its minimum value of [100]"):
        await reserve(alone, other, 101)
    await reserve(alone, other, 100)
    await reserve(alone, one, 700)


async def test_only_whole_functions_are_reserved_for(bench: Bench) -> None:
    name = await bench.function(versions=1)
    with refused("InvalidParameterValueException", 400, "permitted on Lambda functions only"):
        await reserve(bench, f"{name}:1", 1)


@pytest.mark.parametrize("qualifier", [None, "1", "live"])
async def test_reserving_nothing_stops_a_function_by_every_name(
    bench: Bench, qualifier: str | None
) -> None:
    name = await bench.function(versions=1)
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await reserve(bench, name, 0)
    with refused("TooManyRequestsException", 429) as answer:
        await bench.invoke(name, **({"Qualifier": qualifier} if qualifier else {}))
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    event, _ = await bench.invoke(name, InvocationType="Event")
    assert event["StatusCode"] == 202
    await bench.client.delete_function_concurrency(FunctionName=name)
    await bench.invoke(name, Qualifier="live")


async def test_a_throttle_is_counted_once_and_not_as_an_invocation(bench: Bench) -> None:
    name = await bench.function()
    await reserve(bench, name, 0)
    for _ in range(3):
        with refused("TooManyRequestsException", 429):
            await bench.invoke(name)
    found = {}
    for metric in ("Throttles", "Invocations", "Errors"):
        answer = await (await bench.clients.of("cloudwatch")).get_metric_data(
            StartTime="2020-01-01T00:00:00Z",
            EndTime="2100-01-01T00:00:00Z",
            MetricDataQueries=[
                {
                    "Id": "m",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/Lambda",
                            "MetricName": metric,
                            "Dimensions": [{"Name": "FunctionName", "Value": name}],
                        },
                        "Period": 86400,
                        "Stat": "Sum",
                    },
                }
            ],
        )
        found[metric] = sum(answer["MetricDataResults"][0]["Values"])
    assert found == {"Throttles": 3, "Invocations": 0, "Errors": 0}


async def test_provisioned_concurrency_takes_time(slowly: Bench) -> None:
    name = await slowly.function(versions=1)
    asked = await provision(slowly, name, "1", 2)
    assert (asked["Status"], asked["AvailableProvisionedConcurrentExecutions"]) == (
        "IN_PROGRESS",
        0,
    )
    assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (
        await slowly.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    )["Status"] == "IN_PROGRESS"
    ready = await provisioned(slowly, name, "1")
    assert (
        ready["Status"],
        ready["AvailableProvisionedConcurrentExecutions"],
        ready["AllocatedProvisionedConcurrentExecutions"],
    ) == (
        "READY",
        2,
        2,
    )
    await provision(slowly, name, "1", 3)
    again = await slowly.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    assert (again["Status"], again["AvailableProvisionedConcurrentExecutions"]) == (
        "IN_PROGRESS",
        2,
    )


async def test_a_function_that_cannot_be_loaded_fails_as_data(bench: Bench) -> None:
    name = await bench.function()
    await bench.version(name, "import nothing_of_this_name\n")
    await provision(bench, name, "1")
    found = await provisioned(bench, name, "1")
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


@pytest.mark.parametrize("call", ["put", "get", "delete"])
async def test_latest_has_no_provisioned_concurrency(bench: Bench, call: str) -> None:
    name = await bench.function()
    more = {"ProvisionedConcurrentExecutions": 1} if call == "put" else {}
    with refused(
        "InvalidParameterValueException",
        400,
        "published" if call != "put" else "unpublished function versions",
    ):
        await getattr(bench.client, f"{call}_provisioned_concurrency_config")(
            FunctionName=name, Qualifier="$LATEST", **more
        )


async def test_none_there_is_data_when_read_and_no_error_when_deleted(bench: Bench) -> None:
    name = await bench.function(versions=1)
    with refused("ProvisionedConcurrencyConfigNotFoundException", 404):
        await bench.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    await bench.client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    with refused("ResourceNotFoundException", 404, bench.arn(name, "9")):
        await bench.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="9")
    with refused("ResourceNotFoundException", 404, "Cannot find alias arn"):
        await provision(bench, name, "absent")


async def test_an_alias_under_weights_cannot_be_provisioned(bench: Bench) -> None:
    name = await bench.function(versions=2)
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    await bench.client.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights
    )
    with refused(
        "InvalidParameterValueException",
        400,
        "Invalid alias configuration for Provisioned Concurrency",
    ):
        await provision(bench, name, "live")


async def test_an_alias_on_a_provisioned_version_cannot_be_provisioned_and_the_reverse(
    bench: Bench,
) -> None:
    name = await bench.function(versions=2)
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await provision(bench, name, "1")
    with refused("ResourceConflictException", 409, "on an already Provisioned version"):
        await provision(bench, name, "live")
    await bench.client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    await provision(bench, name, "live")
    with refused(
        "ResourceConflictException", 409, "Version is pointed by a Provisioned Concurrency alias"
    ):
        await provision(bench, name, "1")
    await provision(bench, name, "2")


async def test_an_alias_that_moves_is_provisioned_anew(slowly: Bench) -> None:
    name = await slowly.function(versions=2)
    await slowly.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await provision(slowly, name, "live")
    assert (await provisioned(slowly, name, "live"))["Status"] == "READY"
    await slowly.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    moved = await slowly.client.get_provisioned_concurrency_config(
        FunctionName=name, Qualifier="live"
    )
    assert (moved["Status"], moved["AllocatedProvisionedConcurrentExecutions"]) == (
        "IN_PROGRESS",
        1,
    )
    assert (await provisioned(slowly, name, "live"))["Status"] == "READY"


async def test_no_more_is_provisioned_than_reserved_and_the_reverse(bench: Bench) -> None:
    name = await bench.function(versions=2)
    await reserve(bench, name, 3)
    await provision(bench, name, "1", 2)
    with refused(
        "InvalidParameterValueException",
        400,
        "should not be greater than the reservedConcurrentExecution",
    ):
        await provision(bench, name, "2", 2)
    with refused(
        "InvalidParameterValueException",
        400,
        "should not be lower than function's total provisioned concurrency [2]",
    ):
        await reserve(bench, name, 1)
    await provision(bench, name, "1", 3)


async def test_where_all_that_is_reserved_is_provisioned_other_versions_are_throttled(
    bench: Bench,
) -> None:
    name = await bench.function(versions=2)
    await reserve(bench, name, 2)
    await provision(bench, name, "1", 2)
    await provisioned(bench, name, "1")
    await bench.invoke(name, Qualifier="1")
    with refused("TooManyRequestsException", 429):
        await bench.invoke(name, Qualifier="2")


async def test_provisioned_concurrency_comes_out_of_the_account(alone: Bench) -> None:
    name = await alone.function(versions=1)
    await provision(alone, name, "1", 10)
    assert await unreserved(alone) == 990
    await provision(alone, name, "1", 900)
    with refused("InvalidParameterValueException", 400, "below its minimum value of [100]"):
        await provision(alone, name, "1", 901)
    with refused(
        "InvalidParameterValueException",
        400,
        "greater than account's unreserved concurrency [1000]",
    ):
        await provision(alone, name, "1", 1001)
    await reserve(alone, name, 900)
    assert await unreserved(alone) == 100


async def test_less_than_one_is_not_provisioned(bench: Bench) -> None:
    name = await bench.function(versions=1)
    with refused("ValidationException", 400):
        await provision(bench, name, "1", 0)


async def test_configurations_are_listed(bench: Bench) -> None:
    name = await bench.function(versions=2)
    await provision(bench, name, "1")
    await provision(bench, name, "2")
    listed = await bench.client.list_provisioned_concurrency_configs(FunctionName=name)
    assert [one["FunctionArn"] for one in listed["ProvisionedConcurrencyConfigs"]] == [
        bench.arn(name, "1"),
        bench.arn(name, "2"),
    ]


async def test_a_version_takes_its_provisioned_concurrency_with_it(bench: Bench) -> None:
    name = await bench.function(versions=1)
    await bench.version(name, ECHO + "# another\n")
    await provision(bench, name, "1")
    await bench.client.delete_function(FunctionName=name, Qualifier="1")
    assert (await bench.client.list_provisioned_concurrency_configs(FunctionName=name))[
        "ProvisionedConcurrencyConfigs"
    ] == []
