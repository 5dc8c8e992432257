"""Readiness: a version gets traffic only when it can serve, and nobody's update is overtaken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities import settling
from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending
from tests.workflows.test_preflight import assert_rejected

VERSION_1 = {"artifact": {"kind": "version", "version": "1"}}
UNSERVING = ["Deactivated", "Deactivating", "Deleting", "ActiveNonInvocable", "Failed", "Strange"]


async def start_move(harness: Harness, workflow: str, **keys: Any) -> Any:
    """Start a release of version 1, or a rollback to it."""
    what = VERSION_1 | ALL_AT_ONCE if workflow == "Release" else {"version": "1"}
    return await harness.start(workflow, harness.request(**what, **keys))


@pytest.fixture
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an attempt of an activity poll for a moment only."""
    monkeypatch.setattr(settling, "POLL_SECONDS_PER_ATTEMPT", 0.05)


@pytest.mark.parametrize("workflow", ["Release", "Rollback"])
@pytest.mark.parametrize("state", UNSERVING)
async def test_version_in_a_state_that_cannot_serve_gets_no_traffic(
    harness: Harness, workflow: str, state: str
) -> None:
    harness.state.versions["1"].update(State=state, StateReason="The account is closed.")
    end = await read_ending(await start_move(harness, workflow))
    reason = f"version: it cannot serve traffic, its State is {state} (The account is closed)"
    assert_rejected(end, harness, reason)


@pytest.mark.parametrize("workflow", ["Release", "Rollback"])
async def test_inactive_version_is_woken_before_it_gets_traffic(
    harness: Harness, workflow: str
) -> None:
    harness.state.versions["1"]["State"] = "Inactive"
    states: list[str] = []
    harness.aws.before(
        "update_alias", lambda _: states.append(harness.state.versions["1"]["State"])
    )
    end = await read_ending(await start_move(harness, workflow))
    assert end.kind == "Completed"
    assert states == ["Active"]
    assert harness.aws.routing(harness.function) == ("1", {})
    assert end.status is not None
    assert any("woken and waited for" in note for note in end.status.notes)


async def test_version_on_its_way_is_waited_for(harness: Harness) -> None:
    harness.state.versions["1"]["State"], harness.state.version_polls["1"] = "Pending", 3
    end = await read_ending(await start_move(harness, "Rollback"))
    assert end.kind == "Completed"
    assert harness.state.versions["1"]["State"] == "Active"
    assert harness.aws.of("invoke") == []


async def test_version_that_does_not_wake_up_gets_no_traffic(harness: Harness) -> None:
    harness.state.versions["1"]["State"] = "Inactive"

    def fail(_: object) -> None:
        harness.state.versions["1"].update(State="Failed", StateReason="The subnet is full.")

    harness.aws.before("invoke", fail)
    end = await read_ending(await start_move(harness, "Rollback"))
    assert end.kind == "ReleaseRolledBack"
    assert "The subnet is full" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})
    assert harness.aws.of("update_alias") == []


async def test_worker_that_may_not_invoke_says_so(harness: Harness) -> None:
    harness.state.versions["1"]["State"] = "Inactive"
    harness.aws.fail("invoke", "AccessDeniedException", "no lambda:InvokeFunction", times=None)
    end = await read_ending(await start_move(harness, "Rollback"))
    assert end.kind == "ReleaseRolledBack"
    assert "no lambda:InvokeFunction" in end.text


@pytest.mark.parametrize("workflow", ["Release", "Rollback"])
async def test_person_may_move_traffic_to_an_inactive_version(
    harness: Harness, workflow: str
) -> None:
    harness.state.versions["1"]["State"] = "Inactive"
    end = await read_ending(await start_move(harness, workflow, even_if_inactive=True))
    assert end.kind == "Completed"
    assert harness.aws.of("invoke") == []
    assert harness.state.versions["1"]["State"] == "Inactive"


async def test_person_cannot_move_traffic_to_a_broken_version(harness: Harness) -> None:
    harness.state.versions["1"]["State"] = "Deactivated"
    end = await read_ending(await start_move(harness, "Rollback", even_if_inactive=True))
    assert_rejected(end, harness, "its State is Deactivated")


@pytest.mark.parametrize("state", ["Deactivated", "ActiveNonInvocable", "Deleting"])
async def test_new_version_that_ends_in_another_state_gets_no_traffic(
    harness: Harness, state: str
) -> None:
    harness.aws.creation_ends = state
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack", end
    assert f"it cannot serve traffic: State is {state}" in end.text
    assert harness.aws.of("update_alias") == []


async def test_new_version_that_ends_inactive_is_woken(harness: Harness) -> None:
    harness.aws.creation_ends = "Inactive"
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "Completed"
    assert harness.state.versions["3"]["State"] == "Active"


async def test_live_version_that_cannot_serve_is_noted(harness: Harness) -> None:
    harness.state.versions["2"]["State"] = "Inactive"
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.status is not None
    assert any("Version 2, which is live, cannot serve" in note for note in end.status.notes)


@pytest.mark.usefixtures("_short_polls")
async def test_status_says_what_is_waited_for_and_how_long(harness: Harness) -> None:
    harness.aws.polls = 10_000
    await harness.begin(**pending_version(harness), **ALL_AT_ONCE)

    await harness.wait_for_phase("preparing")
    await harness.wait_for_note(r"^version 1 is Pending: Creating, .* so far$", seconds=60)
    harness.state.version_polls["1"] = 0
    async with asyncio.timeout(60):
        assert (await harness.rollout.result()).phase == "succeeded"


def pending_version(harness: Harness) -> dict[str, Any]:
    """Version 1, which takes its time to be created."""
    harness.state.versions["1"].update(State="Pending", StateReasonCode="Creating")
    harness.state.version_polls["1"] = 10_000
    return VERSION_1


@pytest.mark.usefixtures("_short_polls")
async def test_status_says_that_the_upload_is_waited_for(harness: Harness) -> None:
    harness.aws.polls = 10_000
    await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for_phase("preparing")
    await harness.wait_for_note(r"^\$LATEST: LastUpdateStatus is InProgress, ", seconds=60)
    harness.aws.polls = 0
    harness.aws.settle(harness.function)
    async with asyncio.timeout(60):
        assert (await harness.rollout.result()).phase == "succeeded"


# --- somebody else's update ---


def start_update(harness: Harness, polls: int) -> None:
    """Let another tool's update of the function be in progress."""
    harness.state.latest["LastUpdateStatus"], harness.state.polls = "InProgress", polls


@pytest.mark.parametrize("keys", [{"artifact": {"kind": "latest"}}, {}])
async def test_update_of_another_tool_is_waited_for(harness: Harness, keys: dict[str, Any]) -> None:
    keys = keys or {"artifact": harness.package("three")}
    start_update(harness, 4)
    end = await harness.release(**keys, **ALL_AT_ONCE, include_latest=True)
    assert end.kind == "Completed", end
    assert harness.state.latest["LastUpdateStatus"] == "Successful"


@pytest.mark.usefixtures("_short_polls")
async def test_wait_for_another_tool_is_in_the_status(harness: Harness) -> None:
    start_update(harness, 10_000)
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)

    await harness.wait_for_phase("preparing")
    await harness.wait_for_note("Somebody else is updating")
    harness.aws.settle(harness.function)
    assert (await harness.finish(handle)).kind == "Completed"


@pytest.mark.usefixtures("_short_polls")
async def test_update_that_takes_too_long_rejects(harness: Harness) -> None:
    start_update(harness, 1_000_000)
    handle = await harness.start("Release", harness.request(artifact=harness.package("three")))
    end = await read_ending(handle, seconds=120)
    assert_rejected(end, harness, "an update of the function is in progress already", "InProgress")


async def test_failed_update_of_another_tool_is_over(harness: Harness) -> None:
    start_update(harness, 2)
    harness.aws.update_fails = "no such image"

    def recover(_: object) -> None:
        harness.aws.update_fails = None

    harness.aws.before("update_function_code", recover)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
