"""The workflow sandbox.

Serialization contexts are made only for converters that use them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Self
from uuid import uuid4

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
)
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities import list_operations
from tests.fake_lambda import FakeLambda
from tests.harness import ALL_AT_ONCE, connect_with_codec
from workflows.temporal.sandbox import drop_serialization_context, make_sandboxed_runner


class SealingCodec(PayloadCodec, WithSerializationContext):
    """A codec that binds each payload to its workflow and activity."""

    def __init__(self, seal: bytes = b"") -> None:
        self._seal = seal

    def with_context(self, context: SerializationContext) -> Self:
        workflow, activity = (
            getattr(context, name, "") for name in ("workflow_id", "activity_type")
        )
        return type(self)(f"{workflow}/{activity}".encode())

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                metadata={"encoding": b"sealed", "seal": self._seal}, data=each.SerializeToString()
            )
            for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._open(each) for each in payloads]

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != b"sealed":
            return payload
        assert payload.metadata["seal"] == self._seal
        return Payload.FromString(payload.data)


async def test_codec_with_a_context_gets_the_workflow_id(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.create("sealed", "one", "two")
    client = await connect_with_codec(temporal, SealingCodec())
    request = {
        "target": {"function": "sealed"},
        "artifact": {"kind": "version", "version": "1"},
        **ALL_AT_ONCE,
    }
    async with Worker(client, task_queue="sealed", activities=list_operations(aws)):
        handle = await client.start_workflow(
            "Release", request, id=f"sealed-{uuid4()}", task_queue="sealed"
        )
        await handle.result()
    assert aws.routing("sealed") == ("1", {})
    seals = {
        payload.metadata["seal"]
        async for event in handle.fetch_history_events()
        for payload in event.workflow_execution_started_event_attributes.input.payloads
    }
    assert seals == {f"{handle.id}/".encode()}


def test_serialization_context_is_dropped_where_no_codec_needs_it() -> None:
    runner = make_sandboxed_runner(None)
    assert (
        drop_serialization_context(
            runner, dataclasses.replace(DataConverter.default, payload_codec=SealingCodec())
        )
        is runner
    )
    plain = drop_serialization_context(runner, DataConverter.default)
    assert plain is not runner
    assert isinstance(plain, SandboxedWorkflowRunner)
    assert plain.restrictions == runner.restrictions
