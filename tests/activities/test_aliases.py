"""Aliases, the second time: what happened is recognised, what somebody else did is left alone."""

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
    ListAliasesRequest,
    UpdateAliasRequest,
)
from activities.errors import AwsError
from tests.activities.operations import on_attempt
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


async def test_an_alias_created_under_a_lost_answer_is_ours(
    port: FakeLambda, aliases: Aliases
) -> None:
    port.lose("create_alias")
    with pytest.raises(ApplicationError) as lost:
        await on_attempt(1, aliases.create_alias, CREATE)
    assert (lost.value.type, lost.value.non_retryable) == ("Unavailable", False)
    created = await on_attempt(2, aliases.create_alias, CREATE)
    assert (created.name, created.function_version) == ("live", "1")
    assert port.count("create_alias") == 1


async def test_an_alias_that_was_not_created_yet_is_created_by_the_second_attempt(
    aliases: Aliases,
) -> None:
    assert (await on_attempt(2, aliases.create_alias, CREATE)).function_version == "1"


async def test_the_same_alias_there_already_is_success_on_a_first_attempt_too(
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
async def test_another_alias_of_that_name_is_left_alone_and_said_to_differ(
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


async def test_a_conflict_that_is_no_alias_of_that_name_is_raised_as_awss(
    port: FakeLambda, aliases: Aliases
) -> None:
    port.respond(
        "create_alias",
        AwsError("create_alias", "ResourceConflictException", "An update is in progress"),
    )
    with pytest.raises(ApplicationError, match="in progress"):
        await on_attempt(1, aliases.create_alias, CREATE)


@pytest.mark.parametrize("attempt", [1, 2])
async def test_deleting_what_is_gone_is_success(
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


async def test_an_update_under_a_lost_answer_is_recognised_and_not_sent_again(
    port: FakeLambda, aliases: Aliases
) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    port.lose("update_alias")
    with pytest.raises(ApplicationError):
        await on_attempt(1, aliases.update_alias, update("1", routed(v2=0.1), revision))
    moved = await on_attempt(2, aliases.update_alias, update("1", routed(v2=0.1), revision))
    assert (moved.weights, moved.revision_id) == ({"2": 0.1}, there(port)["RevisionId"])
    assert port.count("update_alias") == 1


async def test_an_update_that_never_arrived_is_sent_by_the_second_attempt_under_the_same_revision(
    port: FakeLambda, aliases: Aliases
) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    await on_attempt(2, aliases.update_alias, update("2", ALL, revision))
    assert there(port)["FunctionVersion"] == "2"
    assert port.calls[-1].parameters["RevisionId"] == revision


@pytest.mark.parametrize("attempt", [1, 2])
async def test_somebody_elses_change_is_never_overwritten_and_is_named(
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


async def test_a_revision_refused_after_our_own_success_is_success(aliases: Aliases) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    await on_attempt(1, aliases.update_alias, update("2", ALL, revision))
    again = await on_attempt(1, aliases.update_alias, update("2", ALL, revision))
    assert again.function_version == "2"


async def test_answers_that_do_not_agree_yet_are_no_proof_of_somebody_else(
    port: FakeLambda, aliases: Aliases
) -> None:
    revision = (await on_attempt(1, aliases.create_alias, CREATE)).revision_id
    port.respond("update_alias", AwsError("update_alias", "PreconditionFailedException", "stale"))
    with pytest.raises(ApplicationError, match="still answers it") as unsettled:
        await on_attempt(1, aliases.update_alias, update("2", ALL, revision))
    assert (unsettled.value.type, unsettled.value.non_retryable) == ("Conflict", False)


async def test_without_a_revision_the_last_writer_wins(port: FakeLambda, aliases: Aliases) -> None:
    await on_attempt(1, aliases.create_alias, CREATE)
    await on_attempt(1, aliases.update_alias, update("7"))
    await on_attempt(2, aliases.update_alias, update("2"))
    assert there(port)["FunctionVersion"] == "2"


async def test_weights_that_were_to_go_and_are_still_there_are_no_success(
    port: FakeLambda, aliases: Aliases
) -> None:
    await on_attempt(
        1, aliases.create_alias, CREATE.model_copy(update={"routing_config": routed(v2=0.5)})
    )
    await on_attempt(2, aliases.update_alias, update("1", ALL))
    assert port.routing("checkout") == ("1", {})


async def test_routing_that_was_not_asked_for_does_not_count(
    port: FakeLambda, aliases: Aliases
) -> None:
    await on_attempt(
        1, aliases.create_alias, CREATE.model_copy(update={"routing_config": routed(v2=0.5)})
    )
    await on_attempt(2, aliases.update_alias, update("1", None, "some other revision"))
    assert port.count("update_alias") == 0


async def test_all_pages_of_aliases_are_answered_and_a_wish_for_fewer_is_kept(
    port: FakeLambda, aliases: Aliases
) -> None:
    port.page_size = 3
    for number in range(8):
        await on_attempt(1, aliases.create_alias, CREATE.model_copy(update={"name": f"a{number}"}))
    everything = await on_attempt(
        1, aliases.list_aliases, ListAliasesRequest(function_name="checkout")
    )
    assert ([alias.name for alias in everything.aliases], everything.next_marker) == (
        [f"a{number}" for number in range(8)],
        None,
    )
    first = await on_attempt(
        1, aliases.list_aliases, ListAliasesRequest(function_name="checkout", max_items=2)
    )
    assert ([alias.name for alias in first.aliases], first.next_marker) == (["a0", "a1"], "2")
    rest = await on_attempt(
        1,
        aliases.list_aliases,
        ListAliasesRequest(function_name="checkout", marker=first.next_marker),
    )
    assert [alias.name for alias in rest.aliases] == [f"a{number}" for number in range(2, 8)]


async def test_an_alias_that_is_not_there_is_not_found(aliases: Aliases) -> None:
    with pytest.raises(ApplicationError) as missing:
        await on_attempt(
            1, aliases.get_alias, GetAliasRequest(function_name="checkout", name="live")
        )
    assert missing.value.type == "NotFound"
