"""The payload converter: inputs that it cannot decode end the workflow at once."""

from __future__ import annotations

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowExecutionStatus

from tests.harness import Harness, read_ending


@pytest.mark.parametrize(
    "encoding",
    [
        "binary/plain",
        "json/protobuf",
        "binary/protobuf",
        "json/unheard-of",
        "binary/encrypted",  # which names no key
    ],
)
@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
async def test_input_in_another_encoding_is_refused(
    harness: Harness, workflow: str, encoding: str
) -> None:
    payload = Payload(
        metadata={"encoding": encoding.encode(), "messageType": b"temporal.api.common.v1.Payload"},
        data=b"{}",
    )
    handle = await harness.start_raw(workflow, payload)
    end = await read_ending(handle)
    assert end.kind == "ReleaseRejected", end
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED


@pytest.mark.parametrize("data", [b"{", b"", b"\xff", b'{"target": NaN}', b"[" * 5000])
async def test_input_that_is_not_json_is_refused(harness: Harness, data: bytes) -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=data)
    handle = await harness.start_raw("Release", payload)
    end = await read_ending(handle)
    assert end.kind == "ReleaseRejected", end
