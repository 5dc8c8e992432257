"""Change code or configuration of $LATEST."""

import pytest

from tests.local.harness import (
    ECHO,
    FAIL,
    LocalHarness,
    build_package,
    compute_sha256,
    raises_client_error,
)


async def test_a_function_stays_active_while_it_is_updated(slow_harness: LocalHarness) -> None:
    name = await slow_harness.function()
    before = await slow_harness.latest(name)
    changed = await slow_harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(FAIL)
    )
    assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
    assert changed["RevisionId"] != before["RevisionId"]
    settled = await slow_harness.settled(name)
    assert settled["LastUpdateStatus"] == "Successful"
    assert settled["RevisionId"] not in (before["RevisionId"], changed["RevisionId"])


async def test_no_change_begins_while_another_settles(slow_harness: LocalHarness) -> None:
    name = await slow_harness.function()
    await slow_harness.client.update_function_configuration(FunctionName=name, MemorySize=256)
    words = f"An update is in progress for resource: {slow_harness.arn(name)}"
    with raises_client_error("ResourceConflictException", 409, words):
        await slow_harness.client.update_function_code(
            FunctionName=name, ZipFile=build_package(FAIL)
        )
    with raises_client_error("ResourceConflictException", 409, words):
        await slow_harness.client.update_function_configuration(FunctionName=name, MemorySize=512)
    with raises_client_error("ResourceConflictException", 409, words):
        await slow_harness.client.publish_version(FunctionName=name)
    assert (await slow_harness.settled(name))["MemorySize"] == 256


async def test_a_function_answers_while_it_is_updated(slow_harness: LocalHarness) -> None:
    name = await slow_harness.function()
    await slow_harness.client.update_function_configuration(FunctionName=name, MemorySize=256)
    answer, _ = await slow_harness.invoke(name)
    assert "FunctionError" not in answer


async def test_a_change_of_what_was_changed_since_it_was_read_is_refused(
    harness: LocalHarness,
) -> None:
    name = await harness.function()
    stale = (await harness.latest(name))["RevisionId"]
    await harness.client.update_function_configuration(
        FunctionName=name, MemorySize=256, RevisionId=stale
    )
    fresh = (await harness.settled(name))["RevisionId"]
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


async def test_a_dry_run_changes_nothing(harness: LocalHarness) -> None:
    name = await harness.function()
    before = await harness.latest(name)
    answer = await harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(FAIL), DryRun=True, Publish=True
    )
    assert answer["CodeSha256"] == compute_sha256(build_package(FAIL))
    assert await harness.numbers(name) == []
    after = await harness.latest(name)
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}


async def test_an_update_with_publish_makes_exactly_one_version(harness: LocalHarness) -> None:
    name = await harness.function(versions=1)
    answer = await harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(FAIL), Publish=True
    )
    assert (answer["Version"], answer["State"]) == ("2", "Pending")
    assert answer["FunctionArn"] == harness.arn(name, "2")
    assert "LastUpdateStatus" not in answer
    await harness.settled(name)
    await harness.settled(name, Qualifier="2")
    assert (await harness.client.publish_version(FunctionName=name))["Version"] == "2"
    assert await harness.numbers(name) == ["1", "2"]


async def test_an_image_does_not_replace_a_zip(harness: LocalHarness) -> None:
    name = await harness.function()
    with raises_client_error("InvalidParameterValueException", 400, "packageType Zip"):
        await harness.client.update_function_code(
            FunctionName=name, ImageUri="000000000000.dkr.ecr.us-east-1.amazonaws.com/x:1"
        )


async def test_only_the_function_itself_is_updated(harness: LocalHarness) -> None:
    name = await harness.function(versions=1)
    with raises_client_error(
        "InvalidParameterValueException", 400, "permitted on Lambda functions only"
    ):
        await harness.client.update_function_code(
            FunctionName=f"{name}:1", ZipFile=build_package(ECHO)
        )


@pytest.mark.parametrize("setting", [{"MemorySize": 20_000}, {"Timeout": 5_000}])
async def test_a_setting_beyond_its_limit_is_refused(
    harness: LocalHarness, setting: dict[str, int]
) -> None:
    name = await harness.function()
    with raises_client_error("ValidationException", 400):
        await harness.client.update_function_configuration(FunctionName=name, **setting)
