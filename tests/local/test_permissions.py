"""Resource policies."""

import json
from typing import Any

import pytest

from tests.local.bench import Bench, refused


@pytest.fixture
async def name(bench: Bench) -> str:
    """A function with a version and an alias."""
    name = await bench.function(versions=1)
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


async def grant(bench: Bench, name: str, statement: str = "s1", **more: Any) -> dict[str, Any]:
    request = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", **more}
    answer = await bench.client.add_permission(FunctionName=name, StatementId=statement, **request)
    return dict(json.loads(answer["Statement"]))


async def policy(bench: Bench, name: str, **qualifier: str) -> tuple[list[str], str]:
    answer = await bench.client.get_policy(FunctionName=name, **qualifier)
    return [one["Sid"] for one in json.loads(answer["Policy"])["Statement"]], answer["RevisionId"]


async def test_a_function_without_statements_has_no_policy(bench: Bench, name: str) -> None:
    for qualifier in ({}, {"Qualifier": "live"}, {"Qualifier": "1"}):
        with refused("ResourceNotFoundException", 404, "does not exist"):
            await bench.client.get_policy(FunctionName=name, **qualifier)
    await grant(bench, name)
    await bench.client.remove_permission(FunctionName=name, StatementId="s1")
    with refused("ResourceNotFoundException", 404):
        await bench.client.get_policy(FunctionName=name)


async def test_each_qualifier_has_statements_of_its_own(bench: Bench, name: str) -> None:
    for qualifier in ({}, {"Qualifier": "live"}, {"Qualifier": "1"}):
        statement = await grant(bench, name, **qualifier)
        assert statement["Resource"] == bench.arn(name, qualifier.get("Qualifier"))
        assert (await policy(bench, name, **qualifier))[0] == ["s1"]
    await bench.client.remove_permission(FunctionName=name, StatementId="s1")
    assert (await policy(bench, name, Qualifier="live"))[0] == ["s1"]
    assert (await policy(bench, name, Qualifier="1"))[0] == ["s1"]


async def test_a_statement_is_not_added_twice(bench: Bench, name: str) -> None:
    await grant(bench, name, Qualifier="live")
    with refused("ResourceConflictException", 409, "The statement id (s1) provided already exists"):
        await grant(bench, name, Qualifier="live")
    assert (await policy(bench, name, Qualifier="live"))[0] == ["s1"]


async def test_a_policy_has_a_revision_of_its_own(bench: Bench, name: str) -> None:
    alias = (await bench.client.get_alias(FunctionName=name, Name="live"))["RevisionId"]
    await grant(bench, name, Qualifier="live", RevisionId=alias)
    _, first = await policy(bench, name, Qualifier="live")
    assert first != alias
    assert (await bench.client.get_alias(FunctionName=name, Name="live"))["RevisionId"] == alias
    await grant(bench, name, "s2", Qualifier="live", RevisionId=first)
    _, second = await policy(bench, name, Qualifier="live")
    with refused("PreconditionFailedException", 412, "GetPolicy"):
        await grant(bench, name, "s3", Qualifier="live", RevisionId=first)
    with refused("PreconditionFailedException", 412, "GetPolicy"):
        await bench.client.remove_permission(
            FunctionName=name, StatementId="s1", Qualifier="live", RevisionId=first
        )
    await bench.client.remove_permission(
        FunctionName=name, StatementId="s1", Qualifier="live", RevisionId=second
    )
    assert (await policy(bench, name, Qualifier="live"))[0] == ["s2"]


async def test_a_stale_revision_of_a_function_without_policy_is_refused(
    bench: Bench, name: str
) -> None:
    with refused("PreconditionFailedException", 412):
        await grant(bench, name, RevisionId="00000000-0000-0000-0000-000000000000")
    await grant(bench, name, RevisionId=(await bench.latest(name))["RevisionId"])


async def test_latest_has_no_policy(bench: Bench, name: str) -> None:
    with refused("InvalidParameterValueException", 400, "$LATEST"):
        await grant(bench, name, Qualifier="$LATEST")


async def test_an_absent_statement_cannot_be_removed(bench: Bench, name: str) -> None:
    with refused("ResourceNotFoundException", 404, "No policy is associated"):
        await bench.client.remove_permission(FunctionName=name, StatementId="s1")
    await grant(bench, name)
    with refused("ResourceNotFoundException", 404, "Statement s2 is not found"):
        await bench.client.remove_permission(FunctionName=name, StatementId="s2")


async def test_an_absent_qualifier_has_no_policy(bench: Bench, name: str) -> None:
    with refused("ResourceNotFoundException", 404, "Cannot find alias arn"):
        await grant(bench, name, Qualifier="absent")
    with refused("ResourceNotFoundException", 404, f"{bench.arn(name, '9')}"):
        await grant(bench, name, Qualifier="9")


@pytest.mark.parametrize("change", [{"statement": "no spaces"}, {"Action": "s3:GetObject"}])
async def test_a_malformed_statement_is_refused(
    bench: Bench, name: str, change: dict[str, Any]
) -> None:
    with refused("ValidationException", 400):
        await grant(bench, name, **change)


async def test_a_policy_may_not_grow_beyond_20_kb(bench: Bench, name: str) -> None:
    with refused("PolicyLengthExceededException", 400, "20480"):
        for number in range(200):
            await grant(
                bench,
                name,
                f"statement-{number:03}",
                SourceArn=f"arn:aws:events:us-east-1:000000000000:rule/rule-{number}",
            )
    assert len((await policy(bench, name))[0]) > 50


async def test_the_statements_of_an_alias_go_with_it(bench: Bench, name: str) -> None:
    await grant(bench, name, Qualifier="live")
    await bench.client.delete_alias(FunctionName=name, Name="live")
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with refused("ResourceNotFoundException", 404):
        await bench.client.get_policy(FunctionName=name, Qualifier="live")
