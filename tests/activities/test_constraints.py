"""Constraints: few calls for most functions, and what cannot be read stops nothing."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.constraints import Constraints, ConstraintsResponse, FindConstraintsRequest
from activities.errors import AwsError
from activities.function_models import UpdateFunctionCodeRequest
from tests.activities.scripted_aws import ScriptedAws

LIMITS = {
    "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900},
}
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:checkout"
NONE = AwsError("get", "ProvisionedConcurrencyConfigNotFoundException", "none", status=404)
DENIED = AwsError("list", "AccessDeniedException", "not allowed", status=403)
SIGNING = "arn:aws:lambda:eu-central-1:123456789012:code-signing-config:csc-0123456789abcdef0"
PACKAGE = UpdateFunctionCodeRequest(function_name="checkout", s3_bucket="bucket", s3_key="key")


def listed(*configs: tuple[str, int], marker: str | None = None) -> dict[str, Any]:
    """A page of AWS's list."""
    items = [
        {"FunctionArn": f"{ARN}:{qualifier}", "RequestedProvisionedConcurrentExecutions": count}
        for qualifier, count in configs
    ]
    return {"ProvisionedConcurrencyConfigs": items, **({"NextMarker": marker} if marker else {})}


def signing(policy: str) -> dict[str, Any]:
    """AWS's response for a code signing configuration."""
    return {"CodeSigningConfig": {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": policy}}}


async def find(port: ScriptedAws, **keys: Any) -> ConstraintsResponse:
    """Find the constraints of version 7 behind ``live``."""
    request = FindConstraintsRequest(function_name="checkout", version="7", alias="live", **keys)
    return await Constraints(port).find_constraints(request)


async def test_function_without_any_takes_one_call() -> None:
    port = ScriptedAws(list_provisioned_concurrency_configs=listed())
    assert await find(port) == ConstraintsResponse()
    assert [name for name, _ in port.requests] == ["list_provisioned_concurrency_configs"]


async def test_all_pages_are_read_and_the_limits_where_the_version_has_some() -> None:
    port = ScriptedAws(
        list_provisioned_concurrency_configs=[listed(("6", 2), marker="next"), listed(("7", 5))],
        get_account_settings=LIMITS,
    )
    found = await find(port)
    assert found.provisioned == {"6": 2, "7": 5}
    assert (found.concurrent_executions, found.unreserved_concurrent_executions) == (1000, 900)


async def test_limits_are_read_on_request() -> None:
    port = ScriptedAws(list_provisioned_concurrency_configs=listed(), get_account_settings=LIMITS)
    assert (await find(port, account=True)).concurrent_executions == 1000


async def test_worker_that_may_not_list_reads_version_and_alias() -> None:
    port = ScriptedAws(
        list_provisioned_concurrency_configs=DENIED,
        get_provisioned_concurrency_config=[
            NONE,
            {"RequestedProvisionedConcurrentExecutions": 3},
        ],
        get_account_settings=LIMITS,
    )
    assert (await find(port)).provisioned == {"live": 3}


async def test_version_that_may_not_be_read_is_named() -> None:
    port = ScriptedAws(
        list_provisioned_concurrency_configs=DENIED, get_provisioned_concurrency_config=DENIED
    )
    [unread] = (await find(port)).unread
    assert "version 7" in unread
    assert "not allowed" in unread


async def test_version_that_has_to_be_read_is_a_failure() -> None:
    port = ScriptedAws(
        list_provisioned_concurrency_configs=DENIED, get_provisioned_concurrency_config=DENIED
    )
    with pytest.raises(ApplicationError, match="not allowed") as caught:
        await find(port, is_needed=True)
    assert caught.value.type == "Denied"


async def test_read_that_may_succeed_later_is_a_failure() -> None:
    slow = AwsError("list", "TooManyRequestsException", "slow down", status=429)
    with pytest.raises(ApplicationError, match="slow down") as caught:
        await find(ScriptedAws(list_provisioned_concurrency_configs=slow))
    assert (caught.value.type, caught.value.non_retryable) == ("Throttled", False)


@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "RequestTimeTooSkewed", "InvalidSignatureException"]
)
async def test_worker_that_is_refused_for_now_leaves_nothing_out(code: str) -> None:
    refused = AwsError("list", code, "not with these credentials", status=403)
    listed_later = {
        "list_provisioned_concurrency_configs": refused,
        "get_provisioned_concurrency_config": refused,
    }
    unsigned = {
        "list_provisioned_concurrency_configs": listed(),
        "get_function_code_signing_config": refused,
    }
    for port, keys in ((listed_later, {}), (unsigned, {"package": PACKAGE})):
        with pytest.raises(ApplicationError, match="not with these credentials") as caught:
            await find(ScriptedAws(**port), **keys)
        assert (caught.value.type, caught.value.non_retryable) == ("Denied", False)


@pytest.mark.parametrize(
    ("configuration", "operations"),
    [
        ({}, 1),
        (AwsError("get", "AccessDeniedException", "not allowed", status=403), 1),
        ({"CodeSigningConfigArn": SIGNING}, 2),
    ],
)
async def test_package_is_sent_nowhere_unless_signatures_are_enforced(
    configuration: Any, operations: int
) -> None:
    port = ScriptedAws(
        list_provisioned_concurrency_configs=listed(),
        get_function_code_signing_config=configuration,
        get_code_signing_config=signing("Warn"),
    )
    assert (await find(port, package=PACKAGE)).signing_problem is None
    assert len(port.requests) == 1 + operations


async def test_role_that_may_not_update_learns_nothing_of_signatures() -> None:
    denied = AwsError("update_function_code", "AccessDeniedException", "a plan", status=403)
    port = ScriptedAws(
        list_provisioned_concurrency_configs=listed(),
        get_function_code_signing_config={"CodeSigningConfigArn": SIGNING},
        get_code_signing_config=signing("Enforce"),
        update_function_code=denied,
    )
    assert (await find(port, package=PACKAGE)).signing_problem is None


async def test_package_is_tried_where_signatures_are_enforced() -> None:
    refusal = AwsError("update_function_code", "CodeVerificationFailedException", "unsigned")
    port = ScriptedAws(
        list_provisioned_concurrency_configs=listed(),
        get_function_code_signing_config={"CodeSigningConfigArn": SIGNING},
        get_code_signing_config=signing("Enforce"),
        update_function_code=[refusal, {}],
    )
    problem = (await find(port, package=PACKAGE)).signing_problem
    assert problem is not None
    assert "unsigned" in problem
    assert SIGNING in problem
    assert (await find(port, package=PACKAGE)).signing_problem is None
    tries = [parameters for name, parameters in port.requests if name == "update_function_code"]
    assert all(parameters["DryRun"] is True for parameters in tries)
