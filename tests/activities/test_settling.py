"""Settling: what counts as settled, how often it is read, and what ends a wait."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities import settling
from activities.errors import AwsError
from activities.operation import SETTLE, get_operation_policy
from activities.settling import SettleFunctionRequest, SettleProvisionedConcurrencyRequest, Settling
from tests.activities.scripted_aws import Answer, ScriptedAws
from tests.activities.virtual_time import virtual_time

LATEST = SettleFunctionRequest(function_name="checkout")
VERSION = SettleFunctionRequest(function_name="checkout", qualifier="7")
WARM = SettleProvisionedConcurrencyRequest(function_name="checkout", qualifier="7")
MISSING = AwsError("get_function", "ResourceNotFoundException", "Function not found", status=404)
PREPARING: Answer = {
    "Status": "IN_PROGRESS",
    "RequestedProvisionedConcurrentExecutions": 5,
    "AvailableProvisionedConcurrentExecutions": 2,
}


def function(**configuration: Any) -> dict[str, Any]:
    return {
        "Configuration": {"FunctionName": "checkout", "RevisionId": "r9", **configuration},
        "Code": {"Location": "https://secret"},
    }


ACTIVE = function(State="Active", LastUpdateStatus="Successful")
UPDATING = function(
    State="Active",
    LastUpdateStatus="InProgress",
    LastUpdateStatusReason="The function is being updated.",
)
PENDING = function(State="Pending", StateReason="The function is being created.")


def now() -> float:
    return asyncio.get_running_loop().time()


async def unsettled(port: ScriptedAws, request: Any = LATEST) -> ApplicationError:
    settle = (
        Settling(port).settle_function
        if isinstance(request, SettleFunctionRequest)
        else Settling(port).settle_provisioned_concurrency
    )
    with pytest.raises(ApplicationError, match=r"(settle|get)_\w+") as caught:
        await settle(request)
    return caught.value


@pytest.mark.parametrize(
    "configuration",
    [
        {"State": "Active", "LastUpdateStatus": "Successful"},
        {"State": "Active"},
        {"State": "Inactive", "LastUpdateStatus": "Successful"},
        {"State": "ActiveNonInvocable"},
        {"LastUpdateStatus": "Successful"},
        {},
    ],
)
@virtual_time
async def test_settled_function_needs_one_read(configuration: dict[str, Any]) -> None:
    port = ScriptedAws(get_function=function(**configuration))
    assert (await Settling(port).settle_function(LATEST)).revision_id == "r9"
    assert port.times("get_function") == 1


SINCE_R9 = SettleFunctionRequest(function_name="checkout", superseded="r9")


@virtual_time
async def test_stale_read_is_not_taken_for_settled() -> None:
    after = {**ACTIVE, "Configuration": {**ACTIVE["Configuration"], "RevisionId": "r10"}}
    port = ScriptedAws(get_function=[ACTIVE, ACTIVE, after])
    assert (await Settling(port).settle_function(SINCE_R9)).revision_id == "r10"


@virtual_time
async def test_unchanged_revision_is_believed_after_a_while() -> None:
    begun, port = now(), ScriptedAws(get_function=ACTIVE)
    assert (await Settling(port).settle_function(SINCE_R9)).revision_id == "r9"
    assert now() - begun >= settling._READ_LAG_SECONDS


@pytest.mark.parametrize(
    "busy",
    [
        UPDATING,
        PENDING,
        function(State="Pending", LastUpdateStatus="Successful"),
        function(State="Deactivating"),
    ],
)
@virtual_time
async def test_update_in_progress_is_read_again(busy: dict[str, Any]) -> None:
    port = ScriptedAws(get_function=[busy, busy, ACTIVE])
    assert (await Settling(port).settle_function(LATEST)).state == "Active"
    assert port.times("get_function") == 3


@virtual_time
async def test_function_is_read_with_get_function() -> None:
    port = ScriptedAws(get_function=ACTIVE)
    await Settling(port).settle_function(VERSION)
    assert port.requests == [("get_function", {"FunctionName": "checkout", "Qualifier": "7"})]


@virtual_time
async def test_attempt_fails_benignly_with_its_next_read() -> None:
    failed = await unsettled(ScriptedAws(get_function=UPDATING))
    assert (failed.type, failed.non_retryable, failed.category) == (
        "NotReady",
        False,
        ApplicationErrorCategory.BENIGN,
    )
    assert failed.next_retry_delay
    assert "LastUpdateStatus is InProgress: The function is being updated." in failed.message


@virtual_time
async def test_pauses_between_reads_grow() -> None:
    read_at: list[float] = []

    class RecordingAws(ScriptedAws):
        async def call(self, *request: Any) -> dict[str, Any]:
            read_at.append(now())
            return await super().call(*request)

    begun = now()
    await unsettled(RecordingAws(get_function=UPDATING))
    pauses = [later - earlier for earlier, later in itertools.pairwise(read_at)]
    assert pauses == pytest.approx(sorted(pauses))
    assert pauses[-1] > 3 * pauses[0]
    assert len(read_at) <= 12
    assert now() - begun > settling.POLL_SECONDS_PER_ATTEMPT / 2
    assert now() - begun <= settling.POLL_SECONDS_PER_ATTEMPT


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        (
            {
                "State": "Active",
                "LastUpdateStatus": "Failed",
                "LastUpdateStatusReason": "no such image",
                "LastUpdateStatusReasonCode": "InvalidImage",
            },
            "LastUpdateStatus is Failed: no such image [InvalidImage]",
        ),
        (
            {
                "State": "Failed",
                "StateReason": "the subnet is full",
                "StateReasonCode": "SubnetOutOfIPAddresses",
            },
            "State is Failed: the subnet is full [SubnetOutOfIPAddresses]",
        ),
        ({"State": "Failed"}, "State is Failed: AWS gives no reason [no code]"),
    ],
)
@virtual_time
async def test_failed_update_is_invalid_with_awss_reason(
    configuration: dict[str, Any], reason: str
) -> None:
    failed = await unsettled(ScriptedAws(get_function=function(**configuration)))
    assert (failed.type, failed.non_retryable) == ("Invalid", True)
    assert reason in failed.message


@virtual_time
async def test_response_holds_no_secret_of_the_function() -> None:
    port = ScriptedAws(
        get_function=function(State="Active", Environment={"Variables": {"PASSWORD": "hunter2"}})
    )
    found = (await Settling(port).settle_function(LATEST)).model_dump_json(by_alias=True)
    assert "hunter2" not in found
    assert "https://secret" not in found
    assert "PASSWORD" in found


@virtual_time
async def test_fresh_version_may_be_missing_at_first() -> None:
    port = ScriptedAws(get_function=[MISSING, MISSING, ACTIVE])
    assert (await Settling(port).settle_function(VERSION)).state == "Active"


@virtual_time
async def test_version_that_stays_missing_is_not_found() -> None:
    begun, port = now(), ScriptedAws(get_function=MISSING)
    failed = await unsettled(port, VERSION)
    assert (failed.type, failed.non_retryable) == ("NotFound", True)
    assert port.times("get_function") > 1
    assert now() - begun >= settling._READ_LAG_SECONDS


@virtual_time
async def test_missing_function_is_not_found_at_once() -> None:
    port = ScriptedAws(get_function=MISSING)
    assert (await unsettled(port)).type == "NotFound"
    assert port.times("get_function") == 1


@virtual_time
async def test_missing_version_is_not_found_on_a_later_attempt() -> None:
    environment, port = ActivityEnvironment(), ScriptedAws(get_function=MISSING)
    environment.info = dataclasses.replace(environment.info, attempt=2)
    with pytest.raises(ApplicationError, match="NotFound"):
        await environment.run(Settling(port).settle_function, VERSION)
    assert port.times("get_function") == 1


@pytest.mark.parametrize("request_", [LATEST, WARM])
@virtual_time
async def test_worker_shutdown_hands_the_wait_over_at_once(request_: Any) -> None:
    environment = ActivityEnvironment()
    port = ScriptedAws(
        get_function=UPDATING, get_provisioned_concurrency_config={"Status": "IN_PROGRESS"}
    )
    settle: Any = (
        Settling(port).settle_function
        if request_ is LATEST
        else Settling(port).settle_provisioned_concurrency
    )
    waiting = asyncio.create_task(environment.run(settle, request_))
    await asyncio.sleep(0.02)
    begun = now()
    environment.worker_shutdown()
    with pytest.raises(ApplicationError, match="NotReady") as caught:
        await waiting
    assert now() == begun
    assert (caught.value.type, caught.value.non_retryable, caught.value.category) == (
        "NotReady",
        False,
        ApplicationErrorCategory.BENIGN,
    )


@virtual_time
async def test_environments_are_waited_for_until_they_are_ready() -> None:
    port = ScriptedAws(
        get_provisioned_concurrency_config=[PREPARING, PREPARING, {"Status": "READY"}]
    )
    assert (await Settling(port).settle_provisioned_concurrency(WARM)).status == "READY"
    assert port.times("get_provisioned_concurrency_config") == 3


@virtual_time
async def test_fresh_environments_may_be_missing_at_first() -> None:
    missing = AwsError(
        "get_provisioned_concurrency_config",
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    port = ScriptedAws(get_provisioned_concurrency_config=[missing, PREPARING, {"Status": "READY"}])
    assert (await Settling(port).settle_provisioned_concurrency(WARM)).status == "READY"
    failed = await unsettled(ScriptedAws(get_provisioned_concurrency_config=missing), WARM)
    assert failed.type == "NotFound"


@virtual_time
async def test_environments_in_preparation_are_counted_in_the_failure() -> None:
    failed = await unsettled(ScriptedAws(get_provisioned_concurrency_config=PREPARING), WARM)
    assert failed.type == "NotReady"
    assert "2 of 5 environments are ready" in failed.message


@virtual_time
async def test_environments_that_fail_are_invalid_with_awss_reason() -> None:
    failed = await unsettled(
        ScriptedAws(
            get_provisioned_concurrency_config={
                "Status": "FAILED",
                "StatusReason": "FUNCTION_ERROR_INIT_FAILURE",
            }
        ),
        WARM,
    )
    assert (failed.type, failed.non_retryable) == ("Invalid", True)
    assert "FUNCTION_ERROR_INIT_FAILURE" in failed.message


# --- a version that is to serve traffic ---

SERVING = SettleFunctionRequest(function_name="checkout", qualifier="7", serving=True)
INACTIVE = function(State="Inactive", Version="7")
WAKING = AwsError("invoke", "ResourceNotReadyException", "it is being prepared", status=502)


@virtual_time
async def test_active_version_is_not_invoked() -> None:
    port = ScriptedAws(get_function=ACTIVE)
    assert (await Settling(port).settle_function(SERVING)).state == "Active"
    assert port.times("invoke") == 0


@virtual_time
async def test_inactive_version_is_invoked_once_and_waited_for() -> None:
    port = ScriptedAws(get_function=[INACTIVE, PENDING, PENDING, ACTIVE], invoke=WAKING)
    assert (await Settling(port).settle_function(SERVING)).state == "Active"
    assert port.times("invoke") == 1


@virtual_time
async def test_inactive_version_of_tenants_is_woken_for_a_tenant() -> None:
    isolated = function(State="Inactive", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    port = ScriptedAws(get_function=[isolated, ACTIVE], invoke=WAKING)
    await Settling(port).settle_function(SERVING)
    [request] = [parameters for name, parameters in port.requests if name == "invoke"]
    assert request["TenantId"]


@pytest.mark.parametrize(
    "answer",
    [
        {"StatusCode": 200, "FunctionError": "Unhandled"},
        AwsError("invoke", "SnapStartNotReadyException", "a snapshot is made", status=409),
        AwsError(
            "invoke",
            "ResourceConflictException",
            "The function is currently in the following state: Pending",
            status=409,
        ),
    ],
)
@virtual_time
async def test_whatever_a_waking_version_answers_it_is_awake(answer: Any) -> None:
    port = ScriptedAws(get_function=[INACTIVE, ACTIVE], invoke=answer)
    assert (await Settling(port).settle_function(SERVING)).state == "Active"


@virtual_time
async def test_version_that_stays_inactive_is_looked_at_again() -> None:
    failed = await unsettled(ScriptedAws(get_function=INACTIVE, invoke=WAKING), SERVING)
    assert (failed.type, failed.non_retryable) == ("NotReady", False)
    assert "State is Inactive" in failed.message


@virtual_time
async def test_refused_waking_is_a_failure() -> None:
    refusal = AwsError("invoke", "InvalidRuntimeException", "the runtime is gone", status=502)
    port = ScriptedAws(get_function=INACTIVE, invoke=refusal)
    with pytest.raises(ApplicationError, match="the runtime is gone") as caught:
        await Settling(port).settle_function(SERVING)
    assert (caught.value.type, caught.value.non_retryable) == ("Invalid", True)


@pytest.mark.parametrize("state", ["Deactivated", "ActiveNonInvocable", "Deleting", "Strange"])
@virtual_time
async def test_version_that_cannot_serve_is_invalid(state: str) -> None:
    port = ScriptedAws(get_function=function(State=state, StateReason="no capacity"))
    failed = await unsettled(port, SERVING)
    assert (failed.type, failed.non_retryable) == ("Invalid", True)
    assert f"it cannot serve traffic: State is {state}: no capacity" in failed.message


@virtual_time
async def test_code_of_the_reason_stands_for_a_pending_state() -> None:
    creating = function(
        State="Pending", StateReason="The function is …", StateReasonCode="Creating"
    )
    failed = await unsettled(ScriptedAws(get_function=creating), SERVING)
    assert "State is Pending: Creating (InProgress)" in failed.message


def test_attempt_ends_well_before_its_timeout() -> None:
    for waiting in (Settling.settle_function, Settling.settle_provisioned_concurrency):
        assert get_operation_policy(waiting) is SETTLE
    assert SETTLE.start_to_close.total_seconds() > settling.POLL_SECONDS_PER_ATTEMPT + 17
