"""Create, read, list and delete a function."""

import hashlib
import os

import aiohttp
import pytest

from tests.local.bench import ECHO, FAIL, ROLE, Bench, package, refused, sha256

CODE = {"Runtime": "python3.11", "Handler": "index.handler", "Role": ROLE}


async def test_a_new_function_is_pending_and_cannot_be_invoked_yet(slowly: Bench) -> None:
    created = await slowly.client.create_function(
        FunctionName="pending", Code={"ZipFile": package()}, **CODE
    )
    assert created["State"] == "Pending"
    assert "LastUpdateStatus" not in created
    with refused("ResourceConflictException", 409, "in the following state: Pending"):
        await slowly.invoke("pending")
    with refused("ResourceConflictException", 409, "Pending"):
        await slowly.client.publish_version(FunctionName="pending")
    settled = await slowly.settled("pending")
    assert settled["RevisionId"] != created["RevisionId"]
    await slowly.invoke("pending")


async def test_a_function_created_with_publish_has_exactly_one_version(bench: Bench) -> None:
    name = await bench.function(Publish=True)
    assert await bench.numbers(name) == ["1"]
    assert (await bench.client.publish_version(FunctionName=name))["Version"] == "1"
    assert await bench.numbers(name) == ["1"]


async def test_a_function_of_that_name_cannot_be_created_twice(bench: Bench) -> None:
    name = await bench.function()
    with refused("ResourceConflictException", 409, "already exist"):
        await bench.function(name=name)


@pytest.mark.filterwarnings("ignore:Sending a large body")  # aiohttp's; it is meant
async def test_a_direct_upload_above_50_mb_is_refused(bench: Bench) -> None:
    large = package(padding=os.urandom(1024) * 52_000)
    with refused("RequestEntityTooLargeException", 413):
        await bench.client.create_function(FunctionName="large", Code={"ZipFile": large}, **CODE)


async def test_what_is_no_zip_is_refused(bench: Bench) -> None:
    with refused("InvalidParameterValueException", 400, "Could not unzip"):
        await bench.client.create_function(FunctionName="no-zip", Code={"ZipFile": b"text"}, **CODE)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"S3Bucket": "nobody", "S3Key": "x.zip"}, "NoSuchBucket"),
        ({"S3Bucket": "somebody", "S3Key": "x.zip"}, "NoSuchKey"),
    ],
)
async def test_a_package_that_is_not_in_s3_is_refused(
    bench: Bench, source: dict[str, str], words: str
) -> None:
    await (await bench.clients.of("s3")).create_bucket(Bucket="somebody")
    with refused("InvalidParameterValueException", 400, f"S3 Error Code: {words}"):
        await bench.client.create_function(FunctionName="nowhere", Code=source, **CODE)


@pytest.mark.parametrize("setting", [{"MemorySize": 10_241}, {"Timeout": 901}])
async def test_a_setting_beyond_its_limit_is_refused(bench: Bench, setting: dict[str, int]) -> None:
    with refused("ValidationException", 400, "less than or equal to"):
        await bench.client.create_function(
            FunctionName="beyond", Code={"ZipFile": package()}, **CODE, **setting
        )


async def test_variables_above_4_kb_are_refused(bench: Bench) -> None:
    with refused("InvalidParameterValueException", 400, "4KB"):
        await bench.client.create_function(
            FunctionName="beyond",
            Code={"ZipFile": package()},
            Environment={"Variables": {"LONG": "x" * 4096}},
            **CODE,
        )


async def test_each_version_has_its_own_code_and_configuration(bench: Bench) -> None:
    name = await bench.function()
    await bench.version(name, ECHO, MemorySize=256)
    await bench.version(name, FAIL, MemorySize=512)
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for qualifier, source, memory in (
        ("1", ECHO, 256),
        ("2", FAIL, 512),
        ("live", ECHO, 256),
        ("$LATEST", FAIL, 512),
    ):
        found = await bench.client.get_function(FunctionName=name, Qualifier=qualifier)
        assert found["Configuration"]["MemorySize"] == memory
        assert found["Configuration"]["FunctionArn"] == bench.arn(name, qualifier)
        assert found["Configuration"]["CodeSha256"] == sha256(package(source))
        async with (
            aiohttp.ClientSession() as session,
            session.get(found["Code"]["Location"]) as fetched,
        ):
            assert fetched.status == 200
            assert (
                hashlib.sha256(await fetched.read()).digest()
                == hashlib.sha256(package(source)).digest()
            )


async def test_a_miss_names_the_qualifier(bench: Bench) -> None:
    name = await bench.function()
    with refused("ResourceNotFoundException", 404, f"{bench.arn(name, '7')}"):
        await bench.client.get_function(FunctionName=name, Qualifier="7")
    with refused("ResourceNotFoundException", 404, f"{bench.arn(name, 'live')}"):
        await bench.client.get_function_configuration(FunctionName=name, Qualifier="live")
    with refused("ResourceNotFoundException", 404, "function:nobody:7"):
        await bench.client.get_function(FunctionName="nobody", Qualifier="7")


async def test_lists_show_no_states(bench: Bench) -> None:
    name = await bench.function(versions=1)
    for page in (
        await bench.client.list_functions(),
        await bench.client.list_functions(FunctionVersion="ALL"),
    ):
        assert any(one["FunctionName"] == name for one in page["Functions"])
        assert all(
            "State" not in one and "LastUpdateStatus" not in one for one in page["Functions"]
        )
    assert all(
        "State" not in one
        for one in (await bench.client.list_versions_by_function(FunctionName=name))["Versions"]
    )


async def test_all_versions_of_all_functions_are_listed_page_by_page(alone: Bench) -> None:
    one, other = await alone.function(versions=2), await alone.function(versions=1)
    pages = alone.client.get_paginator("list_functions").paginate(
        FunctionVersion="ALL", PaginationConfig={"PageSize": 2}
    )
    found = [
        (item["FunctionName"], item["Version"])
        async for page in pages
        for item in page["Functions"]
    ]
    assert sorted(found) == sorted(
        [(one, "$LATEST"), (one, "1"), (one, "2"), (other, "$LATEST"), (other, "1")]
    )


async def test_latest_cannot_be_deleted_by_itself(bench: Bench) -> None:
    name = await bench.function()
    with refused("InvalidParameterValueException", 400, "$LATEST version cannot be deleted"):
        await bench.client.delete_function(FunctionName=name, Qualifier="$LATEST")
    await bench.client.get_function(FunctionName=name)


async def test_an_alias_is_not_deleted_as_a_version(bench: Bench) -> None:
    name = await bench.function(versions=1)
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with refused("InvalidParameterValueException", 400):
        await bench.client.delete_function(FunctionName=name, Qualifier="live")


async def test_an_absent_version_is_deleted_already(bench: Bench) -> None:
    name = await bench.function()
    answer = await bench.client.delete_function(FunctionName=name, Qualifier="9")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


async def test_a_version_behind_an_alias_cannot_be_deleted(bench: Bench) -> None:
    name = await bench.function(versions=3)
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    await bench.client.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights
    )
    for number in ("1", "2"):
        with refused(
            "ResourceConflictException", 409, "the following aliases reference it: [live]"
        ):
            await bench.client.delete_function(FunctionName=name, Qualifier=number)
    await bench.client.delete_function(FunctionName=name, Qualifier="3")
    assert await bench.numbers(name) == ["1", "2"]


async def test_a_deleted_function_is_gone(bench: Bench) -> None:
    name = await bench.function(versions=1)
    await bench.client.delete_function(FunctionName=name)
    with refused("ResourceNotFoundException", 404):
        await bench.client.get_function(FunctionName=name)
    with refused("ResourceNotFoundException", 404):
        await bench.client.delete_function(FunctionName=name)
