"""``Release`` and its ``Rollout``.

Each rolls back what the other leaves when it is terminated.

A terminated rollout may still have writes on their way to AWS. Its release reverts those, too.
"""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

from tests.fake_lambda.interventions import Hold
from tests.harness import ALL_AT_ONCE, CANARY, Ending, Handle, Harness, read_ending

APPROVAL: dict[str, Any] = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
}
WRITES = ["update_function_code", "publish_version"]


async def terminate_rollout(harness: Harness, handle: Handle, hold: Hold) -> Ending:
    """Terminate the rollout at a held call, let the call go on, and finish the release."""
    await harness.wait_for(hold.reached)
    await harness.rollout.terminate("oops")
    hold.release()
    return await harness.finish(handle)


async def release_late(harness: Harness, hold: Hold) -> None:
    """Let a held call go on, and wait until it has taken effect."""
    hold.release()
    await harness.wait_briefly()


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval"])
async def test_terminated_release_is_rolled_back_by_its_rollout(
    harness: Harness, phase: str
) -> None:
    handle = await harness.begin_until(phase, **(CANARY if phase == "baking" else APPROVAL))
    await handle.terminate("out of the way")
    end = await read_ending(harness.rollout)
    assert end.kind == "Canceled"
    harness.assert_restored()


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval"])
async def test_terminated_rollout_is_rolled_back_by_its_release(
    harness: Harness, phase: str
) -> None:
    handle = await harness.begin_until(phase, **(CANARY if phase == "baking" else APPROVAL))
    before = len(harness.aws.calls)
    await harness.rollout.terminate("oops")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "terminated" in end.text
    assert "all traffic is on version 2" in end.text
    assert end.status is not None
    assert (end.status.phase, end.status.stable, end.status.candidate) == ("rolled_back", "2", "3")
    harness.assert_restored()
    assert harness.aws.since(before)[:2] == ["get_alias", "update_alias"]


@pytest.mark.parametrize("write", WRITES)
async def test_rollout_terminated_during_a_write_is_rolled_back(
    harness: Harness, write: str
) -> None:
    hold = harness.aws.hold(write, moment="after")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    end = await terminate_rollout(harness, handle, hold)
    assert end.kind == "ReleaseRolledBack"
    harness.assert_restored()


@pytest.mark.parametrize("write", ["update_alias", "update_function_code"])
async def test_rollout_terminated_during_its_undo_is_rolled_back(
    harness: Harness, write: str
) -> None:
    hold = harness.aws.hold(write, skip=1)
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("abort")
    end = await terminate_rollout(harness, handle, hold)
    assert end.kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_rollout_terminated_before_its_first_write_writes_nothing(harness: Harness) -> None:
    hold = harness.aws.hold("get_function", skip=2)
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    end = await terminate_rollout(harness, handle, hold)
    assert end.kind == "ReleaseRolledBack"
    assert "before it changed anything" in end.text
    assert harness.aws.writes == []


async def test_alias_of_a_terminated_first_release_is_deleted(harness: Harness) -> None:
    del harness.state.aliases["live"]
    harness.aws.hook("smoke", lambda _: {"accept": True})
    hold = harness.aws.hold("create_alias", moment="after")
    handle = await harness.begin(
        artifact=harness.package("three"), hooks={"after_traffic": "smoke"}
    )
    end = await terminate_rollout(harness, handle, hold)
    assert end.kind == "ReleaseRolledBack"
    assert "live" not in harness.state.aliases


async def test_concurrency_of_a_terminated_rollout_is_restored(harness: Harness) -> None:
    harness.aws.apply(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=20
    )
    handle = await harness.begin_until(
        "baking", concurrency={"reserved": 50, "provisioned": 5}, **CANARY
    )
    await harness.rollout.terminate("oops")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()
    assert (harness.state.reserved, harness.state.provisioned) == (20, {})


async def test_foreign_move_after_a_terminate_is_not_overwritten(harness: Harness) -> None:
    harness.aws.before("get_alias", lambda _: harness.move_alias("1"), skip=1)
    handle = await harness.begin_until("baking", **CANARY)
    await harness.rollout.terminate("oops")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert "version 1" in end.text
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_alias_can_be_released_after_a_terminate(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await handle.terminate("oops")
    await read_ending(harness.rollout)
    end = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    assert end.kind == "Completed"


async def test_late_move_of_a_terminated_rollout_is_refused(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await harness.rollout.terminate("oops")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    hold.release()
    await harness.wait_briefly()
    harness.assert_restored()


async def test_late_move_during_the_repair_of_a_terminated_rollout_is_reverted(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias")
    harness.aws.after("get_alias", lambda _: release_late(harness, hold), skip=1)
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await harness.rollout.terminate("oops")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()


async def test_late_creation_of_the_alias_of_a_terminated_rollout_is_reverted(
    harness: Harness,
) -> None:
    del harness.state.aliases["live"]
    hold = harness.aws.hold("create_alias")
    # The read of the undo, after the wait for late writes.
    harness.aws.before("get_alias", lambda _: release_late(harness, hold), skip=3)
    handle = await harness.begin(artifact=harness.package("three"))
    await harness.wait_for(hold.reached)
    await harness.rollout.terminate("oops")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert "live" not in harness.state.aliases


@pytest.mark.parametrize("operation", ["put_function_concurrency", "update_function_code"])
async def test_late_writes_of_a_terminated_rollout_are_reverted(
    harness: Harness, operation: str
) -> None:
    hold = harness.aws.hold(operation)
    keys: dict[str, Any] = {"artifact": harness.package("three"), "concurrency": {"reserved": 50}}
    handle = await harness.begin(**keys, **CANARY)
    await harness.wait_for(hold.reached)
    await harness.rollout.terminate("oops")

    async def has_timer() -> bool:
        events = (await handle.fetch_history()).events
        return any(event.HasField("timer_started_event_attributes") for event in events)

    await harness.wait_until(has_timer)
    hold.release()
    await harness.wait_briefly()
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.reserved is None
    harness.assert_restored()


async def test_deleted_rollout_ends_the_release(
    harness: Harness,
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=harness.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=harness.rollout_id),
        )
    )
    end = await read_ending(handle)
    assert end.kind == "RollbackFailed", end
    assert harness.rollout_id in end.text


async def test_cancel_during_the_repair_of_a_terminated_rollout_is_canceled(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin_until("baking", **CANARY)
    await harness.rollout.terminate("oops")
    await harness.wait_for(hold.reached)
    await handle.cancel()
    hold.release()
    end = await harness.finish(handle)
    assert end.kind == "Canceled", end
    harness.assert_restored()


async def test_second_release_of_the_alias_is_rejected(
    harness: Harness,
) -> None:
    first = await harness.begin_until("baking", **CANARY)
    before = len(harness.aws.calls)
    end = await harness.release(artifact=harness.package("four"), **CANARY)
    assert end.kind == "ReleaseRejected"
    assert f"is being released already: {harness.rollout_id}" in end.text
    assert harness.aws.since(before) == ["get_function"]
    assert (await harness.finish(first)).kind == "Completed"


async def test_other_alias_of_the_function_can_be_released(harness: Harness) -> None:
    harness.aws.apply(
        "create_alias", FunctionName=harness.function, Name="beta", FunctionVersion="2"
    )
    first = await harness.begin_until("baking", **CANARY)
    target = {"function": harness.function, "alias": "beta"}
    end = await read_ending(
        await harness.start(
            "Release", {"target": target, "artifact": {"kind": "version", "version": "1"}}
        )
    )
    assert end.kind == "Completed"
    assert (await harness.finish(first)).kind == "Completed"


async def test_function_is_found_by_its_arn_and_its_partial_arn(harness: Harness) -> None:
    for name in (
        f"arn:aws:lambda:eu-central-1:123456789012:function:{harness.function}",
        f"123456789012:function:{harness.function}",
    ):
        request = {"target": {"function": name}, "artifact": {"kind": "version", "version": "2"}}
        end = await read_ending(await harness.start("Release", request))
        assert end.kind == "Completed"
        assert end.status is not None
        assert end.status.target.function == harness.function
    assert (await harness.rollout.describe()).id == harness.rollout_id


async def test_release_ends_as_its_rollout(harness: Harness) -> None:
    harness.aws.fail("publish_version", "ValidationException")
    outer = await read_ending(
        await harness.start("Release", harness.request(artifact=harness.package("three")))
    )
    inner = await read_ending(harness.rollout)
    assert inner.status is not None
    status = inner.status.model_copy(update={"rollout": harness.rollout_id})
    assert (outer.kind, outer.text, outer.status) == (inner.kind, inner.text, status)
