"""Bodies of responses, over real HTTP: read to bytes, up to a limit."""

from __future__ import annotations

import pytest

import activities.aws
from activities.aws import Connection
from activities.errors import Fault, classify_error
from tests.activities.adapter import refused
from tests.activities.stub import (
    Stub,
    Truncated,
)


async def test_payload_is_read_to_bytes(aws: Connection) -> None:
    answer = await aws.call("lambda", "invoke", {"FunctionName": "checkout", "Payload": b"{}"})
    assert answer["Payload"] == b'{"ok": true}'
    assert answer["ExecutedVersion"] == "$LATEST"


async def test_response_that_is_too_large_is_given_up(
    aws: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activities.aws, "_MAX_RESPONSE_BYTES", 11)
    error = await refused(aws, "invoke", FunctionName="checkout")
    assert (error.code, classify_error(error)) == ("ResponseTooLarge", Fault.EXHAUSTED)


async def test_payload_that_breaks_off_is_unavailable(aws: Connection, stub: Stub) -> None:
    stub.meets(Truncated())
    error = await refused(aws, "invoke", FunctionName="checkout", Payload=b"{}")
    assert classify_error(error) is Fault.UNAVAILABLE
