"""Cancel and terminate: whatever is killed, and when, the alias is put back."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.fakes.rules import Hold
from tests.workflows.scene import ALL_AT_ONCE, CANARY, Handle, Scene, ending

STEPS: dict[str, Any] = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
}
WRITES = ["update_function_code", "publish_version", "update_alias"]


def back(scene: Scene) -> None:
    """Everything is as it was."""
    assert scene.aws.routing(scene.function) == ("2", {})
    assert scene.state.latest["CodeSha256"] == scene.state.versions["2"]["CodeSha256"]


async def reached(scene: Scene, hold: Hold) -> None:
    async with scene.patience():
        await hold.reached.wait()


async def over(handle: Handle) -> WorkflowExecutionStatus | None:
    return (await handle.describe()).status


@pytest.mark.parametrize("whom", ["release", "rollout"])
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_cancel_during_a_write_waits_for_it_and_then_puts_it_back(
    scene: Scene, whom: str, write: str, moment: Any
) -> None:
    hold = scene.aws.hold(write, moment=moment)
    handle = await scene.start(
        "Release", scene.request(artifact=scene.package("three"), **ALL_AT_ONCE)
    )
    await reached(scene, hold)
    await (handle if whom == "release" else scene.rollout).cancel()
    for _ in range(5):
        await scene.moment()
    assert scene.aws.calls[-1].operation == write  # nothing overtakes it
    hold.release()
    end = await ending(handle)
    assert end.kind == ("Canceled" if whom == "release" else "ReleaseRolledBack")
    assert await over(scene.rollout) is WorkflowExecutionStatus.CANCELED
    assert not {
        "update_function_code": {"publish_version"},
        "publish_version": {"update_alias"},
    }.get(write, set()) & {*scene.aws.operations}
    back(scene)


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval", "paused"])
async def test_a_cancel_while_it_waits_puts_everything_back(scene: Scene, phase: str) -> None:
    handle = await scene.begin(
        artifact=scene.package("three"), **(CANARY if phase != "awaiting_approval" else STEPS)
    )
    await scene.reaches("baking" if phase == "paused" else phase)
    if phase == "paused":
        await scene.say("pause")
    await handle.cancel()
    end = await ending(handle)
    assert end.kind == "Canceled"
    back(scene)


async def test_a_cancel_of_the_rollout_alone_ends_the_release_as_rolled_back(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.rollout.cancel()
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(scene)


async def test_a_cancel_before_anything_was_changed_changes_nothing(scene: Scene) -> None:
    hold = scene.aws.hold("get_function", skip=2)
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await reached(scene, hold)
    await handle.cancel()
    assert (await ending(handle)).kind == "Canceled"  # nobody waits for a read
    hold.release()
    assert scene.aws.writes == []


async def test_a_cancel_while_the_function_is_looked_for_starts_nothing(scene: Scene) -> None:
    hold = scene.aws.hold("get_function")
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await reached(scene, hold)
    await handle.cancel()
    assert (await ending(handle)).kind == "Canceled"  # nobody waits for a read
    hold.release()
    assert scene.aws.writes == []


async def test_a_cancel_during_the_undo_does_not_stop_it(scene: Scene) -> None:
    scene.aws.fail("update_alias", "ServiceException", skip=1)
    hold = scene.aws.hold("update_alias", skip=1)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.say("abort")
    await reached(scene, hold)
    await handle.cancel()
    await scene.rollout.cancel()
    hold.release()
    end = await scene.finished(handle)
    assert end.kind == "Canceled"
    back(scene)


async def test_a_cancel_while_an_abort_waits_for_a_write_does_not_overtake_it(scene: Scene) -> None:
    hold = scene.aws.hold("update_alias")
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await reached(scene, hold)
    await scene.say("abort")
    await handle.cancel()
    await scene.rollout.cancel()
    for _ in range(5):
        await scene.moment()
    assert scene.aws.calls[-1].operation == "update_alias"
    hold.release()
    assert (await ending(handle)).kind == "Canceled"
    back(scene)


async def test_a_second_cancel_changes_nothing(scene: Scene) -> None:
    hold = scene.aws.hold("update_alias", skip=1)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await handle.cancel()
    await reached(scene, hold)
    await handle.cancel()
    await scene.rollout.cancel()
    hold.release()
    assert (await ending(handle)).kind == "Canceled"
    back(scene)


async def test_a_cancel_tells_why_the_release_was_stopped(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await handle.cancel()
    await ending(handle)
    status = await scene.status()
    assert status.phase == "rolled_back"
    assert "cancelled" in status.note
    assert status.routing.percent == 0


async def test_a_cancel_that_comes_too_late_leaves_the_candidate_live(scene: Scene) -> None:
    hold = scene.aws.hold("update_alias")
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await reached(scene, hold)
    hold.release()
    assert (await ending(handle)).kind == "Completed"
    await handle.cancel()
    assert scene.aws.routing(scene.function) == ("3", {})


# --- terminate -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval"])
async def test_terminating_the_release_makes_its_rollout_put_everything_back(
    scene: Scene, phase: str
) -> None:
    handle = await scene.begin(
        artifact=scene.package("three"), **(CANARY if phase == "baking" else STEPS)
    )
    await scene.reaches(phase)
    await handle.terminate("out of the way")
    end = await ending(scene.rollout)
    assert end.kind == "Canceled"
    back(scene)


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval"])
async def test_terminating_the_rollout_makes_the_release_put_everything_back(
    scene: Scene, phase: str
) -> None:
    handle = await scene.begin(
        artifact=scene.package("three"), **(CANARY if phase == "baking" else STEPS)
    )
    await scene.reaches(phase)
    before = len(scene.aws.calls)
    await scene.rollout.terminate("oops")
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "terminated" in end.text
    assert "all traffic is on version 2" in end.text
    assert end.status is not None
    assert (end.status.phase, end.status.stable, end.status.candidate) == ("rolled_back", "2", "3")
    back(scene)
    assert scene.aws.since(before)[:2] == ["get_alias", "update_alias"]


@pytest.mark.parametrize("write", WRITES)
async def test_terminating_the_rollout_during_a_write_puts_everything_back(
    scene: Scene, write: str
) -> None:
    hold = scene.aws.hold(write, moment="after")
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    hold.release()
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(scene)


async def test_terminating_the_rollout_in_the_middle_of_its_undo_is_mended(scene: Scene) -> None:
    hold = scene.aws.hold("update_alias", skip=1)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.say("abort")
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    hold.release()
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(scene)


async def test_terminating_the_rollout_after_the_alias_is_back_still_restores_the_rest(
    scene: Scene,
) -> None:
    hold = scene.aws.hold("update_function_code", skip=1)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.say("abort")
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    hold.release()
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(scene)


async def test_terminating_the_rollout_before_it_wrote_anything_writes_nothing(
    scene: Scene,
) -> None:
    hold = scene.aws.hold("get_function", skip=2)
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    hold.release()
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "before it changed anything" in end.text
    assert scene.aws.writes == []


async def test_terminating_the_rollout_of_a_first_release_takes_the_alias_away(
    scene: Scene,
) -> None:
    del scene.state.aliases["live"]
    hold = scene.aws.hold("create_alias", moment="after")
    handle = await scene.begin(artifact=scene.package("three"))
    await reached(scene, hold)
    await scene.rollout.terminate("oops")
    hold.release()
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "live" not in scene.state.aliases


async def test_terminating_the_rollout_restores_concurrency(scene: Scene) -> None:
    scene.aws.somebody(
        "put_function_concurrency", FunctionName=scene.function, ReservedConcurrentExecutions=20
    )
    handle = await scene.begin(
        artifact=scene.package("three"), concurrency={"reserved": 50, "provisioned": 5}, **CANARY
    )
    await scene.reaches("baking")
    await scene.rollout.terminate("oops")
    assert (await ending(handle)).kind == "ReleaseRolledBack"
    back(scene)
    assert (scene.state.reserved, scene.state.provisioned) == (20, {})


async def test_what_somebody_else_did_after_a_terminate_is_left_alone(scene: Scene) -> None:
    def somebody(_: object) -> None:
        scene.aws.somebody(
            "update_alias",
            FunctionName=scene.function,
            Name="live",
            FunctionVersion="1",
            RoutingConfig={},
        )

    scene.aws.before("get_alias", somebody, skip=1)
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.rollout.terminate("oops")
    end = await ending(handle)
    assert end.kind == "RollbackFailed"
    assert "version 1" in end.text
    assert scene.aws.routing(scene.function) == ("1", {})


async def test_after_a_terminate_the_alias_can_be_released_again(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await handle.terminate("oops")
    await ending(scene.rollout)
    assert (await scene.release(artifact=scene.package("four"), **ALL_AT_ONCE)).kind == "Completed"
