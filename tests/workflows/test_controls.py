"""The controls of a running release: approve, pause, resume, promote and abort.

A control that makes no sense is refused, and leaves no event in the history.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending

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


# --- approve ---


async def test_approval_continues_the_release(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVED)
    answer = await harness.send("approve", note="looks good")
    assert answer.note == "Approved by ana: looks good"
    assert (await read_ending(handle)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_approval_that_times_out_rolls_back(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **APPROVED)
    status = await harness.wait_for_phase("awaiting_approval")
    assert status.ends_at is not None
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "nobody approved within 6 h" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_approval_without_a_timeout_waits_without_limit(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}, {"kind": "approval"}]
    handle = await harness.begin(artifact=harness.package("three"), strategy={"steps": steps})
    status = await harness.wait_for_phase("awaiting_approval")
    assert status.ends_at is None
    await harness.send("approve")

    async def is_at_second_approval() -> bool:
        return (await harness.status()).step == 2

    await harness.wait_until(is_at_second_approval)
    assert (await harness.status()).phase == "awaiting_approval"  # one approval is not two
    await harness.send("approve")
    assert (await read_ending(handle)).kind == "Completed"


async def test_pause_stops_the_clock_of_an_approval(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVED)
    await harness.send("pause")
    assert (await harness.status()).ends_at is None
    await harness.assert_running(handle)
    await harness.send("resume")
    assert (await harness.status()).ends_at is not None
    await harness.send("approve")
    assert (await read_ending(handle)).kind == "Completed"


async def test_approval_given_during_a_pause_counts_after_it(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVED)
    await harness.send("pause")
    await harness.send("approve")
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.1})
    await harness.send("resume")
    assert (await read_ending(handle)).kind == "Completed"


# --- pause and resume ---


async def test_pause_does_not_shorten_the_bake(harness: Harness) -> None:
    begun = time.monotonic()
    handle = await harness.begin_until("baking", **CANARY)
    await harness.fast_forward(2 * MINUTE)
    answer = await harness.send("pause", reason="p99")
    assert (answer.paused, answer.note) == (True, "Paused by ana: p99")
    await harness.env.fast_forward(harness.rollout, 0.001)  # without a timer nothing is skipped
    assert (await harness.status()).ends_at is None
    resumed = await harness.send("resume")
    assert not resumed.paused
    status = await harness.wait_for_phase("baking")
    now = await harness.env.get_current_time(harness.rollout)
    assert status.ends_at is not None
    left, elapsed = status.ends_at - now, timedelta(seconds=time.monotonic() - begun)
    assert 3 * MINUTE - elapsed < left <= 3 * MINUTE
    await harness.fast_forward(left - MINUTE / 3)
    assert (await harness.status()).phase == "baking"
    assert (await harness.finish(handle)).kind == "Completed"


async def test_pause_during_a_move_holds_before_the_next_step(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias")
    handle = await harness.begin(
        artifact=harness.package("three"),
        strategy={"steps": [{"kind": "set_weight", "percent": 10}]},
    )
    await harness.wait_for(hold.reached)
    await harness.send("pause")
    hold.release()
    await harness.assert_running(handle)
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.1})
    await harness.send("resume")
    assert (await read_ending(handle)).kind == "Completed"


async def test_pause_while_preparing_holds_before_the_first_move(harness: Harness) -> None:
    hold = harness.aws.hold("publish_version")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await harness.send("pause")
    hold.release()
    await harness.assert_running(handle)
    assert "update_alias" not in harness.aws.operations
    await harness.send("resume")
    assert (await read_ending(handle)).kind == "Completed"


# --- promote ---


async def test_promotion_skips_the_remaining_steps(harness: Harness) -> None:
    handle = await harness.begin_until("baking", strategy="Linear10PercentEvery10Minutes")
    answer = await harness.send("promote", reason="hotfix")
    assert answer.note == "Promoted by ana: hotfix"
    end = await read_ending(handle)
    assert end.kind == "Completed"
    assert [
        move["RoutingConfig"]["AdditionalVersionWeights"] for move in harness.aws.of("update_alias")
    ] == [{"3": 0.1}, {}]
    assert end.status is not None
    assert (end.status.step, end.status.steps) == (18, 18)


async def test_promotion_ends_a_pause(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("pause")
    answer = await harness.send("promote")
    assert not answer.paused
    assert (await read_ending(handle)).kind == "Completed"


async def test_promotion_needs_no_approval(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVED)
    await harness.send("promote")
    assert (await read_ending(handle)).kind == "Completed"


async def test_promotion_does_not_skip_the_hook(harness: Harness) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "no"})
    handle = await harness.begin_until("baking", hooks={"after_traffic": "smoke"}, **CANARY)
    await harness.send("promote")
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"


# --- abort ---


@pytest.mark.parametrize(
    "moment", ["update_code", "publish", "shift", "bake", "paused", "approval", "promote", "hook"]
)
async def test_abort_restores_everything_in_every_phase(harness: Harness, moment: str) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    names = {
        "update_code": "update_function_code",
        "publish": "publish_version",
        "shift": "update_alias",
        "hook": "invoke",
    }
    hold = (
        harness.aws.hold("update_alias", skip=1)
        if moment == "promote"
        else harness.aws.hold(names[moment])
        if moment in names
        else None
    )
    strategy = APPROVED if moment == "approval" else ALL_AT_ONCE if moment == "hook" else CANARY
    handle = await harness.begin(
        artifact=harness.package("three"), hooks={"after_traffic": "smoke"}, **strategy
    )
    if moment == "promote":
        await harness.wait_for_phase("baking")
        await harness.send("promote")
    if hold is not None:
        await harness.wait_for(hold.reached)
    else:
        await harness.wait_for_phase("awaiting_approval" if moment == "approval" else "baking")
    if moment == "paused":
        await harness.send("pause")
    answer = await harness.send("abort", reason="wrong build")
    assert answer.note == "Aborted by ana: wrong build"
    if hold is not None:
        hold.release()
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "aborted by ana: wrong build" in end.text
    harness.assert_restored()


async def test_abort_before_the_first_write_says_so(harness: Harness) -> None:
    hold = harness.aws.hold("get_function", skip=2)  # the last read of preflight
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await harness.send("abort")
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "nothing had been changed" in end.text
    assert harness.aws.writes == []


# --- nonsense ---


async def test_invalid_controls_while_preparing_are_refused(harness: Harness) -> None:
    hold = harness.aws.hold("publish_version")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    assert "nothing to approve" in await harness.expect_refusal("approve")
    assert "not paused" in await harness.expect_refusal("resume")
    assert "too early" in await harness.expect_refusal("promote")
    hold.release()
    await read_ending(handle)


async def test_invalid_controls_while_baking_are_refused(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    assert "nothing to approve: the release is baking" in await harness.expect_refusal("approve")
    assert "not paused" in await harness.expect_refusal("resume")
    await harness.send("pause")
    assert "paused already" in await harness.expect_refusal("pause")
    await harness.send("abort")
    await read_ending(handle)


async def test_second_approval_of_one_step_is_refused(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVED)
    await harness.send("pause")
    await harness.send("approve")
    assert "nothing to approve" in await harness.expect_refusal("approve")
    await harness.send("resume")
    await read_ending(handle)


async def test_invalid_controls_while_promoting_are_refused(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("promote")
    await harness.wait_for(hold.reached)
    assert "being promoted already" in await harness.expect_refusal("promote")
    assert "too late" in await harness.expect_refusal("pause")
    assert "not paused" in await harness.expect_refusal("resume")
    assert "nothing to approve" in await harness.expect_refusal("approve")
    hold.release()
    assert (await read_ending(handle)).kind == "Completed"


@pytest.mark.parametrize("what", ["approve", "pause", "resume", "promote", "abort"])
async def test_controls_during_a_rollback_are_refused(harness: Harness, what: str) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("abort", reason="wrong build")
    await harness.wait_for(hold.reached)
    assert "too late: the release is rolling back" in await harness.expect_refusal(what)
    hold.release()
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"


@pytest.mark.parametrize(
    ("update", "inputs", "why"),
    [
        ("abort", [{"by": ""}], "by: is empty"),
        ("abort", [{"by": 7}], "by: "),
        ("abort", [{"by": "ana", "why": "x"}], "why: there is no such key"),
        ("resolve", [{"by": "ana"}], "choice: missing"),
        ("resolve", [None], "null"),
        ("pause", ["ana"], "(input)"),
        ("promote", [{"by": "a"}, {"by": "b"}], "exactly one input"),
    ],
)
async def test_malformed_control_is_refused_with_its_path(
    harness: Harness, update: str, inputs: list[Any], why: str
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    assert why in await harness.expect_refusal(update, *inputs)
    assert (await harness.status()).phase == "baking"
    await harness.send("abort")
    await read_ending(handle)


async def test_control_that_does_not_exist_is_refused(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    with pytest.raises(Exception, match="update failed"):
        await harness.send("cancel_everything")
    await harness.send("abort")
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"


async def test_abort_does_not_wait_for_a_write_that_is_being_retried(
    harness: Harness,
) -> None:
    harness.aws.fail("update_function_code", "ServiceException", times=5)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_until(lambda: bool(harness.aws.of("update_function_code")))
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
