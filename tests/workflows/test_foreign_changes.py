"""Somebody else changes what a release holds: it stops, says what it found, and overwrites nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.functions import sha256
from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness


def moves_it(harness: Harness, version: str = "1", weights: dict[str, float] | None = None) -> Any:
    def move(_: object = None) -> None:
        routing = {"AdditionalVersionWeights": weights or {}}
        harness.aws.somebody(
            "update_alias",
            FunctionName=harness.function,
            Name="live",
            FunctionVersion=version,
            RoutingConfig=routing,
        )

    return move


def left_alone(end: Ending, harness: Harness, writes: int) -> None:
    """The release failed, said what it found, and wrote nothing after it had found it."""
    assert end.kind == "RollbackFailed", end
    assert f"somebody else moved {harness.function}:live" in end.text
    assert "version 1" in end.text
    assert end.status is not None
    assert harness.aws.routing(harness.function) == ("1", {})
    assert len(harness.aws.writes) == writes


async def test_a_foreign_move_in_the_bake_is_found_at_the_next_step_and_not_overwritten(
    harness: Harness,
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    moves_it(harness)()
    writes = len(harness.aws.writes)
    left_alone(await harness.finish(handle), harness, writes)


async def test_a_foreign_move_is_not_overwritten_by_a_rollback(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    moves_it(harness)()
    writes = len(harness.aws.writes)
    await harness.send("abort")
    left_alone(await harness.finish(handle), harness, writes)


async def test_a_foreign_move_before_the_first_step_is_not_overwritten(harness: Harness) -> None:
    harness.aws.before("update_alias", moves_it(harness))
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    left_alone(end, harness, writes=2)  # code and version


async def test_a_foreign_move_while_an_answer_was_lost_is_not_overwritten(harness: Harness) -> None:
    harness.aws.fail("update_alias", "ServiceException")
    harness.aws.before("get_alias", moves_it(harness), skip=1)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    left_alone(end, harness, writes=2)


async def test_foreign_weights_on_the_same_version_are_a_foreign_move(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    moves_it(harness, "2", {"1": 0.5})()
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert "50% to version 1" in end.text
    assert harness.aws.routing(harness.function) == ("2", {"1": 0.5})


@pytest.mark.parametrize("how", ["goes on", "is aborted"])
async def test_foreign_weights_on_our_own_candidate_are_a_foreign_move(
    harness: Harness, how: str
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    moves_it(harness, "2", {"3": 0.5})()
    if how == "is aborted":
        await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert "50% to version 3" in end.text
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.5})


async def test_somebody_who_promotes_the_candidate_by_hand_does_what_we_would(
    harness: Harness,
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    moves_it(harness, "3")()
    assert (await harness.finish(handle)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_an_alias_that_somebody_deleted_is_not_created_again(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    harness.aws.somebody("delete_alias", FunctionName=harness.function, Name="live")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed", end
    assert "live" not in harness.state.aliases
    assert "create_alias" not in harness.aws.operations


async def test_an_alias_that_somebody_created_meanwhile_stays_as_it_is(harness: Harness) -> None:
    del harness.state.aliases["live"]

    def create(_: object) -> None:
        harness.aws.somebody(
            "create_alias", FunctionName=harness.function, Name="live", FunctionVersion="1"
        )

    harness.aws.before("create_alias", create)
    end = await harness.release(artifact=harness.package("three"))
    assert end.kind in {"RollbackFailed", "ReleaseRolledBack"}
    assert harness.aws.routing(harness.function) == ("1", {})
    assert "delete_alias" not in harness.aws.operations


async def test_a_foreign_upload_between_update_and_publish_is_never_published(
    harness: Harness,
) -> None:
    harness.aws.before(
        "publish_version", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert list(harness.state.versions) == ["1", "2"]
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_a_foreign_upload_between_update_and_publish_is_not_overwritten(
    harness: Harness,
) -> None:
    harness.aws.before(
        "publish_version", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert "somebody else changed $LATEST" in end.text
    assert harness.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_upload_before_our_own_is_not_overwritten(harness: Harness) -> None:
    harness.aws.before(
        "update_function_code", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "somebody else changed $LATEST" in end.text
    assert harness.aws.writes == []
    assert harness.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_change_of_configuration_before_our_own_is_not_overwritten(
    harness: Harness,
) -> None:
    def change(_: object) -> None:
        harness.state.latest.update(Timeout=77, RevisionId="theirs")

    harness.aws.before("update_function_configuration", change)
    end = await harness.release(configuration={"Timeout": 9}, **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack"
    assert harness.state.latest["Timeout"] == 77


@pytest.mark.parametrize("moment", ["baking", "after the promotion"])
async def test_a_foreign_publish_does_not_disturb_a_release(harness: Harness, moment: str) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    if moment == "baking":
        harness.aws.overwrite(harness.function, "four")
        harness.aws.publish(harness.function)
    assert (await harness.finish(handle)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_a_foreign_upload_in_the_bake_is_not_overwritten_by_the_undo(
    harness: Harness,
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    harness.aws.overwrite(harness.function, "theirs")
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert harness.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_upload_before_our_own_has_settled_is_never_published(
    harness: Harness,
) -> None:
    harness.aws.after(
        "update_function_code", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    assert "somebody else changed $LATEST" in end.text
    assert list(harness.state.versions) == ["1", "2"]
    assert harness.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_upload_is_not_overwritten_by_the_undo_of_a_release_that_was_stopped_before_it_published(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("get_function", skip=3)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    harness.aws.overwrite(harness.function, "theirs")
    await handle.cancel()
    hold.release()
    assert (await harness.finish(handle)).kind == "Canceled"
    assert harness.state.latest["CodeSha256"] == sha256(b"theirs")
