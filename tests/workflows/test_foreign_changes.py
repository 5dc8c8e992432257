"""Somebody else changes what a release holds: it stops, says what it found, and overwrites nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.functions import sha256
from tests.workflows.scene import ALL_AT_ONCE, CANARY, Ending, Scene


def moves_it(scene: Scene, version: str = "1", weights: dict[str, float] | None = None) -> Any:
    def move(_: object = None) -> None:
        routing = {"AdditionalVersionWeights": weights or {}}
        scene.aws.somebody(
            "update_alias",
            FunctionName=scene.function,
            Name="live",
            FunctionVersion=version,
            RoutingConfig=routing,
        )

    return move


def left_alone(end: Ending, scene: Scene, writes: int) -> None:
    """The release failed, said what it found, and wrote nothing after it had found it."""
    assert end.kind == "RollbackFailed", end
    assert f"somebody else moved {scene.function}:live" in end.text
    assert "version 1" in end.text
    assert end.status is not None
    assert scene.aws.routing(scene.function) == ("1", {})
    assert len(scene.aws.writes) == writes


async def test_a_foreign_move_in_the_bake_is_found_at_the_next_step_and_not_overwritten(
    scene: Scene,
) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    moves_it(scene)()
    writes = len(scene.aws.writes)
    left_alone(await scene.finished(handle), scene, writes)


async def test_a_foreign_move_is_not_overwritten_by_a_rollback(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    moves_it(scene)()
    writes = len(scene.aws.writes)
    await scene.say("abort")
    left_alone(await scene.finished(handle), scene, writes)


async def test_a_foreign_move_before_the_first_step_is_not_overwritten(scene: Scene) -> None:
    scene.aws.before("update_alias", moves_it(scene))
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    left_alone(end, scene, writes=2)  # code and version


async def test_a_foreign_move_while_an_answer_was_lost_is_not_overwritten(scene: Scene) -> None:
    scene.aws.fail("update_alias", "ServiceException")
    scene.aws.before("get_alias", moves_it(scene), skip=1)
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    left_alone(end, scene, writes=2)


async def test_foreign_weights_on_the_same_version_are_a_foreign_move(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    moves_it(scene, "2", {"1": 0.5})()
    end = await scene.finished(handle)
    assert end.kind == "RollbackFailed"
    assert "50% to version 1" in end.text
    assert scene.aws.routing(scene.function) == ("2", {"1": 0.5})


@pytest.mark.parametrize("how", ["goes on", "is aborted"])
async def test_foreign_weights_on_our_own_candidate_are_a_foreign_move(
    scene: Scene, how: str
) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    moves_it(scene, "2", {"3": 0.5})()
    if how == "is aborted":
        await scene.say("abort")
    end = await scene.finished(handle)
    assert end.kind == "RollbackFailed"
    assert "50% to version 3" in end.text
    assert scene.aws.routing(scene.function) == ("2", {"3": 0.5})


async def test_somebody_who_promotes_the_candidate_by_hand_does_what_we_would(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    moves_it(scene, "3")()
    assert (await scene.finished(handle)).kind == "Completed"
    assert scene.aws.routing(scene.function) == ("3", {})


async def test_an_alias_that_somebody_deleted_is_not_created_again(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    scene.aws.somebody("delete_alias", FunctionName=scene.function, Name="live")
    end = await scene.finished(handle)
    assert end.kind == "RollbackFailed", end
    assert "live" not in scene.state.aliases
    assert "create_alias" not in scene.aws.operations


async def test_an_alias_that_somebody_created_meanwhile_stays_as_it_is(scene: Scene) -> None:
    del scene.state.aliases["live"]

    def create(_: object) -> None:
        scene.aws.somebody(
            "create_alias", FunctionName=scene.function, Name="live", FunctionVersion="1"
        )

    scene.aws.before("create_alias", create)
    end = await scene.release(artifact=scene.package("three"))
    assert end.kind in {"RollbackFailed", "ReleaseRolledBack"}
    assert scene.aws.routing(scene.function) == ("1", {})
    assert "delete_alias" not in scene.aws.operations


async def test_a_foreign_upload_between_update_and_publish_is_never_published(scene: Scene) -> None:
    scene.aws.before("publish_version", lambda _: scene.aws.overwrite(scene.function, "theirs"))
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert list(scene.state.versions) == ["1", "2"]
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_a_foreign_upload_between_update_and_publish_is_not_overwritten(scene: Scene) -> None:
    scene.aws.before("publish_version", lambda _: scene.aws.overwrite(scene.function, "theirs"))
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    assert "somebody else changed $LATEST" in end.text
    assert scene.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_upload_before_our_own_is_not_overwritten(scene: Scene) -> None:
    scene.aws.before(
        "update_function_code", lambda _: scene.aws.overwrite(scene.function, "theirs")
    )
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert "somebody else changed $LATEST" in end.text
    assert scene.aws.writes == []
    assert scene.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_change_of_configuration_before_our_own_is_not_overwritten(
    scene: Scene,
) -> None:
    def change(_: object) -> None:
        scene.state.latest.update(Timeout=77, RevisionId="theirs")

    scene.aws.before("update_function_configuration", change)
    end = await scene.release(configuration={"Timeout": 9}, **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack"
    assert scene.state.latest["Timeout"] == 77


@pytest.mark.parametrize("moment", ["baking", "after the promotion"])
async def test_a_foreign_publish_does_not_disturb_a_release(scene: Scene, moment: str) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    if moment == "baking":
        scene.aws.overwrite(scene.function, "four")
        scene.aws.publish(scene.function)
    assert (await scene.finished(handle)).kind == "Completed"
    assert scene.aws.routing(scene.function) == ("3", {})


async def test_a_foreign_upload_in_the_bake_is_not_overwritten_by_the_undo(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    scene.aws.overwrite(scene.function, "theirs")
    await scene.say("abort")
    assert (await scene.finished(handle)).kind == "ReleaseRolledBack"
    assert scene.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_upload_before_our_own_has_settled_is_never_published(scene: Scene) -> None:
    scene.aws.after("update_function_code", lambda _: scene.aws.overwrite(scene.function, "theirs"))
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    assert "somebody else changed $LATEST" in end.text
    assert list(scene.state.versions) == ["1", "2"]
    assert scene.state.latest["CodeSha256"] == sha256(b"theirs")


async def test_a_foreign_upload_is_not_overwritten_by_the_undo_of_a_release_that_was_stopped_before_it_published(
    scene: Scene,
) -> None:
    hold = scene.aws.hold("get_function", skip=3)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    async with scene.patience():
        await hold.reached.wait()
    scene.aws.overwrite(scene.function, "theirs")
    await handle.cancel()
    hold.release()
    assert (await scene.finished(handle)).kind == "Canceled"
    assert scene.state.latest["CodeSha256"] == sha256(b"theirs")
