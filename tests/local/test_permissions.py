"""Resource policies."""

import json
from typing import Any

import pytest

from tests.local.harness import LocalHarness, raises_client_error


@pytest.fixture
async def name(harness: LocalHarness) -> str:
    """A function with a version and an alias."""
    name = await harness.create_function(versions=1)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


async def grant(
    harness: LocalHarness, name: str, statement: str = "s1", **more: Any
) -> dict[str, Any]:
    request = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", **more}
    answer = await harness.client.add_permission(
        FunctionName=name, StatementId=statement, **request
    )
    return dict(json.loads(answer["Statement"]))


async def policy(harness: LocalHarness, name: str, **qualifier: str) -> tuple[list[str], str]:
    answer = await harness.client.get_policy(FunctionName=name, **qualifier)
    return [one["Sid"] for one in json.loads(answer["Policy"])["Statement"]], answer["RevisionId"]


async def test_function_without_statements_has_no_policy(harness: LocalHarness, name: str) -> None:
    for qualifier in ({}, {"Qualifier": "live"}, {"Qualifier": "1"}):
        with raises_client_error("ResourceNotFoundException", 404, "does not exist"):
            await harness.client.get_policy(FunctionName=name, **qualifier)
    await grant(harness, name)
    await harness.client.remove_permission(FunctionName=name, StatementId="s1")
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.get_policy(FunctionName=name)


async def test_qualifier_has_statements_of_its_own(harness: LocalHarness, name: str) -> None:
    for qualifier in ({}, {"Qualifier": "live"}, {"Qualifier": "1"}):
        statement = await grant(harness, name, **qualifier)
        assert statement["Resource"] == harness.build_arn(name, qualifier.get("Qualifier"))
        assert (await policy(harness, name, **qualifier))[0] == ["s1"]
    await harness.client.remove_permission(FunctionName=name, StatementId="s1")
    assert (await policy(harness, name, Qualifier="live"))[0] == ["s1"]
    assert (await policy(harness, name, Qualifier="1"))[0] == ["s1"]


async def test_statement_is_not_added_twice(harness: LocalHarness, name: str) -> None:
    await grant(harness, name, Qualifier="live")
    with raises_client_error(
        "ResourceConflictException", 409, "The statement id (s1) provided already exists"
    ):
        await grant(harness, name, Qualifier="live")
    assert (await policy(harness, name, Qualifier="live"))[0] == ["s1"]


async def test_policy_of_an_alias_gives_the_alias_another_revision(
    harness: LocalHarness, name: str
) -> None:
    async def read_revision() -> str:
        alias = await harness.client.get_alias(FunctionName=name, Name="live")
        return str(alias["RevisionId"])

    revisions = [await read_revision()]
    await grant(harness, name, Qualifier="live")
    revisions.append(await read_revision())
    await grant(harness, name)  # the function's own policy
    assert await read_revision() == revisions[-1]
    await harness.client.remove_permission(FunctionName=name, StatementId="s1", Qualifier="live")
    revisions.append(await read_revision())
    assert len(set(revisions)) == 3


async def test_policy_has_a_revision_of_its_own(harness: LocalHarness, name: str) -> None:
    alias = (await harness.client.get_alias(FunctionName=name, Name="live"))["RevisionId"]
    await grant(harness, name, Qualifier="live", RevisionId=alias)
    _, first = await policy(harness, name, Qualifier="live")
    assert first != alias
    await grant(harness, name, "s2", Qualifier="live", RevisionId=first)
    _, second = await policy(harness, name, Qualifier="live")
    with raises_client_error("PreconditionFailedException", 412, "GetPolicy"):
        await grant(harness, name, "s3", Qualifier="live", RevisionId=first)
    with raises_client_error("PreconditionFailedException", 412, "GetPolicy"):
        await harness.client.remove_permission(
            FunctionName=name, StatementId="s1", Qualifier="live", RevisionId=first
        )
    await harness.client.remove_permission(
        FunctionName=name, StatementId="s1", Qualifier="live", RevisionId=second
    )
    assert (await policy(harness, name, Qualifier="live"))[0] == ["s2"]


async def test_stale_revision_of_a_function_without_policy_is_refused(
    harness: LocalHarness, name: str
) -> None:
    with raises_client_error("PreconditionFailedException", 412):
        await grant(harness, name, RevisionId="00000000-0000-0000-0000-000000000000")
    await grant(harness, name, RevisionId=(await harness.read_latest(name))["RevisionId"])


async def test_latest_has_no_policy(harness: LocalHarness, name: str) -> None:
    with raises_client_error("InvalidParameterValueException", 400, "$LATEST"):
        await grant(harness, name, Qualifier="$LATEST")


async def test_missing_statement_cannot_be_removed(harness: LocalHarness, name: str) -> None:
    with raises_client_error("ResourceNotFoundException", 404, "No policy is associated"):
        await harness.client.remove_permission(FunctionName=name, StatementId="s1")
    await grant(harness, name)
    with raises_client_error("ResourceNotFoundException", 404, "Statement s2 is not found"):
        await harness.client.remove_permission(FunctionName=name, StatementId="s2")


async def test_missing_qualifier_has_no_policy(harness: LocalHarness, name: str) -> None:
    with raises_client_error("ResourceNotFoundException", 404, "Cannot find alias arn"):
        await grant(harness, name, Qualifier="absent")
    with raises_client_error("ResourceNotFoundException", 404, f"{harness.build_arn(name, '9')}"):
        await grant(harness, name, Qualifier="9")


@pytest.mark.parametrize("change", [{"statement": "no spaces"}, {"Action": "s3:GetObject"}])
async def test_malformed_statement_is_refused(
    harness: LocalHarness, name: str, change: dict[str, Any]
) -> None:
    with raises_client_error("ValidationException", 400):
        await grant(harness, name, **change)


async def test_policy_above_20_kb_is_refused(harness: LocalHarness, name: str) -> None:
    with raises_client_error("PolicyLengthExceededException", 400, "20480"):
        for number in range(200):
            await grant(
                harness,
                name,
                f"statement-{number:03}",
                SourceArn=f"arn:aws:events:us-east-1:000000000000:rule/rule-{number}",
            )
    assert len((await policy(harness, name))[0]) > 50


async def test_statements_of_an_alias_are_deleted_with_it(harness: LocalHarness, name: str) -> None:
    await grant(harness, name, Qualifier="live")
    await harness.client.delete_alias(FunctionName=name, Name="live")
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.get_policy(FunctionName=name, Qualifier="live")
