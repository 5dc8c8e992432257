"""Temporal's cancel: whenever it comes, the release is rolled back."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowExecutionStatus
from temporalio.converter import PayloadCodec
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from tests.fake_lambda import FakeLambda
from tests.harness import ALL_AT_ONCE, CANARY, Harness, connect_with_codec, read_ending

APPROVAL: dict[str, Any] = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
}
WRITES = ["update_function_code", "publish_version", "update_alias"]


class Base64Codec(PayloadCodec):
    """A codec, as one that encrypts would be."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                metadata={"encoding": b"base64"}, data=base64.b64encode(each.SerializeToString())
            )
            for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload.FromString(base64.b64decode(each.data))
            if each.metadata.get("encoding") == b"base64"
            else each
            for each in payloads
        ]


@pytest.mark.parametrize("whom", ["release", "rollout"])
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_cancel_waits_for_a_write_and_then_reverts_it(
    harness: Harness, whom: str, write: str, moment: Any
) -> None:
    hold = harness.aws.hold(write, moment=moment)
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **ALL_AT_ONCE)
    )
    await harness.wait_for(hold.reached)
    await harness.cancel(handle if whom == "release" else harness.rollout)
    await harness.wait_briefly()
    assert harness.aws.calls[-1].operation == write  # nothing overtakes it
    hold.release()
    end = await read_ending(handle)
    assert end.kind == ("Canceled" if whom == "release" else "ReleaseRolledBack")
    assert (await harness.rollout.describe()).status is WorkflowExecutionStatus.CANCELED
    assert not {
        "update_function_code": {"publish_version"},
        "publish_version": {"update_alias"},
    }.get(write, set()) & {*harness.aws.operations}
    harness.assert_restored()


@pytest.mark.parametrize("phase", ["baking", "awaiting_approval", "paused"])
async def test_cancel_while_waiting_restores_everything(harness: Harness, phase: str) -> None:
    handle = await harness.begin(
        artifact=harness.package("three"), **(CANARY if phase != "awaiting_approval" else APPROVAL)
    )
    await harness.wait_for_phase("baking" if phase == "paused" else phase)
    if phase == "paused":
        await harness.send("pause")
    await handle.cancel(reason="enough")
    end = await read_ending(handle)
    assert end.kind == "Canceled"
    for ending in (end, await read_ending(harness.rollout)):
        assert ending.status is not None
        assert (ending.status.phase, ending.status.stable, ending.status.candidate) == (
            "rolled_back",
            "2",
            "3",
        )
        assert "cancelled: enough; all traffic is on version 2" in ending.status.note
    harness.assert_restored()


async def test_cancel_before_the_rollout_leaves_its_status(harness: Harness) -> None:
    hold = harness.aws.hold("get_function")
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for(hold.reached)
    await handle.cancel()
    hold.release()
    end = await read_ending(handle)
    assert end.kind == "Canceled"
    assert end.status is not None
    assert (end.status.phase, end.status.target.function) == ("rolled_back", harness.function)
    assert "nothing had been changed" in end.status.note
    assert harness.aws.writes == []


async def test_status_after_a_cancel_is_encrypted_like_the_rest(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.create("sealed-cancel", "one", "two")
    client = await connect_with_codec(temporal, Base64Codec())
    request = {
        "target": {"function": "sealed-cancel"},
        "artifact": {"kind": "version", "version": "1"},
        **APPROVAL,
    }
    async with Worker(client, task_queue="sealed-cancel", activities=list_operations(aws)):
        handle = await client.start_workflow(
            "Release", request, id=f"sealed-cancel-{uuid4()}", task_queue="sealed-cancel"
        )
        await handle.cancel()
        end = await read_ending(handle)
    assert end.kind == "Canceled"
    assert end.status is not None
    assert end.status.phase == "rolled_back"
    events = [event async for event in handle.fetch_history_events()]
    [detail] = events[-1].workflow_execution_canceled_event_attributes.details.payloads
    assert detail.metadata["encoding"] == b"base64"


async def test_cancel_of_the_rollout_rolls_the_release_back(
    harness: Harness,
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.rollout.cancel()
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    harness.assert_restored()


@pytest.mark.parametrize("reads", [0, 2], ids=["first read", "last read before a write"])
async def test_cancel_during_a_read_changes_nothing(harness: Harness, reads: int) -> None:
    hold = harness.aws.hold("get_function", skip=reads)
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await handle.cancel()
    assert (await read_ending(handle)).kind == "Canceled"  # a read is not waited for
    hold.release()
    assert harness.aws.writes == []


async def test_cancel_during_the_undo_does_not_stop_it(harness: Harness) -> None:
    harness.aws.fail("update_alias", "ServiceException", skip=1)
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("abort")
    await harness.wait_for(hold.reached)
    await handle.cancel()
    await harness.rollout.cancel()
    hold.release()
    end = await harness.finish(handle)
    assert end.kind == "Canceled"
    harness.assert_restored()


async def test_cancel_does_not_overtake_the_write_that_an_abort_waits_for(
    harness: Harness,
) -> None:
    hold = harness.aws.hold("update_alias")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    await harness.send("abort")
    await handle.cancel()
    await harness.rollout.cancel()
    await harness.wait_briefly()
    assert harness.aws.calls[-1].operation == "update_alias"
    hold.release()
    assert (await read_ending(handle)).kind == "Canceled"
    harness.assert_restored()


async def test_second_cancel_changes_nothing(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias", skip=1)
    handle = await harness.begin_until("baking", **CANARY)
    await handle.cancel()
    await harness.wait_for(hold.reached)
    await handle.cancel()
    await harness.rollout.cancel()
    hold.release()
    assert (await read_ending(handle)).kind == "Canceled"
    harness.assert_restored()


async def test_cancel_is_the_reason_in_the_note(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await handle.cancel()
    await read_ending(handle)
    status = await harness.status()
    assert status.phase == "rolled_back"
    assert "cancelled" in status.note
    assert status.routing.percent == 0


async def test_cancel_after_the_end_leaves_the_candidate_live(harness: Harness) -> None:
    hold = harness.aws.hold("update_alias")
    handle = await harness.begin(artifact=harness.package("three"), **ALL_AT_ONCE)
    await harness.wait_for(hold.reached)
    hold.release()
    assert (await read_ending(handle)).kind == "Completed"
    await handle.cancel()
    assert harness.aws.routing(harness.function) == ("3", {})


@pytest.mark.parametrize(
    "write", ["put_function_concurrency", "put_provisioned_concurrency_config"]
)
async def test_cancel_with_nothing_to_release_restores_concurrency(
    harness: Harness, write: str
) -> None:
    hold = harness.aws.hold(write)
    handle = await harness.start(
        "Release",
        harness.request(
            artifact=harness.package("two"), concurrency={"reserved": 50, "provisioned": 5}
        ),
    )
    await harness.wait_for(hold.reached)
    await harness.cancel(handle)
    hold.release()
    assert (await read_ending(handle)).kind == "Canceled"
    harness.assert_restored()
    assert (harness.state.reserved, harness.state.provisioned) == (None, {})
    details = await harness.rollout.query("__temporal_workflow_metadata")
    assert "Nothing to do" not in str(details)
