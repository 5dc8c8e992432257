"""Aliases: a second attempt recognises our own change, and leaves others alone."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.aliases import (
    Aliases,
    AliasRoutingConfiguration,
    CreateAliasRequest,
    DeleteAliasRequest,
    GetAliasRequest,
    UpdateAliasRequest,
)
from activities.errors import AwsError
from tests.activities.operations import lose_response, on_attempt
from tests.fake_lambda import FakeLambda

ALL = AliasRoutingConfiguration(additional_version_weights={})
CREATE = CreateAliasRequest(function_name="checkout", name="live", function_version="1")


def routed(**share: float) -> AliasRoutingConfiguration:
    return AliasRoutingConfiguration(
        additional_version_weights={version[1:]: weight for version, weight in share.items()}
    )


def update(
    version: str, routing: AliasRoutingConfiguration | None = ALL, revision: str | None = None
) -> UpdateAliasRequest:
    return UpdateAliasRequest(
        function_name="checkout",
        name="live",
        function_version=version,
        routing_config=routing,
        revision_id=revision,
    )


@pytest.fixture
def aliases(port: FakeLambda) -> Aliases:
    port.create("checkout", *"123456789", alias=None)
    return Aliases(port)


def there(port: FakeLambda) -> dict[str, Any]:
    return port.functions["checkout"].aliases["live"]


async def test_alias_created_under_a_lost_response_is_adopted(
    port: FakeLambda, aliases: Aliases
) -> None:
    port.lose("create_alias")
    with pytest.raises(ApplicationError, match="Unavailable") as lost:
        await on_attempt(1, aliases.create_alias, CREATE)
    assert (lost.value.type, lost.value.non_retryable) == ("Unavailable", False)
    created = await on_attempt(2, aliases.create_alias, CREATE)
    assert (created.name, created.function_version) == ("live", "1")
    assert port.count("create_alias") == 1


async def test_missing_alias_is_created_by_the_second_attempt(
    aliases: Aliases,
) -> None:
    assert (await on_attempt(2, aliases.create_alias, CREATE)).function_version == "1"


async def test_equal_alias_is_success_on_a_first_attempt(
    port: FakeLambda, aliases: Aliases
) -> None:
    await on_attempt(1, aliases.create_alias, CREATE)
    before = dict(there(port))
    assert (await on_attempt(1, aliases.create_alias, CREATE)).revision_id == before["RevisionId"]
    assert there(port) == before


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize(
    ("other", "differing"),
    [
        ({"function_version": "2"}, "FunctionVersion"),
        ({"description": "theirs"}, "Description"),
        ({"routing_config": routed(v2=0.5)}, "RoutingConfig.AdditionalVersionWeights.2"),
    ],
)
async def test_different_alias_is_left_alone_and_its_difference_named(
    port: FakeLambda, aliases: Aliases, attempt: int, other: dict[str, Any], differing: str
) -> None:
    await on_attempt(1, aliases.create_alias, CREATE.model_copy(update=other))
    before = dict(there(port))
    with pytest.raises(ApplicationError, match=differing) as refused:
        await on_attempt(
            attempt, aliases.create_alias, CREATE.model_copy(update={"description": "ours"})
        )
    assert (refused.value.type, refused.value.non_retryable) == ("Exists", True)
    assert there(port) == before


async def test_conflict_without_an_alias_of_that_name_is_awss(
    port: FakeLambda, aliases: Aliases
) -> None:
    port.respond(
        "create_alias",
        AwsError("create_alias", "ResourceConflictException", "An update is in progress"),
    )
    with pytest.raises(ApplicationError, match="in progress"):
        await on_attempt(1, aliases.create_alias, CREATE)


@pytest.mark.parametrize("attempt", [1, 2])
async def test_delete_of_a_missing_alias_is_success(
    port: FakeLambda, aliases: Aliases, attempt: int
) -> None:
    assert (
        await on_attempt(
            attempt, aliases.delete_alias, DeleteAliasRequest(function_name="checkout", name="live")
        )
        is None
    )
    assert (
        await on_attempt(
            attempt, aliases.delete_alias, DeleteAliasRequest(function_name="gone", name="live")
        )
        is None
    )
    port.respond("delete_alias", AwsError("delete_alias", "AccessDeniedException", "no"))
    with pytest.raises(ApplicationError, match="no"):
        await on_attempt(
            attempt, aliases.delete_alias, DeleteAliasRequest(function_name="checkout", name="live")
        )


async def test_update_under_a_lost_response_is_not_sent_again(
    port: FakeLambda, aliases: Aliases
) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    await lose_response(port, aliases.update_alias, update("1", routed(v2=0.1), revision))
    moved = await on_attempt(2, aliases.update_alias, update("1", routed(v2=0.1), revision))
    assert (moved.weights, moved.revision_id) == ({"2": 0.1}, there(port)["RevisionId"])
    assert port.count("update_alias") == 1


async def test_update_that_never_arrived_is_sent_again_on_the_same_revision(
    port: FakeLambda, aliases: Aliases
) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    await on_attempt(2, aliases.update_alias, update("2", ALL, revision))
    assert there(port)["FunctionVersion"] == "2"
    assert port.calls[-1].parameters["RevisionId"] == revision


@pytest.mark.parametrize("attempt", [1, 2])
async def test_foreign_change_is_never_overwritten_and_is_named(
    port: FakeLambda, aliases: Aliases, attempt: int
) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    await on_attempt(1, aliases.update_alias, update("7", routed(v9=0.25), revision))
    before = dict(there(port))
    with pytest.raises(
        ApplicationError, match=r"points at version 7, 25% to version 9 .*nothing was overwritten"
    ) as stale:
        await on_attempt(attempt, aliases.update_alias, update("2", ALL, revision))
    assert (stale.value.type, stale.value.non_retryable) == ("Stale", True)
    assert there(port) == before
    assert port.count("update_alias") == (2 if attempt == 1 else 1), (
        "what is known to be stale is not even sent"
    )


async def test_refused_revision_after_our_own_success_is_success(aliases: Aliases) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    await on_attempt(1, aliases.update_alias, update("2", ALL, revision))
    again = await on_attempt(1, aliases.update_alias, update("2", ALL, revision))
    assert again.function_version == "2"


async def test_contradictory_reads_are_retried_and_not_stale(
    port: FakeLambda, aliases: Aliases
) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    port.respond("update_alias", AwsError("update_alias", "PreconditionFailedException", "stale"))
    with pytest.raises(ApplicationError, match="still returns it") as unsettled:
        await on_attempt(1, aliases.update_alias, update("2", ALL, revision))
    assert (unsettled.value.type, unsettled.value.non_retryable) == ("Conflict", False)


async def test_last_writer_wins_without_a_revision(port: FakeLambda, aliases: Aliases) -> None:
    await on_attempt(1, aliases.create_alias, CREATE)
    await on_attempt(1, aliases.update_alias, update("7"))
    await on_attempt(2, aliases.update_alias, update("2"))
    assert there(port)["FunctionVersion"] == "2"


async def test_weights_that_should_be_gone_are_no_success(
    port: FakeLambda, aliases: Aliases
) -> None:
    await on_attempt(
        1, aliases.create_alias, CREATE.model_copy(update={"routing_config": routed(v2=0.5)})
    )
    await on_attempt(2, aliases.update_alias, update("1", ALL))
    assert port.routing("checkout") == ("1", {})


async def test_routing_that_was_not_requested_does_not_count(
    port: FakeLambda, aliases: Aliases
) -> None:
    await on_attempt(
        1, aliases.create_alias, CREATE.model_copy(update={"routing_config": routed(v2=0.5)})
    )
    await on_attempt(2, aliases.update_alias, update("1", None, "some other revision"))
    assert port.count("update_alias") == 0


async def test_missing_alias_is_not_found(aliases: Aliases) -> None:
    with pytest.raises(ApplicationError, match="NotFound") as missing:
        await on_attempt(
            1, aliases.get_alias, GetAliasRequest(function_name="checkout", name="live")
        )
    assert missing.value.type == "NotFound"
