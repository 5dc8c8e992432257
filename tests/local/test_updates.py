"""Change code or configuration of $LATEST."""

import pytest

from tests.local.bench import ECHO, FAIL, Bench, package, refused, sha256


async def test_a_function_stays_active_while_it_is_updated(slowly: Bench) -> None:
    name = await slowly.function()
    before = await slowly.latest(name)
    changed = await slowly.client.update_function_code(FunctionName=name, ZipFile=package(FAIL))
    assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
    assert changed["RevisionId"] != before["RevisionId"]
    settled = await slowly.settled(name)
    assert settled["LastUpdateStatus"] == "Successful"
    assert settled["RevisionId"] not in (before["RevisionId"], changed["RevisionId"])


async def test_no_change_begins_while_another_settles(slowly: Bench) -> None:
    name = await slowly.function()
    await slowly.client.update_function_configuration(FunctionName=name, MemorySize=256)
    words = f"An update is in progress for resource: {slowly.arn(name)}"
    with refused("ResourceConflictException", 409, words):
        await slowly.client.update_function_code(FunctionName=name, ZipFile=package(FAIL))
    with refused("ResourceConflictException", 409, words):
        await slowly.client.update_function_configuration(FunctionName=name, MemorySize=512)
    with refused("ResourceConflictException", 409, words):
        await slowly.client.publish_version(FunctionName=name)
    assert (await slowly.settled(name))["MemorySize"] == 256


async def test_a_function_answers_while_it_is_updated(slowly: Bench) -> None:
    name = await slowly.function()
    await slowly.client.update_function_configuration(FunctionName=name, MemorySize=256)
    answer, _ = await slowly.invoke(name)
    assert "FunctionError" not in answer


async def test_a_change_of_what_was_changed_since_it_was_read_is_refused(bench: Bench) -> None:
    name = await bench.function()
    stale = (await bench.latest(name))["RevisionId"]
    await bench.client.update_function_configuration(
        FunctionName=name, MemorySize=256, RevisionId=stale
    )
    fresh = (await bench.settled(name))["RevisionId"]
    with refused("PreconditionFailedException", 412):
        await bench.client.update_function_code(
            FunctionName=name, ZipFile=package(FAIL), RevisionId=stale
        )
    with refused("PreconditionFailedException", 412):
        await bench.client.update_function_configuration(
            FunctionName=name, MemorySize=512, RevisionId=stale
        )
    await bench.client.update_function_code(
        FunctionName=name, ZipFile=package(FAIL), RevisionId=fresh
    )


async def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    name = await bench.function()
    before = await bench.latest(name)
    answer = await bench.client.update_function_code(
        FunctionName=name, ZipFile=package(FAIL), DryRun=True, Publish=True
    )
    assert answer["CodeSha256"] == sha256(package(FAIL))
    assert await bench.numbers(name) == []
    after = await bench.latest(name)
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}


async def test_an_update_with_publish_makes_exactly_one_version(bench: Bench) -> None:
    name = await bench.function(versions=1)
    answer = await bench.client.update_function_code(
        FunctionName=name, ZipFile=package(FAIL), Publish=True
    )
    assert (answer["Version"], answer["State"]) == ("2", "Pending")
    assert answer["FunctionArn"] == bench.arn(name, "2")
    assert "LastUpdateStatus" not in answer
    await bench.settled(name)
    await bench.settled(name, Qualifier="2")
    assert (await bench.client.publish_version(FunctionName=name))["Version"] == "2"
    assert await bench.numbers(name) == ["1", "2"]


async def test_an_image_does_not_replace_a_zip(bench: Bench) -> None:
    name = await bench.function()
    with refused("InvalidParameterValueException", 400, "packageType Zip"):
        await bench.client.update_function_code(
            FunctionName=name, ImageUri="000000000000.dkr.ecr.us-east-1.amazonaws.com/x:1"
        )


async def test_only_the_function_itself_is_updated(bench: Bench) -> None:
    name = await bench.function(versions=1)
    with refused("InvalidParameterValueException", 400, "permitted on Lambda functions only"):
        await bench.client.update_function_code(FunctionName=f"{name}:1", ZipFile=package(ECHO))


@pytest.mark.parametrize("setting", [{"MemorySize": 20_000}, {"Timeout": 5_000}])
async def test_a_setting_beyond_its_limit_is_refused(bench: Bench, setting: dict[str, int]) -> None:
    name = await bench.function()
    with refused("ValidationException", 400):
        await bench.client.update_function_configuration(FunctionName=name, **setting)
