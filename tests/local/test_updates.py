"""Change code or configuration of $LATEST."""

import pytest

from tests.local.harness import (
    ECHO,
    FAIL,
    FrozenHarness,
    LocalHarness,
    build_package,
    compute_sha256,
    raises_client_error,
)


async def test_function_stays_active_while_an_update_settles(harness: LocalHarness) -> None:
    name = await harness.create_function()
    before = await harness.read_latest(name)
    changed = await harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(FAIL)
    )
    assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
    assert changed["RevisionId"] != before["RevisionId"]
    settled = await harness.wait_until_settled(name)
    assert settled["LastUpdateStatus"] == "Successful"
    assert settled["RevisionId"] not in (before["RevisionId"], changed["RevisionId"])


async def test_change_is_refused_while_another_settles(frozen_harness: FrozenHarness) -> None:
    name = frozen_harness.EMPTY[0]
    client = frozen_harness.client
    await client.update_function_configuration(FunctionName=name, MemorySize=256)
    text = f"An update is in progress for resource: {frozen_harness.build_arn(name)}"
    with raises_client_error("ResourceConflictException", 409, text):
        await client.update_function_code(FunctionName=name, ZipFile=build_package(FAIL))
    with raises_client_error("ResourceConflictException", 409, text):
        await client.update_function_configuration(FunctionName=name, MemorySize=512)
    with raises_client_error("ResourceConflictException", 409, text):
        await client.publish_version(FunctionName=name)
    latest = await frozen_harness.read_latest(name)
    assert (latest["MemorySize"], latest["CodeSha256"]) == (256, compute_sha256(build_package()))


async def test_function_can_be_invoked_while_an_update_settles(
    frozen_harness: FrozenHarness,
) -> None:
    name = frozen_harness.EMPTY[1]
    await frozen_harness.client.update_function_configuration(FunctionName=name, MemorySize=256)
    response, _ = await frozen_harness.invoke(name)
    assert "FunctionError" not in response


async def test_update_on_a_stale_revision_is_refused(
    harness: LocalHarness,
) -> None:
    name = await harness.create_function()
    stale = (await harness.read_latest(name))["RevisionId"]
    await harness.client.update_function_configuration(
        FunctionName=name, MemorySize=256, RevisionId=stale
    )
    fresh = (await harness.wait_until_settled(name))["RevisionId"]
    with raises_client_error("PreconditionFailedException", 412):
        await harness.client.update_function_code(
            FunctionName=name, ZipFile=build_package(FAIL), RevisionId=stale
        )
    with raises_client_error("PreconditionFailedException", 412):
        await harness.client.update_function_configuration(
            FunctionName=name, MemorySize=512, RevisionId=stale
        )
    await harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(FAIL), RevisionId=fresh
    )


async def test_dry_run_changes_nothing(harness: LocalHarness) -> None:
    name = await harness.create_function()
    before = await harness.read_latest(name)
    answer = await harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(FAIL), DryRun=True, Publish=True
    )
    assert answer["CodeSha256"] == compute_sha256(build_package(FAIL))
    assert await harness.list_versions(name) == []
    after = await harness.read_latest(name)
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}


async def test_update_with_publish_makes_one_version(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    answer = await harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(FAIL), Publish=True
    )
    assert (answer["Version"], answer["State"]) == ("2", "Pending")
    assert answer["FunctionArn"] == harness.build_arn(name, "2")
    assert "LastUpdateStatus" not in answer
    await harness.wait_until_settled(name)
    await harness.wait_until_settled(name, Qualifier="2")
    assert (await harness.client.publish_version(FunctionName=name))["Version"] == "2"
    assert await harness.list_versions(name) == ["1", "2"]


async def test_image_does_not_replace_a_zip(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error("InvalidParameterValueException", 400, "packageType Zip"):
        await harness.client.update_function_code(
            FunctionName=name, ImageUri="000000000000.dkr.ecr.us-east-1.amazonaws.com/x:1"
        )


async def test_version_cannot_be_updated(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    with raises_client_error(
        "InvalidParameterValueException", 400, "permitted on Lambda functions only"
    ):
        await harness.client.update_function_code(
            FunctionName=f"{name}:1", ZipFile=build_package(ECHO)
        )


@pytest.mark.parametrize("setting", [{"MemorySize": 20_000}, {"Timeout": 5_000}])
async def test_setting_above_its_limit_is_refused(
    harness: LocalHarness, setting: dict[str, int]
) -> None:
    name = await harness.create_function()
    with raises_client_error("ValidationException", 400):
        await harness.client.update_function_configuration(FunctionName=name, **setting)


async def test_blocked_runtime_is_refused(harness: LocalHarness) -> None:
    name = await harness.create_function()
    text = "The runtime parameter of python3.7 is no longer supported"
    with raises_client_error("InvalidParameterValueException", 400, text):
        await harness.create_function(Runtime="python3.7")
    with raises_client_error("InvalidParameterValueException", 400, text):
        await harness.client.update_function_configuration(FunctionName=name, Runtime="python3.7")
