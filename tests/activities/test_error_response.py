"""Failures of the adapter: their codes, faults, delays and messages, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities.aws import Connection
from activities.errors import Fault, classify_error
from tests.activities.adapter import refused
from tests.activities.stub import (
    BROKEN,
    NOT_JSON,
    THROTTLED,
    Answer,
    DropAfter,
    DropBefore,
    ResetAfter,
    Stub,
    Truncated,
)

SECRET = "hunter2-correct-horse"


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        (DropBefore(), "ConnectionClosedError", Fault.UNAVAILABLE),
        (DropAfter(), "ConnectionClosedError", Fault.UNAVAILABLE),
        (ResetAfter(), "HTTPClientError", Fault.UNAVAILABLE),
        (Truncated(), "ConnectionClosedError", Fault.UNAVAILABLE),
        (NOT_JSON, "ResponseParserError", Fault.UNAVAILABLE),
        (Answer(200, body=b'{"Name": "li'), "ResponseParserError", Fault.UNAVAILABLE),
        (BROKEN, "ServiceException", Fault.UNAVAILABLE),
        (Answer(503, body=b"<html>busy</html>"), "Http503", Fault.UNAVAILABLE),
        (Answer(403, body=b"<html>blocked</html>"), "Http403", Fault.DENIED),
        (Answer(407, body=b"<html>who are you?</html>"), "Http407", Fault.DENIED),
        (Answer(511, body=b"<html>sign in</html>"), "Http511", Fault.UNAVAILABLE),
        (Answer(400, body=b"<html>what?</html>"), "Http400", Fault.UNKNOWN),
        (Answer(502, "InvalidZipFileException"), "InvalidZipFileException", Fault.INVALID),
        (THROTTLED, "TooManyRequestsException", Fault.THROTTLED),
        (Answer(412, "PreconditionFailedException"), "PreconditionFailedException", Fault.STALE),
        (Answer(400, "ValidationException"), "ValidationException", Fault.INVALID),
        (Answer(403, "AccessDeniedException"), "AccessDeniedException", Fault.DENIED),
        (
            Answer(413, "RequestEntityTooLargeException"),
            "RequestEntityTooLargeException",
            Fault.EXHAUSTED,
        ),
        (Answer(418, "TeapotException"), "TeapotException", Fault.UNKNOWN),
    ],
)
async def test_failure_has_a_code_and_a_fault(
    aws: Connection, stub: Stub, fault: Any, code: str, kind: Fault
) -> None:
    stub.meets(fault)
    error = await refused(aws, "update_alias", FunctionName="checkout", Name="live")
    assert (error.code, classify_error(error), error.operation) == (code, kind, "update_alias")


async def test_proxys_page_is_not_repeated(aws: Connection, stub: Stub) -> None:
    stub.meets(Answer(403, body=b"<html>Dear user, your token is abc</html>"))
    error = await refused(aws)
    assert error.message == "HTTP 403 without an error code of AWS's"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (THROTTLED, 1),
        (
            Answer(
                429,
                "TooManyRequestsException",
                members={"retryAfterSeconds": "7"},
                headers={"Retry-After": "7"},
            ),
            7,
        ),
        (Answer(429, "TooManyRequestsException"), None),
        (Answer(503, "ServiceUnavailable", headers={"Retry-After": "2"}), 2),
        (
            Answer(
                503, "ServiceUnavailable", headers={"Retry-After": "Sun, 22 Nov 2026 10:00:00 GMT"}
            ),
            None,
        ),
        (Answer(429, "TooManyRequestsException", headers={"Retry-After": "999999"}), 300),
    ],
)
async def test_retry_after_is_awss_in_seconds(
    aws: Connection, stub: Stub, answer: Answer, seconds: float | None
) -> None:
    stub.meets(answer)
    assert (await refused(aws)).retry_after == seconds


async def test_throttle_names_its_limit(aws: Connection, stub: Stub) -> None:
    stub.meets(
        Answer(
            429,
            "TooManyRequestsException",
            "Rate Exceeded.",
            {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"},
        )
    )
    error = await refused(aws, "invoke", FunctionName="checkout", Payload=b"{}")
    assert error.message == "Rate Exceeded. [ReservedFunctionConcurrentInvocationLimitExceeded]"


async def test_throttle_holds_calls_back_for_as_long_as_aws_says(
    aws: Connection, stub: Stub
) -> None:
    stub.meets(THROTTLED)
    await refused(aws)
    begun = asyncio.get_running_loop().time()
    await aws.call("lambda", "get_alias", {"FunctionName": "checkout", "Name": "live"})
    assert asyncio.get_running_loop().time() - begun >= 0.9


async def test_validation_error_names_the_parameter_and_no_value(
    aws: Connection, stub: Stub
) -> None:
    error = await refused(
        aws,
        "update_function_configuration",
        FunctionName="checkout",
        Environment={"Variables": {"PASSWORD": SECRET.encode(), "Other": "x"}},
        Timeout="soon",
    )
    assert classify_error(error) is Fault.INVALID
    assert error.message == (
        "Invalid type for parameter Timeout; "
        "Invalid type for parameter Environment.Variables.PASSWORD"
    ) or set(error.message.split("; ")) == {
        "Invalid type for parameter Timeout",
        "Invalid type for parameter Environment.Variables.PASSWORD",
    }
    assert not stub.requests


async def test_message_that_repeats_an_environment_value_loses_it(
    aws: Connection, stub: Stub
) -> None:
    stub.meets(
        Answer(
            400,
            "ValidationException",
            f"Value '{{PASSWORD={SECRET}}}' at 'environment.variables' failed; {SECRET}",
        )
    )
    error = await refused(
        aws,
        "update_function_configuration",
        FunctionName="checkout",
        Environment={"Variables": {"PASSWORD": SECRET}},
    )
    assert SECRET not in str(error)
    assert "at 'environment.variables' failed" in error.message


async def test_message_that_repeats_a_payload_loses_it(aws: Connection, stub: Stub) -> None:
    payload = b'{"password": "hunter2"}'
    stub.meets(Answer(400, "InvalidRequestContentException", f"Could not parse {payload.decode()}"))
    error = await refused(aws, "invoke", FunctionName="checkout", Payload=payload)
    assert error.message == "Could not parse …"


async def test_long_message_is_cut(aws: Connection, stub: Stub) -> None:
    stub.meets(Answer(400, "ValidationException", "long " * 1000))
    assert len((await refused(aws)).message) == 1000
