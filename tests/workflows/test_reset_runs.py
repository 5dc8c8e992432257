"""Resets in the Temporal UI: what the run before has changed is recognized, and undone."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.worker import Replayer

from tests.fake_lambda.account import compute_sha256
from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness
from tests.reset import reset_workflow
from workflows.domain.status import ReleaseStatus
from workflows.temporal.plugin import LambdaReleases

APPROVAL: dict[str, Any] = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
}


async def replay(handle: Handle) -> None:
    """Replay the run that a reset began."""
    replayer = Replayer(workflows=[], plugins=[LambdaReleases()])
    await replayer.replay_workflow(await handle.fetch_history())


async def test_reset_rollout_undoes_what_its_run_before_has_changed(harness: Harness) -> None:
    handle = await harness.begin_until(
        "awaiting_approval", concurrency={"reserved": 50}, **APPROVAL
    )
    await reset_workflow(harness.client, harness.rollout)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "the run was reset" in end.text
    harness.assert_restored()
    assert harness.state.reserved is None
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"two")


async def test_reset_rollout_that_changed_nothing_begins_again(harness: Harness) -> None:
    hold = harness.aws.hold("get_alias")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await reset_workflow(harness.client, harness.rollout)
    hold.release()
    end = await harness.finish(handle)
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_reset_rollout_leaves_routing_of_another_writer(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    harness.move_alias("1", {"2": 0.5})
    await reset_workflow(harness.client, harness.rollout)
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed", end
    assert harness.aws.routing(harness.function) == ("1", {"2": 0.5})


@pytest.mark.parametrize("how", ["goes on", "is aborted", "is cancelled", "is terminated"])
async def test_reset_release_follows_its_rollout(harness: Harness, how: str) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await reset_workflow(harness.client, handle)
    again = harness.env.client.get_workflow_handle(handle.id, result_type=ReleaseStatus)
    await harness.wait_until(lambda: _is_followed(again))
    match how:
        case "is aborted":
            await harness.send("abort")
        case "is cancelled":
            await again.cancel()
        case "is terminated":
            await harness.rollout.terminate("oops")
        case _:
            pass
    end = await harness.finish(again)
    await replay(again)
    kinds = {"goes on": "Completed", "is cancelled": "Canceled"}
    assert end.kind == kinds.get(how, "ReleaseRolledBack"), end
    expected = ("3", {}) if how == "goes on" else ("2", {})
    assert harness.aws.routing(harness.function) == expected


async def _is_followed(handle: Any) -> bool:
    described = await handle.describe()
    pending = described.raw_description.pending_activities
    return any(activity.activity_type.name == "follow_rollout" for activity in pending)


async def test_another_release_does_not_follow_the_rollout(harness: Harness) -> None:
    await harness.begin_until("baking", **CANARY)
    end = await harness.release(artifact=harness.package("four"))
    assert end.kind == "ReleaseRejected"
    assert "is being released already" in end.text


async def test_reset_rollout_puts_back_latest_that_its_run_before_wrote(harness: Harness) -> None:
    harness.aws.hook("preflight", lambda _: {"accept": True})
    hold = harness.aws.hold("invoke")
    handle = await harness.begin(
        artifact=harness.package("three"), hooks={"before_traffic": "preflight"}, **ALL_AT_ONCE
    )
    await harness.wait_for(hold.reached)  # code is uploaded and published, no traffic has moved
    await reset_workflow(harness.client, harness.rollout)
    hold.release()
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "the run was reset" in end.text
    harness.assert_restored()
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"two")


async def test_rollout_that_is_reset_to_its_last_moment_goes_on(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    await reset_workflow(harness.client, harness.rollout, task=-1)
    await harness.wait_for_phase("awaiting_approval")
    await harness.send("approve")
    end = await harness.finish(handle)
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_release_that_was_reset_can_be_repeated(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    await reset_workflow(harness.client, harness.rollout)
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
