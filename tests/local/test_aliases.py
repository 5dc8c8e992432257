"""Create, read, update, list and delete aliases."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.local.harness import LocalHarness, raises_client_error


def weights(**share: float) -> dict[str, Any]:
    return {
        "AdditionalVersionWeights": {
            number.removeprefix("v"): weight for number, weight in share.items()
        }
    }


@pytest.fixture(scope="module")
async def name(harness: LocalHarness) -> str:
    """A function with three versions."""
    return await harness.create_function(versions=3)


@dataclass(frozen=True)
class Case:
    """A routing that AWS refuses, and the error."""

    version: str
    routing: dict[str, Any]
    code: str
    status: int
    words: str


REFUSALS = {
    "a weight of two": Case(
        "1", weights(v2=2.0), "ValidationException", 400, "less than or equal to 1.0"
    ),
    "a negative weight": Case(
        "1", weights(v2=-1.0), "ValidationException", 400, "greater than or equal to 0.0"
    ),
    "two extra versions": Case(
        "1",
        weights(v2=0.1, v3=0.1),
        "InvalidParameterValueException",
        400,
        "cannot be greater than 1",
    ),
    "latest with a weight": Case(
        "$LATEST",
        weights(v2=0.1),
        "InvalidParameterValueException",
        400,
        "$LATEST is not supported",
    ),
    "latest as the extra version": Case(
        "1", {"AdditionalVersionWeights": {"$LATEST": 0.1}}, "ValidationException", 400, "[0-9]+"
    ),
    "the same version twice": Case(
        "1",
        weights(v1=0.1),
        "InvalidParameterValueException",
        400,
        "Function version 1 is already included",
    ),
    "a missing version": Case("9", {}, "ResourceNotFoundException", 404, ":9"),
    "a missing extra version": Case("1", weights(v9=0.1), "ResourceNotFoundException", 404, ":9"),
    "an alias as the version": Case("live", {}, "ValidationException", 400, "functionVersion"),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
async def test_alias_is_not_created_with(harness: LocalHarness, name: str, case: Case) -> None:
    with raises_client_error(case.code, case.status, case.words):
        await harness.client.create_alias(
            FunctionName=name,
            Name="refused",
            FunctionVersion=case.version,
            RoutingConfig=case.routing,
        )
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.get_alias(FunctionName=name, Name="refused")


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
async def test_alias_is_not_updated_to(harness: LocalHarness, name: str, case: Case) -> None:
    before = await alias(harness, name, "kept", "1")
    with raises_client_error(case.code, case.status, case.words):
        await harness.client.update_alias(
            FunctionName=name, Name="kept", FunctionVersion=case.version, RoutingConfig=case.routing
        )
    assert (await harness.client.get_alias(FunctionName=name, Name="kept"))["RevisionId"] == before[
        "RevisionId"
    ]


async def alias(
    harness: LocalHarness, name: str, called: str, version: str, **more: Any
) -> dict[str, Any]:
    await harness.client.delete_alias(FunctionName=name, Name=called)
    created: dict[str, Any] = await harness.client.create_alias(
        FunctionName=name, Name=called, FunctionVersion=version, **more
    )
    return created


async def test_name_of_digits_is_refused(harness: LocalHarness, name: str) -> None:
    with raises_client_error("ValidationException", 400, "at 'name'"):
        await harness.client.create_alias(FunctionName=name, Name="42", FunctionVersion="1")


async def test_alias_is_not_created_twice(harness: LocalHarness, name: str) -> None:
    await alias(harness, name, "twice", "1")
    with raises_client_error(
        "ResourceConflictException",
        409,
        f"Alias already exists: {harness.build_arn(name, 'twice')}",
    ):
        await harness.client.create_alias(FunctionName=name, Name="twice", FunctionVersion="1")


async def test_alias_may_name_latest(harness: LocalHarness, name: str) -> None:
    assert (await alias(harness, name, "edge", "$LATEST"))["FunctionVersion"] == "$LATEST"


@pytest.mark.parametrize("weight", [0.0, 0.05, 1.0])
async def test_weight_from_0_to_1_is_accepted(
    harness: LocalHarness, name: str, weight: float
) -> None:
    created = await alias(harness, name, "weighted", "1", RoutingConfig=weights(v2=weight))
    assert created["RoutingConfig"] == weights(v2=weight)


async def test_versions_with_different_roles_share_no_alias(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=1)
    await harness.publish_version(
        name, "def handler(event, context): pass", Role="arn:aws:iam::000000000000:role/other"
    )
    with raises_client_error(
        "InvalidParameterValueException", 400, "must be associated with the same execution role"
    ):
        await harness.client.create_alias(
            FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights(v2=0.1)
        )
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with raises_client_error(
        "InvalidParameterValueException", 400, "must be associated with the same execution role"
    ):
        await harness.client.update_alias(
            FunctionName=name, Name="live", RoutingConfig=weights(v2=0.1)
        )
    await harness.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")


async def test_versions_with_different_dead_letter_queues_share_no_alias(
    harness: LocalHarness,
) -> None:
    queue = (await (await harness.clients.get("sqs")).create_queue(QueueName="dead"))[
        "QueueUrl"
    ].rpartition("/")[2]
    name = await harness.create_function(versions=1)
    arn = f"arn:aws:sqs:us-east-1:000000000000:{queue}"
    await harness.publish_version(
        name, "def handler(event, context): pass", DeadLetterConfig={"TargetArn": arn}
    )
    with raises_client_error("InvalidParameterValueException", 400, "dead-letter"):
        await harness.client.create_alias(
            FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights(v2=0.1)
        )


async def test_routing_that_is_omitted_is_kept(harness: LocalHarness, name: str) -> None:
    await alias(harness, name, "kept", "1", RoutingConfig=weights(v2=0.1))
    updated = await harness.client.update_alias(
        FunctionName=name, Name="kept", Description="described"
    )
    assert updated["RoutingConfig"] == weights(v2=0.1)
    with raises_client_error(
        "InvalidParameterValueException",
        400,
        "Function version 2 is already included in routing configuration",
    ):
        await harness.client.update_alias(FunctionName=name, Name="kept", FunctionVersion="2")
    promoted = await harness.client.update_alias(
        FunctionName=name, Name="kept", FunctionVersion="2", RoutingConfig=weights()
    )
    assert promoted["FunctionVersion"] == "2"
    assert "RoutingConfig" not in promoted


async def test_revision_moves_with_an_update_and_a_stale_one_is_refused(
    harness: LocalHarness, name: str
) -> None:
    first = (await alias(harness, name, "revised", "1"))["RevisionId"]
    function = (await harness.read_latest(name))["RevisionId"]
    second = (
        await harness.client.update_alias(
            FunctionName=name, Name="revised", FunctionVersion="2", RevisionId=first
        )
    )["RevisionId"]
    assert second != first
    with raises_client_error("PreconditionFailedException", 412, "Revision Id"):
        await harness.client.update_alias(
            FunctionName=name, Name="revised", FunctionVersion="3", RevisionId=first
        )
    assert (await harness.client.get_alias(FunctionName=name, Name="revised"))[
        "RevisionId"
    ] == second
    assert (await harness.read_latest(name))["RevisionId"] == function


async def test_missing_alias_can_be_deleted_but_not_read_or_updated(
    harness: LocalHarness, name: str
) -> None:
    answer = await harness.client.delete_alias(FunctionName=name, Name="absent")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    for operation in (harness.client.get_alias, harness.client.update_alias):
        with raises_client_error(
            "ResourceNotFoundException",
            404,
            f"Cannot find alias arn: {harness.build_arn(name, 'absent')}",
        ):
            await operation(FunctionName=name, Name="absent")
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.delete_alias(FunctionName="missing", Name="absent")


async def test_aliases_are_listed_by_version_and_page_by_page(harness: LocalHarness) -> None:
    name = await harness.create_function(versions=2)
    for called, version in (("a", "1"), ("b", "1"), ("c", "2")):
        await harness.client.create_alias(FunctionName=name, Name=called, FunctionVersion=version)
    listed = await harness.client.list_aliases(FunctionName=name, FunctionVersion="1")
    assert [one["Name"] for one in listed["Aliases"]] == ["a", "b"]
    pages = harness.client.get_paginator("list_aliases").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    assert [one["Name"] async for page in pages for one in page["Aliases"]] == ["a", "b", "c"]
