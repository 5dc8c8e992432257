"""Reserved and provisioned concurrency, and the account they share."""

from typing import Any

import pytest

from tests.local.harness import (
    ECHO,
    FrozenHarness,
    LocalHarness,
    raises_client_error,
    wait_until,
)


async def unreserved(harness: LocalHarness) -> int:
    return int(
        (await harness.client.get_account_settings())["AccountLimit"][
            "UnreservedConcurrentExecutions"
        ]
    )


async def reserve(harness: LocalHarness, name: str, wanted: int) -> None:
    await harness.client.put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=wanted
    )


async def provision(
    harness: LocalHarness, name: str, qualifier: str, wanted: int = 1
) -> dict[str, Any]:
    answer = await harness.client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=wanted
    )
    return dict(answer)


async def read_config(harness: LocalHarness, name: str, qualifier: str) -> dict[str, Any]:
    found = await harness.client.get_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier
    )
    return dict(found)


async def wait_until_allocated(harness: LocalHarness, name: str, qualifier: str) -> dict[str, Any]:
    """Wait until the allocation is over, and return the configuration."""

    async def read_allocated() -> dict[str, Any] | None:
        config = await read_config(harness, name, qualifier)
        return None if config["Status"] == "IN_PROGRESS" else config

    return await wait_until(read_allocated)


async def test_reserved_concurrency_is_taken_from_the_account(
    isolated_harness: LocalHarness,
) -> None:
    name = await isolated_harness.create_function()
    assert await unreserved(isolated_harness) == 1000
    await reserve(isolated_harness, name, 50)
    assert await unreserved(isolated_harness) == 950
    assert (await isolated_harness.client.get_function(FunctionName=name))["Concurrency"] == {
        "ReservedConcurrentExecutions": 50
    }
    assert (await isolated_harness.client.get_function_concurrency(FunctionName=name))[
        "ReservedConcurrentExecutions"
    ] == 50
    await reserve(isolated_harness, name, 900)
    await isolated_harness.client.delete_function_concurrency(FunctionName=name)
    await isolated_harness.client.delete_function_concurrency(FunctionName=name)
    assert await unreserved(isolated_harness) == 1000
    assert "Concurrency" not in await isolated_harness.client.get_function(FunctionName=name)


async def test_unreserved_concurrency_is_at_least_100(isolated_harness: LocalHarness) -> None:
    one, other = await isolated_harness.create_function(), await isolated_harness.create_function()
    await reserve(isolated_harness, one, 800)
    with raises_client_error(
        "InvalidParameterValueException", 400, "below its minimum value of [100]"
    ):
        await reserve(isolated_harness, other, 101)
    await reserve(isolated_harness, other, 100)
    await reserve(isolated_harness, one, 700)


async def test_version_cannot_reserve_concurrency(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    with raises_client_error(
        "InvalidParameterValueException", 400, "permitted on Lambda functions only"
    ):
        await reserve(harness, f"{name}:1", 1)


@pytest.mark.parametrize("qualifier", [None, "1", "live"])
async def test_reservation_of_0_throttles_every_qualifier(
    harness: LocalHarness, qualifier: str | None
) -> None:
    name = await harness.create_function(versions=1)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await reserve(harness, name, 0)
    with raises_client_error("TooManyRequestsException", 429) as answer:
        await harness.invoke(name, **({"Qualifier": qualifier} if qualifier else {}))
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    event, _ = await harness.invoke(name, InvocationType="Event")
    assert event["StatusCode"] == 202
    await harness.client.delete_function_concurrency(FunctionName=name)
    await harness.invoke(name, Qualifier="live")


async def test_throttle_is_counted_once_and_not_as_an_invocation(harness: LocalHarness) -> None:
    name = await harness.create_function()
    await reserve(harness, name, 0)
    for _ in range(3):
        with raises_client_error("TooManyRequestsException", 429):
            await harness.invoke(name)
    found = {}
    for metric in ("Throttles", "Invocations", "Errors"):
        answer = await (await harness.clients.get("cloudwatch")).get_metric_data(
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


async def test_provisioned_concurrency_takes_time(frozen_harness: FrozenHarness) -> None:
    name = frozen_harness.VERSIONED
    requested = await provision(frozen_harness, name, "1", 2)
    assert requested["ResponseMetadata"]["HTTPStatusCode"] == 202
    for config in (requested, await read_config(frozen_harness, name, "1")):
        assert config["Status"] == "IN_PROGRESS"
        assert config["AvailableProvisionedConcurrentExecutions"] == 0


async def test_provisioned_concurrency_stays_available_while_it_changes(
    frozen_harness: FrozenHarness,
) -> None:
    name = frozen_harness.PROVISIONED
    assert (await read_config(frozen_harness, name, "1"))["Status"] == "READY"
    await provision(frozen_harness, name, "1", 3)
    config = await read_config(frozen_harness, name, "1")
    assert config["Status"] == "IN_PROGRESS"
    assert config["AvailableProvisionedConcurrentExecutions"] == 2


async def test_provisioned_concurrency_is_ready_in_the_end(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    await provision(harness, name, "1", 2)
    config = await wait_until_allocated(harness, name, "1")
    assert config["Status"] == "READY"
    assert config["AvailableProvisionedConcurrentExecutions"] == 2
    assert config["AllocatedProvisionedConcurrentExecutions"] == 2


async def test_function_that_cannot_be_loaded_has_status_failed(harness: LocalHarness) -> None:
    name = await harness.create_function()
    await harness.publish_version(name, "import nothing_of_this_name\n")
    await provision(harness, name, "1")
    found = await wait_until_allocated(harness, name, "1")
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


@pytest.mark.parametrize("call", ["put", "get", "delete"])
async def test_latest_has_no_provisioned_concurrency(harness: LocalHarness, call: str) -> None:
    name = await harness.create_function()
    more = {"ProvisionedConcurrentExecutions": 1} if call == "put" else {}
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        "published" if call != "put" else "unpublished function versions",
    ):
        await getattr(harness.client, f"{call}_provisioned_concurrency_config")(
            FunctionName=name, Qualifier="$LATEST", **more
        )


async def test_missing_configuration_can_be_deleted_but_not_read(
    harness: LocalHarness,
) -> None:
    name = await harness.create_function(versions=1)
    with raises_client_error("ProvisionedConcurrencyConfigNotFoundException", 404):
        await harness.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    await harness.client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    with raises_client_error("ResourceNotFoundException", 404, harness.build_arn(name, "9")):
        await harness.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="9")
    with raises_client_error("ResourceNotFoundException", 404, "Cannot find alias arn"):
        await provision(harness, name, "absent")


async def test_alias_with_weights_cannot_be_provisioned(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    await harness.client.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights
    )
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        "Invalid alias configuration for Provisioned Concurrency",
    ):
        await provision(harness, name, "live")


async def test_alias_and_its_version_are_not_both_provisioned(
    harness: LocalHarness,
) -> None:
    name = await harness.create_function(versions=2)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await provision(harness, name, "1")
    with raises_client_error("ResourceConflictException", 409, "on an already Provisioned version"):
        await provision(harness, name, "live")
    await harness.client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    await provision(harness, name, "live")
    with raises_client_error(
        "ResourceConflictException", 409, "Version is pointed by a Provisioned Concurrency alias"
    ):
        await provision(harness, name, "1")
    await provision(harness, name, "2")


async def test_alias_that_moves_is_allocated_again(frozen_harness: FrozenHarness) -> None:
    name = frozen_harness.ALIASED
    assert (await read_config(frozen_harness, name, "live"))["Status"] == "READY"
    await frozen_harness.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    alias = await frozen_harness.client.get_alias(FunctionName=name, Name="live")
    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 1.0}}
    config = await read_config(frozen_harness, name, "live")
    assert config["Status"] == "IN_PROGRESS"
    assert config["AllocatedProvisionedConcurrentExecutions"] == 1


async def test_alias_that_moved_has_no_weights_in_the_end(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await provision(harness, name, "live")
    moved = await harness.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert moved["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 1.0}}

    async def read_moved() -> dict[str, Any] | None:
        alias: dict[str, Any] = await harness.client.get_alias(FunctionName=name, Name="live")
        return None if "RoutingConfig" in alias else alias

    found = await wait_until(read_moved)
    assert found["FunctionVersion"] == "2"
    assert found["RevisionId"] != moved["RevisionId"]


async def test_alias_that_moved_is_ready_in_the_end(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await provision(harness, name, "live")
    assert (await wait_until_allocated(harness, name, "live"))["Status"] == "READY"
    await harness.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert (await wait_until_allocated(harness, name, "live"))["Status"] == "READY"


async def test_provisioned_concurrency_is_at_most_the_reserved(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    await reserve(harness, name, 3)
    await provision(harness, name, "1", 2)
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        "should not be greater than the reservedConcurrentExecution",
    ):
        await provision(harness, name, "2", 2)
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        "should not be lower than function's total provisioned concurrency [2]",
    ):
        await reserve(harness, name, 1)
    await provision(harness, name, "1", 3)


async def test_versions_without_a_share_of_the_reservation_are_throttled(
    harness: LocalHarness,
) -> None:
    name = await harness.create_function(versions=2)
    await reserve(harness, name, 2)
    await provision(harness, name, "1", 2)
    await wait_until_allocated(harness, name, "1")
    await harness.invoke(name, Qualifier="1")
    with raises_client_error("TooManyRequestsException", 429):
        await harness.invoke(name, Qualifier="2")


async def test_provisioned_concurrency_is_taken_from_the_account(
    isolated_harness: LocalHarness,
) -> None:
    name = await isolated_harness.create_function(versions=1)
    await provision(isolated_harness, name, "1", 10)
    assert await unreserved(isolated_harness) == 990
    await provision(isolated_harness, name, "1", 900)
    with raises_client_error(
        "InvalidParameterValueException", 400, "below its minimum value of [100]"
    ):
        await provision(isolated_harness, name, "1", 901)
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        "greater than account's unreserved concurrency [1000]",
    ):
        await provision(isolated_harness, name, "1", 1001)
    await reserve(isolated_harness, name, 900)
    assert await unreserved(isolated_harness) == 100


async def test_provisioned_concurrency_of_0_is_refused(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    with raises_client_error("ValidationException", 400):
        await provision(harness, name, "1", 0)


async def test_configurations_are_listed(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    await provision(harness, name, "1")
    await provision(harness, name, "2")
    listed = await harness.client.list_provisioned_concurrency_configs(FunctionName=name)
    assert [one["FunctionArn"] for one in listed["ProvisionedConcurrencyConfigs"]] == [
        harness.build_arn(name, "1"),
        harness.build_arn(name, "2"),
    ]


async def test_version_is_deleted_with_its_provisioned_concurrency(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    await harness.publish_version(name, ECHO + "# another\n")
    await provision(harness, name, "1")
    await harness.client.delete_function(FunctionName=name, Qualifier="1")
    assert (await harness.client.list_provisioned_concurrency_configs(FunctionName=name))[
        "ProvisionedConcurrencyConfigs"
    ] == []
