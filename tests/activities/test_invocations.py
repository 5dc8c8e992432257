"""Invocations: once or not at all, with as much response as a history may hold."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.errors import AwsError
from activities.invocations import MAX_PAYLOAD_BYTES, Invocations, InvokeAsyncRequest, InvokeRequest
from activities.operation import ONCE, get_operation_policy
from tests.activities.operations import on_attempt
from tests.fake_lambda import FakeLambda

INVOKE = InvokeRequest(function_name="checkout", payload=b"{}")
ASYNC = InvokeAsyncRequest(function_name="checkout", invoke_args=b"{}")


@pytest.fixture
def invocations(port: FakeLambda) -> Invocations:
    port.create("checkout")
    return Invocations(port)


@pytest.mark.parametrize(("name", "request_"), [("invoke", INVOKE), ("invoke_async", ASYNC)])
async def test_second_attempt_sends_nothing_and_says_why(
    port: FakeLambda, invocations: Invocations, name: str, request_: Any
) -> None:
    with pytest.raises(
        ApplicationError, match="may have run already, and was not invoked again"
    ) as refused:
        await on_attempt(2, getattr(invocations, name), request_)
    assert (refused.value.type, refused.value.non_retryable) == ("Unavailable", True)
    assert port.requests == []


@pytest.mark.parametrize(("name", "request_"), [("invoke", INVOKE), ("invoke_async", ASYNC)])
async def test_lost_response_is_not_tried_again(
    port: FakeLambda, invocations: Invocations, name: str, request_: Any
) -> None:
    port.lose(name)
    with pytest.raises(ApplicationError, match="Unavailable") as lost:
        await on_attempt(1, getattr(invocations, name), request_)
    assert (lost.value.type, lost.value.non_retryable) == ("Unavailable", True)
    assert len(port.invocations) == 1
    assert get_operation_policy(getattr(Invocations, name)) is ONCE


async def test_throttled_invocation_is_not_tried_again(
    port: FakeLambda, invocations: Invocations
) -> None:
    port.respond(
        "invoke",
        AwsError("invoke", "TooManyRequestsException", "slow down", status=429, retry_after=1),
    )
    with pytest.raises(ApplicationError, match="Throttled") as throttled:
        await on_attempt(1, invocations.invoke, INVOKE)
    assert (throttled.value.type, throttled.value.non_retryable) == ("Throttled", True)


async def test_function_error_is_a_response_and_no_failure(
    port: FakeLambda, invocations: Invocations
) -> None:
    port.respond(
        "invoke",
        {
            "StatusCode": 200,
            "FunctionError": "Unhandled",
            "Payload": b'{"errorMessage": "no"}',
            "ExecutedVersion": "7",
        },
    )
    answer = await on_attempt(1, invocations.invoke, INVOKE)
    assert (answer.function_error, answer.payload, answer.executed_version) == (
        "Unhandled",
        b'{"errorMessage": "no"}',
        "7",
    )


async def test_log_tail_is_text_and_short(port: FakeLambda, invocations: Invocations) -> None:
    log = "START\n" + "ä" * 8_000 + "\nEND"
    port.respond(
        "invoke", {"StatusCode": 200, "LogResult": base64.b64encode(log.encode()).decode()}
    )
    found = (await on_attempt(1, invocations.invoke, INVOKE)).log_result
    assert found.endswith("\nEND")
    assert len(found) <= 4_096
    port.respond("invoke", {"StatusCode": 200, "LogResult": "not base64!"})
    assert (await on_attempt(1, invocations.invoke, INVOKE)).log_result is None


@pytest.mark.parametrize(
    ("size", "cut"),
    [(MAX_PAYLOAD_BYTES, False), (MAX_PAYLOAD_BYTES + 1, True), (6 * MAX_PAYLOAD_BYTES, True)],
)
async def test_payload_is_cut_to_what_a_history_holds_and_says_so(
    port: FakeLambda,
    invocations: Invocations,
    size: int,
    cut: bool,
) -> None:
    port.respond("invoke", {"StatusCode": 200, "Payload": b"x" * size})
    answer = await on_attempt(1, invocations.invoke, INVOKE)
    assert (len(answer.payload), answer.payload_truncated) == (min(size, MAX_PAYLOAD_BYTES), cut)
    assert len(answer.model_dump_json()) < 2_000_000


async def test_event_is_queued(port: FakeLambda, invocations: Invocations) -> None:
    assert (await on_attempt(1, invocations.invoke_async, ASYNC)).status == 202
    port.respond("invoke", {"StatusCode": 202, "Payload": b""})
    answer = await on_attempt(
        1, invocations.invoke, INVOKE.model_copy(update={"invocation_type": "Event"})
    )
    assert (answer.status_code, answer.payload) == (202, b"")


def test_payload_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(
        InvokeRequest(function_name="f", payload=b"hunter2", client_context="hunter2")
    )
    assert "hunter2" not in repr(InvokeAsyncRequest(function_name="f", invoke_args=b"hunter2"))
