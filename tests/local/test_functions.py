"""Create, read, list and delete functions."""

import hashlib
import os

import aiohttp
import pytest

from tests.local.harness import (
    ECHO,
    FAIL,
    ROLE,
    FrozenHarness,
    LocalHarness,
    build_package,
    compute_sha256,
    raises_client_error,
)

CODE = {"Runtime": "python3.11", "Handler": "index.handler", "Role": ROLE}


async def test_function_is_pending_at_first_and_cannot_be_invoked(
    frozen_harness: FrozenHarness,
) -> None:
    created = await frozen_harness.client.create_function(
        FunctionName="pending", Code={"ZipFile": build_package()}, **CODE
    )
    assert created["State"] == "Pending"
    assert "LastUpdateStatus" not in created
    with raises_client_error("ResourceConflictException", 409, "in the following state: Pending"):
        await frozen_harness.invoke("pending")
    with raises_client_error("ResourceConflictException", 409, "Pending"):
        await frozen_harness.client.publish_version(FunctionName="pending")


async def test_function_that_settled_has_another_revision(harness: LocalHarness) -> None:
    created = await harness.client.create_function(
        FunctionName="pending", Code={"ZipFile": build_package()}, **CODE
    )
    settled = await harness.wait_until_settled("pending")
    assert settled["RevisionId"] != created["RevisionId"]
    await harness.invoke("pending")


async def test_function_created_with_publish_has_one_version(
    harness: LocalHarness,
) -> None:
    name = await harness.create_function(Publish=True)
    assert await harness.list_versions(name) == ["1"]
    assert (await harness.client.publish_version(FunctionName=name))["Version"] == "1"
    assert await harness.list_versions(name) == ["1"]


async def test_function_cannot_be_created_twice(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error("ResourceConflictException", 409, "already exist"):
        await harness.create_function(name=name)


@pytest.mark.filterwarnings("ignore:Sending a large body")  # aiohttp's warning
async def test_upload_above_50_mb_is_refused(harness: LocalHarness) -> None:
    large = build_package(padding=os.urandom(1024) * 52_000)
    with raises_client_error("RequestEntityTooLargeException", 413):
        await harness.client.create_function(FunctionName="large", Code={"ZipFile": large}, **CODE)


async def test_upload_that_is_not_a_zip_is_refused(harness: LocalHarness) -> None:
    with raises_client_error("InvalidParameterValueException", 400, "Could not unzip"):
        await harness.client.create_function(
            FunctionName="no-zip", Code={"ZipFile": b"text"}, **CODE
        )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"S3Bucket": "missing", "S3Key": "x.zip"}, "NoSuchBucket"),
        ({"S3Bucket": "existing", "S3Key": "x.zip"}, "NoSuchKey"),
    ],
)
async def test_package_that_is_missing_in_s3_is_refused(
    harness: LocalHarness, source: dict[str, str], words: str
) -> None:
    await (await harness.clients.get("s3")).create_bucket(Bucket="existing")
    with raises_client_error("InvalidParameterValueException", 400, f"S3 Error Code: {words}"):
        await harness.client.create_function(FunctionName="nowhere", Code=source, **CODE)


@pytest.mark.parametrize("setting", [{"MemorySize": 10_241}, {"Timeout": 901}])
async def test_setting_above_its_limit_is_refused(
    harness: LocalHarness, setting: dict[str, int]
) -> None:
    with raises_client_error("ValidationException", 400, "less than or equal to"):
        await harness.client.create_function(
            FunctionName="beyond", Code={"ZipFile": build_package()}, **CODE, **setting
        )


async def test_variables_above_4_kb_are_refused(harness: LocalHarness) -> None:
    with raises_client_error("InvalidParameterValueException", 400, "4KB"):
        await harness.client.create_function(
            FunctionName="beyond",
            Code={"ZipFile": build_package()},
            Environment={"Variables": {"LONG": "x" * 4096}},
            **CODE,
        )


async def test_version_has_its_own_code_and_configuration(harness: LocalHarness) -> None:
    name = await harness.create_function()
    await harness.publish_version(name, ECHO, MemorySize=256)
    await harness.publish_version(name, FAIL, MemorySize=512)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for qualifier, source, memory in (
        ("1", ECHO, 256),
        ("2", FAIL, 512),
        ("live", ECHO, 256),
        ("$LATEST", FAIL, 512),
    ):
        found = await harness.client.get_function(FunctionName=name, Qualifier=qualifier)
        assert found["Configuration"]["MemorySize"] == memory
        assert found["Configuration"]["FunctionArn"] == harness.build_arn(name, qualifier)
        assert found["Configuration"]["CodeSha256"] == compute_sha256(build_package(source))
        async with (
            aiohttp.ClientSession() as session,
            session.get(found["Code"]["Location"]) as fetched,
        ):
            assert fetched.status == 200
            assert (
                hashlib.sha256(await fetched.read()).digest()
                == hashlib.sha256(build_package(source)).digest()
            )


async def test_error_names_the_missing_qualifier(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error("ResourceNotFoundException", 404, harness.build_arn(name, "7")):
        await harness.client.get_function(FunctionName=name, Qualifier="7")
    with raises_client_error("ResourceNotFoundException", 404, harness.build_arn(name, "live")):
        await harness.client.get_function_configuration(FunctionName=name, Qualifier="live")
    with raises_client_error("ResourceNotFoundException", 404, "function:missing:7"):
        await harness.client.get_function(FunctionName="missing", Qualifier="7")


async def test_lists_have_no_states(isolated_harness: LocalHarness) -> None:
    name = await isolated_harness.create_function(versions=1)
    for page in (
        await isolated_harness.client.list_functions(),
        await isolated_harness.client.list_functions(FunctionVersion="ALL"),
    ):
        assert any(one["FunctionName"] == name for one in page["Functions"])
        assert all(
            "State" not in one and "LastUpdateStatus" not in one for one in page["Functions"]
        )
    assert all(
        "State" not in one
        for one in (await isolated_harness.client.list_versions_by_function(FunctionName=name))[
            "Versions"
        ]
    )


async def test_versions_of_all_functions_are_listed_page_by_page(
    isolated_harness: LocalHarness,
) -> None:
    one, other = (
        await isolated_harness.create_function(versions=2),
        await isolated_harness.create_function(versions=1),
    )
    pages = isolated_harness.client.get_paginator("list_functions").paginate(
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


async def test_latest_cannot_be_deleted_alone(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error(
        "InvalidParameterValueException", 400, "$LATEST version cannot be deleted"
    ):
        await harness.client.delete_function(FunctionName=name, Qualifier="$LATEST")
    await harness.client.get_function(FunctionName=name)


async def test_alias_is_not_deleted_as_a_version(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with raises_client_error("InvalidParameterValueException", 400):
        await harness.client.delete_function(FunctionName=name, Qualifier="live")


async def test_missing_version_can_be_deleted(harness: LocalHarness) -> None:
    name = await harness.create_function()
    answer = await harness.client.delete_function(FunctionName=name, Qualifier="9")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


async def test_version_of_an_alias_cannot_be_deleted(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=3)
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    await harness.client.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights
    )
    for number in ("1", "2"):
        with raises_client_error(
            "ResourceConflictException", 409, "the following aliases reference it: [live]"
        ):
            await harness.client.delete_function(FunctionName=name, Qualifier=number)
    await harness.client.delete_function(FunctionName=name, Qualifier="3")
    assert await harness.list_versions(name) == ["1", "2"]


async def test_function_is_gone_once_it_is_deleted(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    await harness.client.delete_function(FunctionName=name)
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.get_function(FunctionName=name)
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.delete_function(FunctionName=name)
