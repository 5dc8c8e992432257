"""``Release`` and ``Rollback`` answer the query and take the updates of their ``Rollout``."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from tests.fake_lambda import FakeLambda
from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness, read_ending
from workflows.client.update import execute_update
from workflows.domain.status import ReleaseStatus
from workflows.temporal import rollout_queries
from workflows.temporal.plugin import LambdaReleases

APPROVAL: dict[str, Any] = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
}
BY_ANA = {"by": "ana"}


async def ask(handle: Handle) -> ReleaseStatus:
    """The status, by the id of the release."""
    answer: ReleaseStatus = await handle.query("status", result_type=ReleaseStatus)
    return answer


async def ask_until(handle: Handle, phase: str) -> ReleaseStatus:
    """Ask until the rollout answers with this phase: on a loaded machine it may take a second."""
    async with asyncio.timeout(60):
        while (status := await ask(handle)).phase != phase or status.candidate is None:
            await asyncio.sleep(0.1)
    return status


async def refuse(handle: Handle, update: str, *inputs: Any) -> str:
    """Send an update that must be refused; return the reason."""
    with pytest.raises(WorkflowUpdateFailedError, match="update failed") as refusal:
        await execute_update(handle, update, *inputs)
    cause = refusal.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "Refused", cause
    return cause.message


async def list_kinds(handle: Handle) -> list[EventType.ValueType]:
    """The types of the events of a history."""
    return [event.event_type for event in (await handle.fetch_history()).events]


# --- The query ----------------------------------------------------------------------------------


async def test_status_of_a_baking_release_is_that_of_its_rollout(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    status = await ask_until(handle, "baking")
    expected = await harness.status()
    assert status == expected.model_copy(update={"rollout": harness.rollout_id})
    assert (status.candidate, status.routing.percent) == ("3", 10)
    await harness.send("pause")
    assert (await ask(handle)).paused


async def test_status_is_as_listed_where_too_many_ask(
    temporal: WorkflowEnvironment, aws: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout_queries, "_MOST_AT_ONCE", 0)
    aws.create("crowded", "one", "two")
    client = await Client.connect(
        temporal.client.service_client.config.target_host,
        namespace=temporal.client.namespace,
        plugins=[LambdaReleases()],
    )
    request = {
        "target": {"function": "crowded"},
        "artifact": {"kind": "version", "version": "1"},
        **APPROVAL,
    }
    async with Worker(client, task_queue="crowded", activities=list_operations(aws)):
        handle: Handle = await client.start_workflow(
            "Release",
            request,
            id=f"crowded-{uuid4()}",
            task_queue="crowded",
            result_type=ReleaseStatus,
        )
        status = await ask_until(handle, "awaiting_approval")
        assert (status.candidate, status.routing.percent) == ("1", 10)
        assert status.note.startswith("as Temporal lists it")
        await execute_update(handle, "pause")
        assert (await ask(handle)).paused
        await execute_update(handle, "abort")
        assert (await read_ending(handle)).kind == "ReleaseRolledBack"


async def test_status_of_an_ended_release_is_its_result(harness: Harness) -> None:
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **ALL_AT_ONCE)
    )
    end = await read_ending(handle)
    assert await ask(handle) == end.status
    assert end.status is not None
    assert (end.status.phase, end.status.rollout) == ("succeeded", harness.rollout_id)


async def test_status_of_a_rejected_release_has_its_problems(harness: Harness) -> None:
    handle = await harness.start("Rollback", harness.request(version="77"))
    end = await read_ending(handle)
    assert end.kind == "ReleaseRejected"
    assert end.status is not None
    assert await ask(handle) == end.status
    assert end.status.problems


async def test_status_before_the_rollout_is_that_of_the_request(harness: Harness) -> None:
    hold = harness.aws.hold("get_function")
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    status = await ask(handle)
    assert (status.phase, status.rollout, status.steps) == ("preparing", None, 2)
    hold.release()
    await handle.cancel()
    await read_ending(handle)


async def test_status_is_not_that_of_the_next_release_of_the_alias(harness: Harness) -> None:
    first = await harness.begin_until("baking", **CANARY)
    await harness.rollout.terminate("oops")
    assert (await harness.finish(first)).kind == "ReleaseRolledBack"
    second = await harness.begin_until("baking", artifact=harness.package("four"), **CANARY)
    assert (await ask(first)).phase == "rolled_back"
    assert (await ask_until(second, "baking")).candidate == "4"


async def test_details_of_a_release_are_those_of_its_rollout(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await ask_until(handle, "baking")
    found = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert harness.rollout_id in found.current_details
    assert "10%" in found.current_details


# --- The updates --------------------------------------------------------------------------------


async def test_control_of_a_release_is_handed_on(harness: Harness) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    status = await execute_update(handle, "pause", {"by": "ana", "reason": "p99"})
    assert (status.paused, status.rollout) == (True, harness.rollout_id)
    assert "ana: p99" in (await harness.status()).note
    assert "paused already" in await refuse(handle, "pause", BY_ANA)
    assert not (await execute_update(handle, "resume", BY_ANA)).paused
    assert "Approved by bo" in (await execute_update(handle, "approve", {"by": "bo"})).note
    assert (await harness.finish(handle)).kind == "Completed"


@pytest.mark.parametrize("workflow", ["Release", "Rollback"])
async def test_abort_of_a_release_puts_the_alias_back(harness: Harness, workflow: str) -> None:
    hold = harness.aws.hold("get_alias")
    keys = {"artifact": harness.package("three")} if workflow == "Release" else {"version": "1"}
    handle = await harness.begin(workflow, **keys)
    await harness.wait_for(hold.reached)
    await execute_update(handle, "abort", {"by": "ana", "reason": "no"})
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "aborted by ana: no" in end.text
    harness.assert_restored()


async def test_abort_before_the_rollout_ends_the_release(harness: Harness) -> None:
    hold = harness.aws.hold("get_function")
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    assert "only abort" in await refuse(handle, "pause", BY_ANA)
    status = await execute_update(handle, "abort", {"by": "ana"})
    hold.release()
    assert (status.phase, status.note) == ("rejected", "aborted by ana")
    end = await read_ending(handle)
    assert (end.kind, end.text) == ("ReleaseRejected", "aborted by ana")
    assert harness.aws.writes == []


async def test_update_with_the_same_id_is_handed_on_once(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    for _ in range(2):
        status: ReleaseStatus = await handle.execute_update(
            "pause", BY_ANA, id="once", result_type=ReleaseStatus
        )
        assert status.paused
    kinds = await list_kinds(harness.rollout)
    assert kinds.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED) == 1


async def test_control_of_a_release_whose_rollout_was_killed_is_refused(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    hold = harness.aws.hold("update_alias")
    await harness.rollout.terminate("oops")
    await harness.wait_for(hold.reached)
    assert "terminated" in await refuse(handle, "pause", BY_ANA)
    assert (await ask(handle)).phase == "rolling_back"
    hold.release()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"


async def test_release_that_is_not_steered_has_no_more_events(harness: Harness) -> None:
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **ALL_AT_ONCE)
    )
    await read_ending(handle)
    await ask(handle)
    kinds = await list_kinds(handle)
    assert kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == 1
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED not in kinds


# --- Their inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["release", "rollout"])
@pytest.mark.parametrize("inputs", [(), (None,)])
async def test_control_needs_no_input(harness: Harness, door: str, inputs: tuple[Any, ...]) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVAL)
    address = handle if door == "release" else harness.rollout
    last = "approve" if door == "release" else "abort"
    for update in ("pause", "resume", last):
        assert "by unknown" in (await execute_update(address, update, *inputs)).note
    end = await harness.finish(handle)
    assert end.kind == ("Completed" if last == "approve" else "ReleaseRolledBack")


@pytest.mark.parametrize("update", ["paus", "status"])
async def test_unknown_update_is_refused_as_any_other(harness: Harness, update: str) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    for address in (handle, harness.rollout):
        before = await harness.history_length(address)
        with pytest.raises(WorkflowUpdateFailedError, match="update failed") as refusal:
            await execute_update(address, update, BY_ANA)
        cause = refusal.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type == "Refused"
        assert "there are approve, pause" in cause.message
        assert await harness.history_length(address) == before
