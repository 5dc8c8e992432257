"""The watch after promotion: a newer release ends it, and it watches over the stable version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness, read_ending
from workflows import continuation
from workflows.domain.status import ReleaseStatus

WATCHED: dict[str, Any] = {**ALL_AT_ONCE, "guards": {"after": "14d"}}


async def begin_watch(harness: Harness, **keys: Any) -> Handle:
    handle = await harness.begin_until("baking", **(WATCHED | keys))
    await harness.wait_for_note("watched for")
    return handle


async def count_looks(harness: Harness) -> int:
    """The activities by which the rollout has looked at the stable version."""
    return str((await harness.rollout.fetch_history()).to_json()).count('"watch_version"')


async def read_status(handle: Handle) -> ReleaseStatus:
    end = await read_ending(handle)
    assert end.kind == "Completed", end
    assert end.status is not None
    return end.status


async def test_newer_release_ends_the_watch_of_the_older_one(harness: Harness) -> None:
    older = await begin_watch(harness)
    newer = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    assert newer.kind == "Completed", newer
    assert newer.status is not None
    assert newer.status.notes[0] == f"Ended the watch of version 3 (release {older.id})"
    assert (newer.status.stable, newer.status.candidate) == ("3", "4")
    status = await read_status(older)
    assert status.phase == "succeeded"
    assert "its watch was ended by release-" in status.note
    assert harness.aws.routing(harness.function) == ("4", {})


async def test_rollback_ends_the_watch_and_goes_back(harness: Harness) -> None:
    older = await begin_watch(harness)
    end = await harness.roll_back(requested_by="ana", reason="wrong prices")
    assert end.kind == "Completed", end
    assert harness.aws.routing(harness.function) == ("2", {})
    assert (await read_status(older)).phase == "succeeded"


async def test_red_alarm_at_the_end_of_the_watch_rolls_the_older_back(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    older = await begin_watch(harness, guards={"after": "14d", "alarms": ["errors"]})
    harness.aws.before("describe_alarms", lambda _: harness.aws.alarms.update(errors="ALARM"))
    newer = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    assert (await read_ending(older)).kind == "ReleaseRolledBack"
    assert newer.kind == "Completed", newer
    assert newer.status is not None
    assert (newer.status.stable, newer.status.candidate) == ("2", "4")


async def test_rollback_of_what_its_watch_rolled_back_is_rejected(harness: Harness) -> None:
    harness.aws.alarms["errors"] = "OK"
    older = await begin_watch(harness, guards={"after": "14d", "alarms": ["errors"]})
    harness.aws.before("describe_alarms", lambda _: harness.aws.alarms.update(errors="ALARM"))
    end = await harness.roll_back()
    assert (await read_ending(older)).kind == "ReleaseRolledBack"
    assert end.kind == "ReleaseRejected", end
    assert "which was rolled back then" in end.text
    harness.assert_restored()


async def test_one_of_two_newer_releases_ends_the_watch(harness: Harness) -> None:
    older = await begin_watch(harness)
    newer = [
        await harness.begin(artifact=harness.package(name), **CANARY) for name in ("four", "five")
    ]

    async def is_rejected(handle: Handle) -> bool:
        return (await handle.describe()).close_time is not None

    async def has_loser() -> bool:
        return any([await is_rejected(handle) for handle in newer])

    await harness.wait_until(has_loser, seconds=60)
    assert (await read_status(older)).phase == "succeeded"
    loser, winner = newer if await is_rejected(newer[0]) else reversed(newer)
    end = await read_ending(loser)
    assert end.kind == "ReleaseRejected", end
    assert winner.id in end.text

    async def has_begun() -> bool:
        return (await harness.rollout.describe()).parent_id == winner.id

    await harness.wait_until(has_begun, seconds=60)
    assert (await harness.finish(winner)).kind == "Completed"


@pytest.mark.parametrize("moment", ["bake", "paused", "hook"])
async def test_release_that_is_not_only_watched_is_left_alone(
    harness: Harness, moment: str
) -> None:
    match moment:
        case "bake":
            older = await harness.begin_until("baking", **CANARY, guards={"after": "1d"})
        case "paused":
            older = await begin_watch(harness)
            await harness.send("pause", reason="p99 looks odd")
        case _:
            harness.aws.hook("smoke", lambda _: {"accept": True})
            hold = harness.aws.hold("invoke")
            older = await harness.begin(
                artifact=harness.package("three"), hooks={"after_traffic": "smoke"}, **WATCHED
            )
            await harness.wait_for(hold.reached)
    end = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    assert end.kind == "ReleaseRejected", end
    assert f"is being released already: {harness.rollout_id} ({older.id}: " in end.text
    assert moment != "paused" or "somebody has paused its watch" in end.text
    await harness.send("abort")
    if moment == "hook":
        hold.release()
    await read_ending(older)


async def test_version_that_is_watched_is_not_released_again(harness: Harness) -> None:
    older = await begin_watch(harness)
    end = await harness.release(artifact={"kind": "version", "version": "3"})
    assert end.kind == "ReleaseRejected", end
    assert "version 3 is live already, and is watched" in end.text
    await harness.assert_running(older)


async def test_watch_in_a_later_run_is_ended(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuation, "MAX_EVENTS", 80)
    older = await begin_watch(harness)
    first = (await harness.rollout.describe()).run_id
    while (await harness.rollout.describe()).run_id == first:
        await harness.send("pause", reason="again")
        await harness.send("resume")
    newer = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    assert newer.kind == "Completed", newer
    assert (await read_status(older)).phase == "succeeded"


# --- the stable version --------------------------------------------------------------------------


async def test_deleted_stable_version_is_noted_at_once(harness: Harness) -> None:
    older = await begin_watch(harness)
    before = await count_looks(harness)
    await harness.fast_forward(timedelta(minutes=30))
    assert await count_looks(harness) == before == 1
    harness.aws.apply("delete_function", FunctionName=harness.function, Qualifier="2")
    await harness.fast_forward(timedelta(minutes=3))
    await harness.wait_for_note("Version 2, which an abort would go back to, was deleted")
    status = await harness.status()
    assert len([note for note in status.notes if "was deleted" in note]) == 1
    assert status.phase == "baking"
    end = await harness.finish(older)
    assert end.kind == "Completed", end
    assert end.status is not None
    assert "was deleted" in end.status.notes[-1]


async def test_failed_stable_version_is_noted_once_over_runs(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuation, "MAX_EVENTS", 80)
    await begin_watch(harness)
    harness.state.versions["2"] |= {"State": "Failed", "StateReasonCode": "ImageDeleted"}
    await harness.fast_forward(timedelta(minutes=3))
    await harness.wait_for_note("cannot serve any more .State is Failed: ImageDeleted")
    first = (await harness.rollout.describe()).run_id
    while (await harness.rollout.describe()).run_id == first:
        await harness.send("pause", reason="again")
        await harness.send("resume")
    await harness.fast_forward(timedelta(minutes=3))
    status = await harness.status()
    assert len([note for note in status.notes if "cannot serve" in note]) == 1


async def test_release_without_a_watch_has_no_event_more(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    text = str((await harness.rollout.fetch_history()).to_json())
    assert "stable-is-watched" not in text
    assert "watch_version" not in text
