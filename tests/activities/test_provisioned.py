"""Provisioned concurrency: a number that is requested, and given up."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.aws import Connection
from activities.errors import AwsError
from activities.provisioned import (
    DeleteProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigRequest,
    ProvisionedConcurrency,
    PutProvisionedConcurrencyConfigRequest,
)
from tests.activities.scripted_aws import ScriptedAws
from tests.activities.stub import DropAfter, Stub
from tests.fake_lambda import FakeLambda

PUT = PutProvisionedConcurrencyConfigRequest(
    function_name="checkout", qualifier="1", provisioned_concurrent_executions=5
)
GET = GetProvisionedConcurrencyConfigRequest(function_name="checkout", qualifier="1")
DELETE = DeleteProvisionedConcurrencyConfigRequest(function_name="checkout", qualifier="1")


async def test_second_put_leaves_the_requested_number(aws: Connection, fake: FakeLambda) -> None:
    for _ in range(2):
        answer = await ProvisionedConcurrency(aws).put_provisioned_concurrency_config(PUT)
        assert (answer.status, answer.requested_provisioned_concurrent_executions) == (
            "IN_PROGRESS",
            5,
        )
    [config] = fake.functions["checkout"].provisioned.values()
    assert config["RequestedProvisionedConcurrentExecutions"] == 5


async def test_delete_of_a_missing_config_is_success(
    aws: Connection, stub: Stub, fake: FakeLambda
) -> None:
    group = ProvisionedConcurrency(aws)
    await group.put_provisioned_concurrency_config(PUT)
    stub.meets(DropAfter(), operation="delete_provisioned_concurrency_config")
    with pytest.raises(ApplicationError, match="ConnectionClosedError"):
        await group.delete_provisioned_concurrency_config(DELETE)
    await group.delete_provisioned_concurrency_config(DELETE)
    assert fake.functions["checkout"].provisioned == {}


async def test_delete_from_a_missing_function_is_success(aws: Connection, fake: FakeLambda) -> None:
    del fake.functions["checkout"]
    await ProvisionedConcurrency(aws).delete_provisioned_concurrency_config(DELETE)


async def test_refused_delete_is_no_success() -> None:
    port = ScriptedAws(
        delete_provisioned_concurrency_config=AwsError("delete", "AccessDeniedException", "no")
    )
    with pytest.raises(ApplicationError, match="Denied") as caught:
        await ProvisionedConcurrency(port).delete_provisioned_concurrency_config(DELETE)
    assert caught.value.type == "Denied"


async def test_missing_config_is_an_empty_response() -> None:
    port = ScriptedAws(
        get_provisioned_concurrency_config=AwsError(
            "get", "ProvisionedConcurrencyConfigNotFoundException", "none", status=404
        )
    )
    answer = await ProvisionedConcurrency(port).get_provisioned_concurrency_config(GET)
    assert answer.requested_provisioned_concurrent_executions is None


async def test_missing_version_is_not_found() -> None:
    port = ScriptedAws(
        get_provisioned_concurrency_config=AwsError(
            "get", "ResourceNotFoundException", "none", status=404
        )
    )
    with pytest.raises(ApplicationError, match="NotFound") as caught:
        await ProvisionedConcurrency(port).get_provisioned_concurrency_config(GET)
    assert (caught.value.type, caught.value.non_retryable) == ("NotFound", True)


async def test_progress_comes_back_in_numbers() -> None:
    port = ScriptedAws(
        get_provisioned_concurrency_config={
            "RequestedProvisionedConcurrentExecutions": 5,
            "AllocatedProvisionedConcurrentExecutions": 3,
            "AvailableProvisionedConcurrentExecutions": 2,
            "Status": "IN_PROGRESS",
            "LastModified": "2026-11-22T10:00:00+0000",
            "SomethingNew": 1,
        }
    )
    found = await ProvisionedConcurrency(port).get_provisioned_concurrency_config(GET)
    assert found.model_dump(by_alias=True, exclude={"last_modified"}) == {
        "RequestedProvisionedConcurrentExecutions": 5,
        "AllocatedProvisionedConcurrentExecutions": 3,
        "AvailableProvisionedConcurrentExecutions": 2,
        "Status": "IN_PROGRESS",
    }


def test_zero_environments_are_refused_unsent() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        PutProvisionedConcurrencyConfigRequest(
            function_name="checkout", qualifier="1", provisioned_concurrent_executions=0
        )
