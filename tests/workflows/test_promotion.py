"""A rollout that is killed once its candidate is live: its release keeps what nothing refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Handle, Harness, read_ending
from workflows import continuation

TEN_MINUTES = timedelta(minutes=10)
WATCHED: dict[str, Any] = {**ALL_AT_ONCE, "guards": {"after": "14d"}}


async def begin_watch(harness: Harness, **keys: Any) -> Handle:
    handle = await harness.begin_until("baking", **(WATCHED | keys))
    await harness.wait_for_note("watched for")
    return handle


async def kill(harness: Harness, handle: Handle) -> Ending:
    await harness.rollout.terminate("history is too long")
    return await harness.finish(handle)


def assert_kept(end: Ending, harness: Harness) -> None:
    assert end.kind == "Completed", end
    assert end.status is not None
    assert (end.status.phase, end.status.stable, end.status.candidate) == ("succeeded", "2", "3")
    assert end.status.routing.percent == 100
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_release_that_is_killed_in_its_watch_stays_live(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await begin_watch(harness, guards={"after": "14d", "alarms": ["errors"]})
    end = await kill(harness, handle)
    assert_kept(end, harness)
    assert "the rollout was terminated, and its watch ended with it" in end.text
    assert harness.aws.writes.count("update_alias") == 1


async def test_release_that_is_killed_in_a_paused_watch_stays_live(harness: Harness) -> None:
    handle = await begin_watch(harness)
    await harness.send("pause")
    assert_kept(await kill(harness, handle), harness)


async def test_release_that_is_killed_with_a_red_alarm_is_undone(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    hold = harness.aws.hold("get_alias", skip=1)
    handle = await begin_watch(harness, guards={"after": "14d", "alarms": ["errors"]})
    await harness.rollout.terminate("history is too long")
    await harness.wait_for(hold.reached)
    harness.aws.alarms["errors"] = "ALARM"
    hold.release()
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()


async def test_promoted_release_without_a_hook_stays_live(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias", moment="after")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await harness.rollout.terminate("oops")
    hold.release()
    end = await harness.finish(handle)
    assert_kept(end, harness)
    assert "at the very end" in end.text


async def test_promoted_release_that_a_hook_could_refuse_is_undone(harness: Harness) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    hold = harness.aws.hold("invoke")
    handle = await harness.begin(
        artifact=harness.package("three"), hooks={"after_traffic": "smoke"}, **ALL_AT_ONCE
    )
    await harness.wait_for(hold.reached)
    await harness.rollout.terminate("oops")
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_bake_at_all_traffic_that_is_killed_is_undone(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 100}, {"kind": "bake", "duration": "1h"}]
    handle = await harness.begin_until("baking", strategy={"steps": steps})
    assert (await kill(harness, handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_alias_that_somebody_moved_in_the_watch_is_not_kept(harness: Harness) -> None:
    handle = await begin_watch(harness)
    harness.move_alias("1")
    end = await kill(harness, handle)
    assert end.kind == "RollbackFailed", end
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_cancel_of_a_release_whose_rollout_is_killed_undoes_it(harness: Harness) -> None:
    hold = harness.aws.hold("get_alias", skip=1)
    handle = await begin_watch(harness)
    await harness.rollout.terminate("history is too long")
    await harness.wait_for(hold.reached)
    await handle.cancel()
    hold.release()
    assert (await harness.finish(handle)).kind == "Canceled"
    harness.assert_restored()


async def test_version_that_stayed_live_can_be_rolled_back_from(harness: Harness) -> None:
    handle = await begin_watch(harness)
    assert_kept(await kill(harness, handle), harness)
    harness.state.versions["3"]["Description"] = "described by hand"
    end = await harness.roll_back(requested_by="ana")
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_undo_of_a_killed_rollout_continues_in_new_runs(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(continuation, "MAX_EVENTS", 60)
    handle = await harness.begin_until("baking", configuration={"MemorySize": 512}, **CANARY)
    refusal = harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", times=None
    )
    first = (await handle.describe()).run_id
    await harness.rollout.terminate("oops")

    async def has_continued() -> bool:
        latest = harness.client.get_workflow_handle(handle.id)
        await harness.env.fast_forward(latest, TEN_MINUTES)
        return (await latest.describe()).run_id != first

    await harness.wait_until(has_continued, seconds=120)
    harness.aws.interventions.remove(refusal)
    latest = harness.client.get_workflow_handle(handle.id, result_type=handle._result_type)
    await harness.env.fast_forward(latest)
    end = await read_ending(latest)
    assert end.kind == "ReleaseRolledBack", end
    assert "the rollout was terminated" in end.text
    harness.assert_restored()
    assert harness.state.latest["MemorySize"] == 128
