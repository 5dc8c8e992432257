"""The account of a release: every request names its function by ARN, and no namesake is touched."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities import list_operations
from activities.identity import AccountGuard, ServedAccount
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.harness import CANARY, Ending, Harness, read_ending
from workflows.temporal.plugin import LambdaReleases

OTHER = "999999999999"
APPROVAL: dict[str, Any] = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
}
PROBE = {
    "kind": "probe",
    "requests": [{"payload": {}}],
    "count": 1,
    "every": "1s",
}


def arn_of(name: str, *, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:lambda:{region}:{account}:function:{name}"


def functions_called(aws: FakeLambda) -> list[tuple[str, str]]:
    """The operations of Lambda that were called about a function, and its name there."""
    return [
        (call.operation, call.parameters["FunctionName"])
        for call in aws.calls
        if "FunctionName" in call.parameters
    ]


def assert_named_by_arn(harness: Harness) -> None:
    """Only the first request, which locates the function, names it in another way."""
    first, *others = functions_called(harness.aws)
    assert first == ("get_function", harness.function)
    names = {name.removesuffix(":live") for _, name in others}
    assert names == {arn_of(harness.function)}, others


async def test_every_request_of_a_release_names_the_function_by_arn(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    harness.aws.handlers[harness.function] = lambda _: {}
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"MemorySize": 512},
        concurrency={"reserved": 50, "provisioned": 5},
        guards={"alarms": ["errors"]},
        strategy={"steps": [{"kind": "set_weight", "percent": 10}, PROBE]},
    )
    assert end.kind == "Completed", end
    assert_named_by_arn(harness)
    assert {"invoke", "put_function_concurrency"} <= {
        name for name, _ in functions_called(harness.aws)
    }


async def test_every_request_of_an_undo_names_the_function_by_arn(harness: Harness) -> None:
    handle = await harness.begin_until(
        "awaiting_approval",
        configuration={"MemorySize": 512},
        concurrency={"reserved": 50, "provisioned": 5},
        **APPROVAL,
    )
    await harness.send("abort", reason="no")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()
    assert_named_by_arn(harness)


async def test_undo_by_the_release_names_the_function_by_arn(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    await harness.rollout.terminate("oops")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()
    assert_named_by_arn(harness)


async def test_first_release_creates_its_alias_by_arn(harness: Harness) -> None:
    target = {"function": harness.function, "alias": "beta"}
    document = {"target": target, "artifact": {"kind": "version", "version": "2"}}
    assert (await read_ending(await harness.start("Release", document))).kind == "Completed"
    assert ("create_alias", arn_of(harness.function)) in functions_called(harness.aws)


async def test_rollback_names_the_function_by_arn(harness: Harness) -> None:
    assert (await harness.roll_back(version="1")).kind == "Completed"
    assert_named_by_arn(harness)


async def release_of(harness: Harness, function: str) -> Ending:
    document = {"target": {"function": function}, "artifact": harness.package("three"), **CANARY}
    return await read_ending(await harness.start("Release", document))


@pytest.mark.parametrize(
    "form", ["arn:aws:lambda:{region}:{account}:function:{name}", "{account}:function:{name}"]
)
async def test_namesake_of_another_account_is_not_released(harness: Harness, form: str) -> None:
    function = form.format(region=REGION, account=OTHER, name=harness.function)
    end = await release_of(harness, function)
    assert end.kind == "ReleaseRejected"
    assert f"target.function: {function} is in account {OTHER}" in end.text
    assert f"this worker serves account {ACCOUNT}" in end.text
    assert harness.aws.writes == []


async def test_namesake_in_another_region_is_not_released(harness: Harness) -> None:
    end = await release_of(harness, arn_of(harness.function, region="us-east-1"))
    assert end.kind == "ReleaseRejected"
    assert "target.function" in end.text
    assert "us-east-1" in end.text
    assert REGION in end.text
    assert harness.aws.writes == []


async def test_plan_of_another_account_is_refused_by_its_name(harness: Harness) -> None:
    document = {
        "target": {"function": arn_of(harness.function, account=OTHER)},
        "artifact": {"kind": "latest"},
    }
    plan: Any = await harness.client.execute_workflow(
        "Plan", document, id=f"plan/{harness.function}", task_queue=harness.queue
    )
    assert any(f"this worker serves account {ACCOUNT}" in each for each in plan["refusals"])


async def test_own_arn_is_released_as_the_bare_name_is(harness: Harness) -> None:
    assert (await release_of(harness, arn_of(harness.function))).kind == "Completed"
    assert (await release_of(harness, f"{ACCOUNT}:function:{harness.function}")).status is not None


async def test_status_and_details_have_account_and_region(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    status = await harness.status()
    assert (status.account, status.region) == (ACCOUNT, REGION)
    assert str(status.target.function) == harness.function
    for each in (handle, harness.rollout):
        details = await each.query("__temporal_workflow_metadata")
        assert f"Account {ACCOUNT}, {REGION}" in str(details)
    await harness.send("abort", reason="seen")
    end = await harness.finish(handle)
    assert end.status is not None
    assert (end.status.account, end.status.region) == (ACCOUNT, REGION)


async def test_two_accounts_on_one_queue_never_mix_their_functions(harness: Harness) -> None:
    """As by a worker of before, which does not know its account."""
    ours, theirs = FakeLambda(), FakeLambda(account_id=OTHER)
    names = [f"shared-{number}-of-{harness.function}" for number in range(6)]
    for aws in (ours, theirs):
        for name in names:
            aws.create(name, "one", "two")
        aws.upload("three.zip", "three")
    queue = f"mixed-{harness.function}"
    address = harness.client.service_client.config.target_host
    workers = [
        Worker(
            await Client.connect(address, plugins=[LambdaReleases()]),
            task_queue=queue,
            activities=list_operations(aws),
        )
        for aws in (ours, theirs)
    ]
    package = {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}
    mixed = Harness(harness.env, harness.client, ours, queue, names[0])
    async with workers[0], workers[1]:
        handles = [
            await mixed.start(
                "Release",
                {"target": {"function": name}, "artifact": package, "strategy": "AllAtOnce"},
            )
            for name in names
        ]
        ends = await asyncio.gather(*map(read_ending, handles))
    assert "RollbackFailed" not in {end.kind for end in ends}, ends
    for name in names:
        assert sum(_has_written(aws, name) for aws in (ours, theirs)) <= 1, name


def _has_written(aws: FakeLambda, name: str) -> bool:
    forms, writes = {name, arn_of(name, account=aws.account_id)}, set(aws.writes)
    return any(
        call.done and call.operation in writes and call.parameters.get("FunctionName") in forms
        for call in aws.calls
    )


async def test_worker_sends_nothing_about_another_account(harness: Harness) -> None:
    queue, served = f"guarded-{harness.function}", ServedAccount(ACCOUNT, REGION)
    address = harness.client.service_client.config.target_host
    client = await Client.connect(address, plugins=[LambdaReleases()])
    activities = list_operations(AccountGuard(harness.aws, served))
    guarded = Harness(harness.env, harness.client, harness.aws, queue, harness.function)
    async with Worker(client, task_queue=queue, activities=activities):
        end = await release_of(guarded, arn_of(harness.function, account=OTHER))
    assert end.kind == "ReleaseRejected"
    assert f"is in account {OTHER}, and this worker serves account {ACCOUNT}" in end.text
    assert harness.aws.of("get_function") == []
