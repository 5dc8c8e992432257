"""Cancel and terminate: whatever is killed, and when, the alias is put back."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.fakes.rules import Hold
from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness, read_ending

STEPS: dict[str, Any] = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
}
WRITES = ["update_function_code", "publish_version", "update_alias"]


def back(harness: Harness) -> None:
    """Everything is as it was."""
    assert harness.aws.routing(harness.function) == ("2", {})
    assert harness.state.latest["CodeSha256"] == harness.state.versions["2"]["CodeSha256"]


async def reached(harness: Harness, hold: Hold) -> None:
    await harness.wait_for(hold.reached)


async def over(handle: Handle) -> WorkflowExecutionStatus | None:
    return (await handle.describe()).status


@pytest.mark.parametrize("whom", ["release", "rollout"])
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_cancel_during_a_write_waits_for_it_and_then_puts_it_back(
    harness: Harness, whom: str, write: str, moment: Any
) -> None:
    hold = harness.aws.hold(write, moment=moment)
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **ALL_AT_ONCE)
    )
    await reached(harness, hold)
    await (handle if whom == "release" else harness.rollout).cancel()
    await harness.wait_briefly()
    assert harness.aws.calls[-1].operation == write  # nothing overtakes it
    hold.release()
    end = await read_ending(handle)
    assert end.kind == ("Canceled" if whom == "release" else "ReleaseRolledBack")
    assert await over(harness.rollout) is WorkflowExecutionStatus.CANCELED
    assert not {
        "update_function_code": {"publish_version"},
        "publish_version": {"update_alias"},
    }.get(write, set()) & {*harness.aws.operations}
    back(harness)


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval", "paused"])
async def test_a_cancel_while_it_waits_puts_everything_back(harness: Harness, phase: str) -> None:
    handle = await harness.begin(
        artifact=harness.package("three"), **(CANARY if phase != "awaiting_approval" else STEPS)
    )
    await harness.wait_for_phase("baking" if phase == "paused" else phase)
    if phase == "paused":
        await harness.send("pause")
    await handle.cancel()
    end = await read_ending(handle)
    assert end.kind == "Canceled"
    back(harness)


async def test_a_cancel_of_the_rollout_alone_ends_the_release_as_rolled_back(
    harness: Harness,
) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.rollout.cancel()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(harness)


async def test_a_cancel_before_anything_was_changed_changes_nothing(harness: Harness) -> None:
    hold = harness.aws.hold("get_function", skip=2)
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await reached(harness, hold)
    await handle.cancel()
    assert (await read_ending(handle)).kind == "Canceled"  # nobody waits for a read
    hold.release()
    assert harness.aws.writes == []


async def test_a_cancel_while_the_function_is_looked_for_starts_nothing(harness: Harness) -> None:
    hold = harness.aws.hold("get_function")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await reached(harness, hold)
    await handle.cancel()
    assert (await read_ending(handle)).kind == "Canceled"  # nobody waits for a read
    hold.release()
    assert harness.aws.writes == []


async def test_a_cancel_during_the_undo_does_not_stop_it(harness: Harness) -> None:
    harness.aws.fail("update_alias", "ServiceException", skip=1)
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.send("abort")
    await reached(harness, hold)
    await handle.cancel()
    await harness.rollout.cancel()
    hold.release()
    end = await harness.finish(handle)
    assert end.kind == "Canceled"
    back(harness)


async def test_a_cancel_while_an_abort_waits_for_a_write_does_not_overtake_it(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await reached(harness, hold)
    await harness.send("abort")
    await handle.cancel()
    await harness.rollout.cancel()
    await harness.wait_briefly()
    assert harness.aws.calls[-1].operation == "update_alias"
    hold.release()
    assert (await read_ending(handle)).kind == "Canceled"
    back(harness)


async def test_a_second_cancel_changes_nothing(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await handle.cancel()
    await reached(harness, hold)
    await handle.cancel()
    await harness.rollout.cancel()
    hold.release()
    assert (await read_ending(handle)).kind == "Canceled"
    back(harness)


async def test_a_cancel_tells_why_the_release_was_stopped(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await handle.cancel()
    await read_ending(handle)
    status = await harness.status()
    assert status.phase == "rolled_back"
    assert "cancelled" in status.note
    assert status.routing.percent == 0


async def test_a_cancel_that_comes_too_late_leaves_the_candidate_live(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await reached(harness, hold)
    hold.release()
    assert (await read_ending(handle)).kind == "Completed"
    await handle.cancel()
    assert harness.aws.routing(harness.function) == ("3", {})


# --- terminate -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval"])
async def test_terminating_the_release_makes_its_rollout_put_everything_back(
    harness: Harness, phase: str
) -> None:
    handle = await harness.begin(
        artifact=harness.package("three"), **(CANARY if phase == "baking" else STEPS)
    )
    await harness.wait_for_phase(phase)
    await handle.terminate("out of the way")
    end = await read_ending(harness.rollout)
    assert end.kind == "Canceled"
    back(harness)


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval"])
async def test_terminating_the_rollout_makes_the_release_put_everything_back(
    harness: Harness, phase: str
) -> None:
    handle = await harness.begin(
        artifact=harness.package("three"), **(CANARY if phase == "baking" else STEPS)
    )
    await harness.wait_for_phase(phase)
    before = len(harness.aws.calls)
    await harness.rollout.terminate("oops")
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "terminated" in end.text
    assert "all traffic is on version 2" in end.text
    assert end.status is not None
    assert (end.status.phase, end.status.stable, end.status.candidate) == ("rolled_back", "2", "3")
    back(harness)
    assert harness.aws.since(before)[:2] == ["get_alias", "update_alias"]


@pytest.mark.parametrize("write", WRITES)
async def test_terminating_the_rollout_during_a_write_puts_everything_back(
    harness: Harness, write: str
) -> None:
    hold = harness.aws.hold(write, moment="after")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(harness)


async def test_terminating_the_rollout_in_the_middle_of_its_undo_is_mended(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.send("abort")
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(harness)


async def test_terminating_the_rollout_after_the_alias_is_back_still_restores_the_rest(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_function_code", skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.send("abort")
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    back(harness)


async def test_terminating_the_rollout_before_it_wrote_anything_writes_nothing(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("get_function", skip=2)
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "before it changed anything" in end.text
    assert harness.aws.writes == []


async def test_terminating_the_rollout_of_a_first_release_takes_the_alias_away(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    hold = harness.aws.hold("create_alias", moment="after")
    handle = await harness.begin(artifact=harness.package("three"))
    await reached(harness, hold)
    await harness.rollout.terminate("oops")
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "live" not in harness.state.aliases


async def test_terminating_the_rollout_restores_concurrency(harness: Harness) -> None:
    harness.aws.somebody(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=20
    )
    handle = await harness.begin(
        artifact=harness.package("three"), concurrency={"reserved": 50, "provisioned": 5}, **CANARY
    )
    await harness.wait_for_phase("baking")
    await harness.rollout.terminate("oops")
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    back(harness)
    assert (harness.state.reserved, harness.state.provisioned) == (20, {})


async def test_what_somebody_else_did_after_a_terminate_is_left_alone(harness: Harness) -> None:
    def somebody(_: object) -> None:
        harness.aws.somebody(
            "update_alias",
            FunctionName=harness.function,
            Name="live",
            FunctionVersion="1",
            RoutingConfig={},
        )

    harness.aws.before("get_alias", somebody, skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.rollout.terminate("oops")
    end = await read_ending(handle)
    assert end.kind == "RollbackFailed"
    assert "version 1" in end.text
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_after_a_terminate_the_alias_can_be_released_again(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await handle.terminate("oops")
    await read_ending(harness.rollout)
    assert (
        await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    ).kind == "Completed"
