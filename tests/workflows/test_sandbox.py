"""The sandbox that workflows run in: asked where a payload belongs only by whoever wants to know."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Self
from uuid import uuid4

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
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
from tests.harness import ALL_AT_ONCE
from workflows.temporal.plugin import LambdaReleases
from workflows.temporal.sandbox import make_sandboxed_runner, drop_serialization_context


class Sealing(PayloadCodec, WithSerializationContext):
    """A codec for which a payload belongs to the workflow, or the activity, that it was written for, as an encryption with bound data has it."""

    def __init__(self, seal: bytes = b"") -> None:
        self._seal = seal

    def with_context(self, context: SerializationContext) -> Self:
        return type(self)(
            f"{getattr(context, 'workflow_id', '')}/{getattr(context, 'activity_type', '')}".encode()
        )

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


async def test_a_codec_that_binds_payloads_to_where_they_belong_is_told_where(
    temporal: WorkflowEnvironment, aws: FakeLambda
) -> None:
    aws.create("sealed", "one", "two")
    converter = dataclasses.replace(temporal.client.data_converter, payload_codec=Sealing())
    client = await Client.connect(
        temporal.client.service_client.config.target_host,
        namespace=temporal.client.namespace,
        data_converter=converter,
        plugins=[LambdaReleases()],
    )
    asked = {
        "target": {"function": "sealed"},
        "artifact": {"kind": "version", "version": "1"},
        **ALL_AT_ONCE,
    }
    async with Worker(client, task_queue="sealed", activities=list_operations(aws)):
        handle = await client.start_workflow(
            "Release", asked, id=f"sealed-{uuid4()}", task_queue="sealed"
        )
        await handle.result()
    assert aws.routing("sealed") == ("1", {})
    seals = {
        payload.metadata["seal"]
        async for event in handle.fetch_history_events()
        for payload in event.workflow_execution_started_event_attributes.input.payloads
    }
    assert seals == {f"{handle.id}/".encode()}


def test_it_is_asked_nothing_where_nobody_wants_to_know() -> None:
    runner = make_sandboxed_runner(None)
    assert (
        drop_serialization_context(runner, dataclasses.replace(DataConverter.default, payload_codec=Sealing()))
        is runner
    )
    quiet = drop_serialization_context(runner, DataConverter.default)
    assert quiet is not runner
    assert isinstance(quiet, SandboxedWorkflowRunner)
    assert quiet.restrictions == runner.restrictions
