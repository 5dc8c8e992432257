"""Steering a running release: approve, pause, resume, promote, abort; what is nonsense is refused, and leaves no trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.workflows.scene import ALL_AT_ONCE, CANARY, Scene, ending

MINUTE = timedelta(minutes=1)
APPROVED = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval", "timeout": "PT6H"}]
    }
}
BAKES = {
    "strategy": {
        "steps": [
            {"kind": "bake", "duration": "5m"},
            {"kind": "set_weight", "percent": 10},
            {"kind": "bake", "duration": "5m"},
        ]
    }
}


async def baking(scene: Scene, **keys: Any) -> Any:
    handle = await scene.begin(artifact=scene.package("three"), **(keys or CANARY))
    await scene.reaches("baking")
    return handle


async def skipped(scene: Scene) -> timedelta:
    """How much of the rollout's time has passed in all."""
    now = await scene.env.get_current_time(scene.rollout)
    return now - (await scene.rollout.describe()).start_time


# --- approve -------------------------------------------------------------------------------------------------------------------


async def test_an_approval_lets_the_release_go_on(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED)
    await scene.reaches("awaiting_approval")
    answer = await scene.say("approve", note="looks good")
    assert answer.note == "Approved by ana: looks good"
    assert (await ending(handle)).kind == "Completed"
    assert scene.aws.routing(scene.function) == ("3", {})


async def test_nobody_approving_in_time_rolls_back(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED)
    status = await scene.reaches("awaiting_approval")
    assert status.ends_at is not None
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "nobody approved within 6 h" in end.text
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_an_approval_without_a_timeout_waits_for_ever(scene: Scene) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}, {"kind": "approval"}]
    handle = await scene.begin(artifact=scene.package("three"), strategy={"steps": steps})
    status = await scene.reaches("awaiting_approval")
    assert status.ends_at is None
    await scene.say("approve")
    async with scene.patience():
        while (await scene.status()).step < 2:
            await scene.moment()
    assert (await scene.status()).phase == "awaiting_approval"  # one approval is not two
    await scene.say("approve")
    assert (await ending(handle)).kind == "Completed"


async def test_a_pause_stops_the_clock_of_an_approval(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED)
    await scene.reaches("awaiting_approval")
    await scene.say("pause")
    assert (await scene.status()).ends_at is None
    with pytest.raises(TimeoutError):
        await ending(handle, patience=0.5)
    await scene.say("resume")
    assert (await scene.status()).ends_at is not None
    await scene.say("approve")
    assert (await ending(handle)).kind == "Completed"


async def test_an_approval_given_during_a_pause_counts_after_it(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED)
    await scene.reaches("awaiting_approval")
    await scene.say("pause")
    await scene.say("approve")
    assert scene.aws.routing(scene.function) == ("2", {"3": 0.1})
    await scene.say("resume")
    assert (await ending(handle)).kind == "Completed"


# --- pause and resume ----------------------------------------------------------------------------------------------------------


async def test_a_pause_does_not_eat_the_bake(scene: Scene) -> None:
    handle = await baking(scene)
    await scene.forward(2 * MINUTE)
    answer = await scene.say("pause", reason="p99")
    assert (answer.paused, answer.note) == (True, "Paused by ana: p99")
    await scene.env.fast_forward(scene.rollout, 0.001)  # without a timer nothing is skipped
    assert (await scene.status()).ends_at is None
    resumed = await scene.say("resume")
    assert not resumed.paused
    status = await scene.reaches("baking")
    now = await scene.env.get_current_time(scene.rollout)
    assert status.ends_at is not None
    assert 2.9 * MINUTE < status.ends_at - now <= 3 * MINUTE
    await scene.forward(2.9 * MINUTE)
    assert (await scene.status()).phase == "baking"
    assert (await scene.finished(handle)).kind == "Completed"


async def test_a_pause_while_traffic_moves_holds_before_the_next_step(scene: Scene) -> None:
    hold = scene.aws.hold("update_alias")
    handle = await scene.begin(
        artifact=scene.package("three"), strategy={"steps": [{"kind": "set_weight", "percent": 10}]}
    )
    await hold.reached.wait()
    await scene.say("pause")
    hold.release()
    with pytest.raises(TimeoutError):
        await ending(handle, patience=0.5)
    assert scene.aws.routing(scene.function) == ("2", {"3": 0.1})
    await scene.say("resume")
    assert (await ending(handle)).kind == "Completed"


async def test_a_pause_while_preparing_holds_before_any_traffic_moves(scene: Scene) -> None:
    hold = scene.aws.hold("publish_version")
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await hold.reached.wait()
    await scene.say("pause")
    hold.release()
    with pytest.raises(TimeoutError):
        await ending(handle, patience=0.5)
    assert "update_alias" not in scene.aws.operations
    await scene.say("resume")
    assert (await ending(handle)).kind == "Completed"


# --- promote -------------------------------------------------------------------------------------------------------------------


async def test_a_promotion_skips_what_is_left(scene: Scene) -> None:
    handle = await baking(scene, strategy="Linear10PercentEvery10Minutes")
    answer = await scene.say("promote", reason="hotfix")
    assert answer.note == "Promoted by ana: hotfix"
    end = await ending(handle)
    assert end.kind == "Completed"
    assert [
        move["RoutingConfig"]["AdditionalVersionWeights"] for move in scene.aws.of("update_alias")
    ] == [{"3": 0.1}, {}]
    assert end.status is not None
    assert (end.status.step, end.status.steps) == (18, 18)


async def test_a_promotion_ends_a_pause(scene: Scene) -> None:
    handle = await baking(scene)
    await scene.say("pause")
    answer = await scene.say("promote")
    assert not answer.paused
    assert (await ending(handle)).kind == "Completed"


async def test_a_promotion_needs_no_approval(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED)
    await scene.reaches("awaiting_approval")
    await scene.say("promote")
    assert (await ending(handle)).kind == "Completed"


async def test_a_promotion_does_not_skip_the_hook(scene: Scene) -> None:
    scene.aws.hook("smoke", lambda _: {"accept": False, "reason": "no"})
    handle = await baking(scene, hooks={"after_traffic": "smoke"}, **CANARY)
    await scene.say("promote")
    assert (await ending(handle)).kind == "ReleaseRolledBack"


# --- abort ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment", ["update_code", "publish", "shift", "bake", "paused", "approval", "promote", "hook"]
)
async def test_an_abort_puts_everything_back_in_every_phase(scene: Scene, moment: str) -> None:
    scene.aws.hook("smoke", lambda _: {"accept": True})
    names = {
        "update_code": "update_function_code",
        "publish": "publish_version",
        "shift": "update_alias",
        "hook": "invoke",
    }
    hold = (
        scene.aws.hold("update_alias", skip=1)
        if moment == "promote"
        else scene.aws.hold(names[moment])
        if moment in names
        else None
    )
    strategy = APPROVED if moment == "approval" else ALL_AT_ONCE if moment == "hook" else CANARY
    handle = await scene.begin(
        artifact=scene.package("three"), hooks={"after_traffic": "smoke"}, **strategy
    )
    if moment == "promote":
        await scene.reaches("baking")
        await scene.say("promote")
    if hold is not None:
        async with scene.patience():
            await hold.reached.wait()
    else:
        await scene.reaches("awaiting_approval" if moment == "approval" else "baking")
    if moment == "paused":
        await scene.say("pause")
    answer = await scene.say("abort", reason="wrong build")
    assert answer.note == "Aborted by ana: wrong build"
    if hold is not None:
        hold.release()
    end = await scene.finished(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "aborted by ana: wrong build" in end.text
    assert scene.aws.routing(scene.function) == ("2", {})
    assert scene.state.latest["CodeSha256"] == scene.state.versions["2"]["CodeSha256"]


async def test_an_abort_before_anything_was_changed_says_so(scene: Scene) -> None:
    hold = scene.aws.hold("get_function", skip=2)  # the last read of preflight
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await hold.reached.wait()
    await scene.say("abort")
    hold.release()
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "nothing had been changed" in end.text
    assert scene.aws.writes == []


# --- nonsense ------------------------------------------------------------------------------------------------------------------


async def test_what_makes_no_sense_while_preparing_is_refused(scene: Scene) -> None:
    hold = scene.aws.hold("publish_version")
    handle = await scene.begin(artifact=scene.package("three"), **ALL_AT_ONCE)
    await hold.reached.wait()
    assert "nothing to approve" in await scene.refused("approve")
    assert "not paused" in await scene.refused("resume")
    assert "too early" in await scene.refused("promote")
    hold.release()
    await ending(handle)


async def test_what_makes_no_sense_while_baking_is_refused(scene: Scene) -> None:
    handle = await baking(scene)
    assert "nothing to approve: the release is baking" in await scene.refused("approve")
    assert "not paused" in await scene.refused("resume")
    await scene.say("pause")
    assert "paused already" in await scene.refused("pause")
    await scene.say("abort")
    await ending(handle)


async def test_nothing_is_said_twice_to_an_approval(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **APPROVED)
    await scene.reaches("awaiting_approval")
    await scene.say("pause")
    await scene.say("approve")
    assert "nothing to approve" in await scene.refused("approve")
    await scene.say("resume")
    await ending(handle)


async def test_what_makes_no_sense_while_promoting_is_refused(scene: Scene) -> None:
    hold = scene.aws.hold("update_alias", skip=1)
    handle = await baking(scene)
    await scene.say("promote")
    await hold.reached.wait()
    assert "being promoted already" in await scene.refused("promote")
    assert "too late" in await scene.refused("pause")
    assert "not paused" in await scene.refused("resume")
    assert "nothing to approve" in await scene.refused("approve")
    hold.release()
    assert (await ending(handle)).kind == "Completed"


@pytest.mark.parametrize("what", ["approve", "pause", "resume", "promote", "abort"])
async def test_nothing_can_be_said_to_a_release_on_its_way_back(scene: Scene, what: str) -> None:
    hold = scene.aws.hold("update_alias", skip=1)
    handle = await baking(scene)
    await scene.say("abort", reason="wrong build")
    await hold.reached.wait()
    assert "too late: the release is rolling back" in await scene.refused(what)
    hold.release()
    assert (await ending(handle)).kind == "ReleaseRolledBack"


@pytest.mark.parametrize(
    ("what", "said", "why"),
    [
        ("abort", [{}], "by: Field required"),
        ("abort", [{"by": ""}], "by: String should have at least 1 character"),
        ("abort", [{"by": 7}], "by: "),
        ("abort", [{"by": "ana", "why": "x"}], "why: Extra inputs are not permitted"),
        ("pause", [{"reason": "p99"}], "by: Field required"),
        ("abort", [None], "null"),
        ("pause", ["ana"], "(input)"),
        ("promote", [{"by": "a"}, {"by": "b"}], "exactly one input"),
    ],
)
async def test_a_malformed_control_is_refused_by_its_path(
    scene: Scene, what: str, said: list[Any], why: str
) -> None:
    handle = await baking(scene)
    assert why in await scene.refused(what, *said)
    assert (await scene.status()).phase == "baking"
    await scene.say("abort")
    await ending(handle)


async def test_a_control_without_an_input_is_refused(scene: Scene) -> None:
    handle = await baking(scene)
    assert "exactly one input" in await scene.refused_with("abort", [])
    assert (await scene.status()).phase == "baking"
    await scene.say("abort")
    await ending(handle)


async def test_a_control_that_does_not_exist_is_refused(scene: Scene) -> None:
    handle = await baking(scene)
    with pytest.raises(Exception, match="update failed"):
        await scene.say("cancel_everything")
    await scene.say("abort")
    assert (await ending(handle)).kind == "ReleaseRolledBack"
