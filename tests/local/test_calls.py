"""A function may be named in four ways, and be called almost anything."""

import json

import pytest

from tests.local.harness import ECHO, FAIL, LocalHarness, build_package, raises_client_error


@pytest.mark.parametrize(
    "form",
    [
        "{name}",
        "000000000000:function:{name}",
        "function:{name}",
        "arn:aws:lambda:us-east-1:000000000000:function:{name}",
    ],
)
async def test_function_name_of_every_form_is_accepted(harness: LocalHarness, form: str) -> None:
    plain = await harness.create_function(ECHO, versions=1)
    name, client = form.format(name=plain), harness.client

    await client.get_function(FunctionName=name)
    await client.get_function_configuration(FunctionName=f"{name}:1")
    await client.list_versions_by_function(FunctionName=name)
    await client.update_function_code(FunctionName=name, ZipFile=build_package(FAIL))
    await harness.wait_until_settled(name)
    await client.update_function_configuration(FunctionName=name, MemorySize=256)
    await harness.wait_until_settled(name)
    assert (await client.publish_version(FunctionName=name))["Version"] == "2"
    await harness.wait_until_settled(name, Qualifier="2")
    created = await client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert created["AliasArn"] == harness.build_arn(plain, "live")
    await client.update_alias(FunctionName=name, Name="live", Description="described")
    await client.get_alias(FunctionName=name, Name="live")
    assert len((await client.list_aliases(FunctionName=name))["Aliases"]) == 1

    for qualified in (
        {"FunctionName": f"{name}:live"},
        {"FunctionName": name, "Qualifier": "live"},
        {"FunctionName": f"{name}:live", "Qualifier": "live"},
    ):
        answer = await client.invoke(**qualified)
        assert json.loads(await answer["Payload"].read())["arn"] == harness.build_arn(plain, "live")
    assert (await client.invoke_async(FunctionName=f"{name}:live", InvokeArgs=b"{}"))[
        "Status"
    ] == 202

    await client.add_permission(
        FunctionName=f"{name}:live",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    await client.get_policy(FunctionName=name, Qualifier="live")
    await client.remove_permission(FunctionName=f"{name}:live", StatementId="s")
    await client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    await client.get_function_concurrency(FunctionName=name)
    await client.delete_function_concurrency(FunctionName=name)
    await client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    await client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    await client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    await client.put_function_event_invoke_config(
        FunctionName=name, Qualifier="live", MaximumRetryAttempts=0
    )
    found = await client.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert found["FunctionArn"] == harness.build_arn(plain, "live")
    await client.delete_alias(FunctionName=name, Name="live")
    await client.delete_function(FunctionName=f"{name}:1")
    await client.delete_function(FunctionName=name)
    with raises_client_error("ResourceNotFoundException", 404):
        await client.get_function(FunctionName=plain)


async def test_qualifiers_that_differ_are_refused(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        "derived qualifier from the function name does not match",
    ):
        await harness.invoke(f"{name}:1", Qualifier="2")


async def test_function_of_another_region_or_account_is_not_found(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error(
        "ResourceNotFoundException",
        404,
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    ):
        await harness.client.get_function(
            FunctionName=f"arn:aws:lambda:eu-west-1:000000000000:function:{name}"
        )
    with raises_client_error("AccessDeniedException", 403):
        await harness.client.get_function(
            FunctionName=f"arn:aws:lambda:us-east-1:999999999999:function:{name}"
        )


async def test_function_name_that_is_malformed_is_refused(harness: LocalHarness) -> None:
    for name in ("with space", "x" * 65, "a:b:c:d"):
        with raises_client_error("ValidationException", 400, "at 'functionName'"):
            await harness.client.get_function(FunctionName=name)


@pytest.mark.parametrize(
    "name",
    [
        "provisioned-concurrency",
        "event-invoke-config",
        "my-code-signing-config",
        "account-settings",
        "url",
        "urls",
        "policy",
        "event-source-mappings",
    ],
)
async def test_function_may_be_named_like_a_part_of_a_path(
    harness: LocalHarness, name: str
) -> None:
    await harness.create_function(name=name, versions=1)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    await harness.client.update_alias(FunctionName=name, Name="live", Description="described")
    answer, _ = await harness.invoke(name, Qualifier="live")
    assert answer["ExecutedVersion"] == "1"
    await harness.client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    await harness.client.delete_function(FunctionName=name)


async def test_accounts_are_isolated_from_each_other(
    harness: LocalHarness, isolated_harness: LocalHarness
) -> None:
    name = await harness.create_function()
    with raises_client_error("ResourceNotFoundException", 404):
        await isolated_harness.client.get_function(FunctionName=name)
