"""Publish a version."""

from tests.local.harness import (
    ECHO,
    FAIL,
    FrozenHarness,
    LocalHarness,
    build_package,
    raises_client_error,
)


async def test_version_is_pending_without_an_update_status_at_first(
    frozen_harness: FrozenHarness,
) -> None:
    name = frozen_harness.EMPTY[2]
    published = await frozen_harness.client.publish_version(FunctionName=name)
    assert (published["Version"], published["State"]) == ("1", "Pending")
    assert "LastUpdateStatus" not in published
    with raises_client_error("ResourceConflictException", 409, "Pending"):
        await frozen_harness.invoke(name, Qualifier="1")


async def test_version_that_settled_has_the_same_revision(harness: LocalHarness) -> None:
    name = await harness.create_function()
    published = await harness.client.publish_version(FunctionName=name)
    settled = await harness.wait_until_settled(name, Qualifier="1")
    assert settled["RevisionId"] == published["RevisionId"]


async def test_version_of_unchanged_code_is_returned_again(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    first = await harness.client.get_function_configuration(FunctionName=name, Qualifier="1")
    again = await harness.client.publish_version(FunctionName=name)
    assert (again["Version"], again["RevisionId"]) == ("1", first["RevisionId"])
    await harness.client.update_function_code(
        FunctionName=name, ZipFile=build_package(ECHO + "# 0\n")
    )
    await harness.wait_until_settled(name)
    assert (await harness.client.publish_version(FunctionName=name))["Version"] == "1"


async def test_version_is_new_where_the_configuration_changed(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    await harness.client.update_function_configuration(FunctionName=name, MemorySize=256)
    await harness.wait_until_settled(name)
    assert (await harness.client.publish_version(FunctionName=name))["Version"] == "2"
    assert (await harness.client.get_function_configuration(FunctionName=name, Qualifier="1"))[
        "MemorySize"
    ] == 128


async def test_revision_of_latest_moves_with_a_new_version(harness: LocalHarness) -> None:
    name = await harness.create_function()
    before = (await harness.read_latest(name))["RevisionId"]
    await harness.client.publish_version(FunctionName=name, RevisionId=before)
    assert (await harness.read_latest(name))["RevisionId"] != before


async def test_stale_revision_is_not_published(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error("PreconditionFailedException", 412, "Revision Id"):
        await harness.client.publish_version(
            FunctionName=name, RevisionId="00000000-0000-0000-0000-000000000000"
        )
    assert await harness.list_versions(name) == []


async def test_code_with_another_hash_is_not_published(harness: LocalHarness) -> None:
    name = await harness.create_function()
    current = (await harness.read_latest(name))["CodeSha256"]
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({current})",
    ):
        await harness.client.publish_version(FunctionName=name, CodeSha256="other")
    assert (
        await harness.client.publish_version(
            FunctionName=name, CodeSha256=current, Description="release 1"
        )
    )["Description"] == "release 1"


async def test_version_number_is_not_reused(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    await harness.client.delete_function(FunctionName=name, Qualifier="2")
    assert (await harness.client.publish_version(FunctionName=name))["Version"] == "3"


async def test_versions_are_listed_oldest_first_and_page_by_page(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=3)
    pages = harness.client.get_paginator("list_versions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    assert [one["Version"] async for page in pages for one in page["Versions"]] == [
        "$LATEST",
        "1",
        "2",
        "3",
    ]


async def test_missing_function_has_no_versions(harness: LocalHarness) -> None:
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.publish_version(FunctionName="missing")
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.list_versions_by_function(FunctionName="missing")


async def test_version_runs_its_own_code(harness: LocalHarness) -> None:
    name = await harness.create_function()
    await harness.publish_version(name, ECHO)
    await harness.publish_version(name, FAIL)
    good, payload = await harness.invoke(name, Qualifier="1")
    assert "FunctionError" not in good
    assert payload == {"version": "1", "arn": harness.build_arn(name, "1")}
    bad, problem = await harness.invoke(name, Qualifier="2")
    assert bad["FunctionError"] == "Unhandled"
    assert (problem["errorType"], problem["errorMessage"]) == ("ValueError", "broken")
