"""Publish a version."""

from tests.local.bench import ECHO, FAIL, Bench, package, refused


async def test_a_version_is_pending_then_active_and_says_nothing_of_updates_at_first(
    slowly: Bench,
) -> None:
    name = await slowly.function()
    published = await slowly.client.publish_version(FunctionName=name)
    assert (published["Version"], published["State"]) == ("1", "Pending")
    assert "LastUpdateStatus" not in published
    with refused("ResourceConflictException", 409, "Pending"):
        await slowly.invoke(name, Qualifier="1")
    settled = await slowly.settled(name, Qualifier="1")
    assert settled["RevisionId"] == published["RevisionId"]


async def test_unchanged_the_same_version_comes_back(bench: Bench) -> None:
    name = await bench.function(versions=1)
    first = await bench.client.get_function_configuration(FunctionName=name, Qualifier="1")
    again = await bench.client.publish_version(FunctionName=name)
    assert (again["Version"], again["RevisionId"]) == ("1", first["RevisionId"])
    await bench.client.update_function_code(FunctionName=name, ZipFile=package(ECHO + "# 0\n"))
    await bench.settled(name)
    assert (await bench.client.publish_version(FunctionName=name))["Version"] == "1"


async def test_a_changed_configuration_makes_a_new_version(bench: Bench) -> None:
    name = await bench.function(versions=1)
    await bench.client.update_function_configuration(FunctionName=name, MemorySize=256)
    await bench.settled(name)
    assert (await bench.client.publish_version(FunctionName=name))["Version"] == "2"
    assert (await bench.client.get_function_configuration(FunctionName=name, Qualifier="1"))[
        "MemorySize"
    ] == 128


async def test_publishing_moves_the_revision_of_latest(bench: Bench) -> None:
    name = await bench.function()
    before = (await bench.latest(name))["RevisionId"]
    await bench.client.publish_version(FunctionName=name, RevisionId=before)
    assert (await bench.latest(name))["RevisionId"] != before


async def test_a_stale_revision_is_not_published(bench: Bench) -> None:
    name = await bench.function()
    with refused("PreconditionFailedException", 412, "Revision Id"):
        await bench.client.publish_version(
            FunctionName=name, RevisionId="00000000-0000-0000-0000-000000000000"
        )
    assert await bench.numbers(name) == []


async def test_other_code_than_expected_is_not_published(bench: Bench) -> None:
    name = await bench.function()
    current = (await bench.latest(name))["CodeSha256"]
    with refused(
        "InvalidParameterValueException",
        400,
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({current})",
    ):
        await bench.client.publish_version(FunctionName=name, CodeSha256="other")
    assert (
        await bench.client.publish_version(
            FunctionName=name, CodeSha256=current, Description="release 1"
        )
    )["Description"] == "release 1"


async def test_numbers_are_not_used_again(bench: Bench) -> None:
    name = await bench.function(versions=2)
    await bench.client.delete_function(FunctionName=name, Qualifier="2")
    assert (await bench.client.publish_version(FunctionName=name))["Version"] == "3"


async def test_versions_are_listed_oldest_first_and_page_by_page(bench: Bench) -> None:
    name = await bench.function(versions=3)
    pages = bench.client.get_paginator("list_versions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    assert [one["Version"] async for page in pages for one in page["Versions"]] == [
        "$LATEST",
        "1",
        "2",
        "3",
    ]


async def test_a_function_without_that_name_has_no_versions(bench: Bench) -> None:
    with refused("ResourceNotFoundException", 404):
        await bench.client.publish_version(FunctionName="nobody")
    with refused("ResourceNotFoundException", 404):
        await bench.client.list_versions_by_function(FunctionName="nobody")


async def test_versions_run_their_own_code(bench: Bench) -> None:
    name = await bench.function()
    await bench.version(name, ECHO)
    await bench.version(name, FAIL)
    good, payload = await bench.invoke(name, Qualifier="1")
    assert "FunctionError" not in good
    assert payload == {"version": "1", "arn": bench.arn(name, "1")}
    bad, problem = await bench.invoke(name, Qualifier="2")
    assert bad["FunctionError"] == "Unhandled"
    assert (problem["errorType"], problem["errorMessage"]) == ("ValueError", "broken")
