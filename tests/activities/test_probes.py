"""Probes: one request to one version, once or not at all, without secrets in the result."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.aws import Connection
from activities.errors import AwsError
from activities.limits.rate import Limits, TokenBucket
from activities.operation import ONCE, get_operation_policy
from activities.probes import (
    ProbeFunctionRequest,
    ProbeFunctionResponse,
    Probes,
    ResponseExpectation,
)
from tests.activities.operations import on_attempt
from tests.activities.stub import BROKEN, NOT_JSON, THROTTLED, DropAfter, Slow, Stub, Truncated
from tests.fake_lambda import FakeLambda

SECRET = "hunter2"


def request_for(*expectations: dict[str, Any], **members: Any) -> ProbeFunctionRequest:
    """A request, as it comes from Temporal."""
    document = {
        "FunctionName": "checkout",
        "Qualifier": "1",
        "Expectations": expectations,
        **members,
    }
    return ProbeFunctionRequest.model_validate_json(json.dumps(document))


def at(path: str, *value: Any) -> dict[str, Any]:
    return (
        {"Path": path, "Test": "equals", "Value": value[0]}
        if value
        else {"Path": path, "Test": "exists", "Value": True}
    )


@pytest.fixture
def probing(port: FakeLambda) -> Probes:
    port.create("checkout")
    port.handlers["checkout"] = lambda _: {"ok": True}
    return Probes(port)


async def probe(
    port: FakeLambda, probing: Probes, answer: Any, *expectations: dict[str, Any]
) -> str | None:
    """The failure that an answer makes, if any."""
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    port.respond("invoke", {"StatusCode": 200, "Payload": content, "ExecutedVersion": "1"})
    response: ProbeFunctionResponse = await on_attempt(
        1, probing.probe_function, request_for(*expectations)
    )
    assert response.failure is None or SECRET not in response.failure
    return response.failure


# --- what is sent ----------------------------------------------------------------------------


async def test_probe_invokes_the_version_itself_without_its_log(
    port: FakeLambda, probing: Probes
) -> None:
    answer = await on_attempt(
        1, probing.probe_function, request_for(Payload={"id": [1, None, "é"]})
    )
    assert answer.failure is None
    assert port.requests == [
        (
            "invoke",
            {
                "FunctionName": "checkout",
                "Qualifier": "1",
                "InvocationType": "RequestResponse",
                "LogType": "None",
                "Payload": '{"id":[1,null,"é"]}'.encode(),
            },
        )
    ]


async def test_payload_is_an_empty_object_by_default(port: FakeLambda, probing: Probes) -> None:
    await on_attempt(1, probing.probe_function, request_for())
    assert port.calls[0].parameters["Payload"] == b"{}"


async def test_second_attempt_sends_nothing(port: FakeLambda, probing: Probes) -> None:
    with pytest.raises(
        ApplicationError, match="may have been probed already, and was not probed again"
    ) as refused:
        await on_attempt(2, probing.probe_function, request_for())
    assert (refused.value.type, refused.value.non_retryable) == ("Unavailable", True)
    assert port.requests == []
    assert get_operation_policy(Probes.probe_function) is ONCE


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("TooManyRequestsException", "Throttled"),
        ("ReadTimeoutError", "Unavailable"),
        ("AccessDeniedException", "Denied"),
    ],
)
async def test_refusal_of_aws_is_not_tried_again(
    port: FakeLambda, probing: Probes, code: str, fault: str
) -> None:
    port.respond("invoke", AwsError("invoke", code, "no", status=400))
    with pytest.raises(ApplicationError, match=fault) as refused:
        await on_attempt(1, probing.probe_function, request_for())
    assert (refused.value.type, refused.value.non_retryable) == (fault, True)


# --- what is expected ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expectation"),
    [
        ({"status": "ok"}, at("$.status", "ok")),
        ({"items": [{"id": 7}]}, at("$.items[0].id", 7)),
        ({"items": [1, 2]}, at("$.items[-1]", 2)),
        ({"a b": {"c": None}}, at("$['a b'].c", None)),
        ({"n": 1}, at("$.n", 1.0)),
        (
            {"a": {"x": [1, {"y": None}], "z": True}},
            at("$.a", {"z": True, "x": [1.0, {"y": None}]}),
        ),
        ({"a": None}, at("$.a")),
        ({}, {"Path": "$.a", "Test": "exists", "Value": False}),
        ([1], at("$[0]", 1)),
        ("text", at("$", "text")),
        ("[1]", at("$", "[1]")),
        ("[1]", {"Path": "$[0]", "Test": "exists", "Value": False}),
        (None, at("$", None)),
        (3, at("$", 3)),
    ],
)
async def test_response_as_expected_is_no_failure(
    port: FakeLambda, probing: Probes, answer: Any, expectation: dict[str, Any]
) -> None:
    assert await probe(port, probing, answer, expectation) is None


@pytest.mark.parametrize(
    ("answer", "expectation", "failure"),
    [
        ({"status": SECRET}, at("$.status", "ok"), "$.status is not as expected: a text is there"),
        ({SECRET: "ok"}, at("$.status", "ok"), "$.status is not as expected: nothing is there"),
        ({"n": True}, at("$.n", 1), "$.n is not as expected: a boolean is there"),
        ({"n": 1}, at("$.n", True), "$.n is not as expected: a number is there"),
        ({"n": 0}, at("$.n", None), "$.n is not as expected: a number is there"),
        ({"n": "1"}, at("$.n", 1), "$.n is not as expected: a text is there"),
        ({"n": None}, at("$.n", 0), "$.n is not as expected: null is there"),
        ({}, at("$.n", None), "$.n is not as expected: nothing is there"),
        ({"n": [1, 2]}, at("$.n", [1]), "$.n is not as expected: an array is there"),
        ({"n": [True]}, at("$.n", [1]), "$.n is not as expected: an array is there"),
        (
            {"n": {"a": 1, "b": SECRET}},
            at("$.n", {"a": 1}),
            "$.n is not as expected: an object is there",
        ),
        ({"n": {"0": 1}}, at("$.n[0]"), "$.n[0] is not as expected: nothing is there"),
        ({"n": SECRET}, at("$.n[0]"), "$.n[0] is not as expected: nothing is there"),
        (
            {"n": None},
            {"Path": "$.n", "Test": "exists", "Value": False},
            "$.n is not as expected: null is there",
        ),
        (json.dumps({"n": 1}), at("$.n", 1), "$.n is not as expected: nothing is there"),
        (f"{{{SECRET}".encode(), at("$.n"), "its answer is not JSON"),
        (b"", at("$.n"), "its answer is not JSON"),
        (b'{"n": NaN}', at("$.n"), "its answer is not JSON"),
        (b"[" * 100_000, at("$.n"), "its answer is not JSON"),
        (b"\xff" + SECRET.encode(), at("$.n"), "its answer is not JSON"),
    ],
)
async def test_response_otherwise_is_a_failure_that_does_not_repeat_it(
    port: FakeLambda, probing: Probes, answer: Any, expectation: dict[str, Any], failure: str
) -> None:
    assert await probe(port, probing, answer, expectation) == failure


async def test_first_expectation_that_does_not_hold_is_named(
    port: FakeLambda, probing: Probes
) -> None:
    answer = {"a": 1, "b": 2, "c": 3}
    assert (
        await probe(port, probing, answer, at("$.a", 1), at("$.b", 1), at("$.c", 1))
        == "$.b is not as expected: a number is there"
    )


async def test_response_is_not_read_without_expectations(port: FakeLambda, probing: Probes) -> None:
    for answer in (b"", b"{", b"null", {"error": SECRET}):
        assert await probe(port, probing, answer) is None


@pytest.mark.parametrize(
    ("error", "response"),
    [("Unhandled", "Unhandled"), ("Handled", "Handled"), (SECRET, "FunctionError")],
)
async def test_function_error_is_a_failure_without_its_message(
    port: FakeLambda, probing: Probes, error: str, response: str
) -> None:
    port.respond(
        "invoke",
        {
            "StatusCode": 200,
            "FunctionError": error,
            "Payload": json.dumps({"errorMessage": SECRET}).encode(),
        },
    )
    answer = await on_attempt(1, probing.probe_function, request_for(at("$.errorMessage")))
    assert answer.failure == f"it failed ({response})"
    assert SECRET not in answer.model_dump_json()


@pytest.mark.parametrize("status", [202, 500, None])
async def test_other_status_is_a_failure(
    port: FakeLambda, probing: Probes, status: int | None
) -> None:
    port.respond("invoke", {"Payload": b'"ok"'} | ({"StatusCode": status} if status else {}))
    assert (
        await on_attempt(1, probing.probe_function, request_for())
    ).failure == f"its status is {status}, not 200"


# --- bad requests ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "where"),
    [
        (
            {"Expectations": [{"Path": "status", "Test": "exists", "Value": True}]},
            ("Expectations", 0, "Path"),
        ),
        (
            {"Expectations": [{"Path": "$..a", "Test": "exists", "Value": True}]},
            ("Expectations", 0, "Path"),
        ),
        (
            {"Expectations": [{"Path": "$." + "a" * 99, "Test": "exists"}]},
            ("Expectations", 0, "Path"),
        ),
        ({"Expectations": [{"Path": "$.a", "Test": "matches"}]}, ("Expectations", 0, "Test")),
        ({"Expectations": [at("$.a")] * 11}, ("Expectations",)),
        ({"MaxMilliseconds": 0}, ("MaxMilliseconds",)),
        ({"MaxMilliseconds": 900_001}, ("MaxMilliseconds",)),
        ({"Payload": float("inf")}, ("Payload",)),
        ({"Qualifier": None}, ("Qualifier",)),
    ],
)
def test_invalid_request_is_refused_by_its_field_and_not_repeated(
    members: dict[str, Any], where: tuple[str | int, ...]
) -> None:
    with pytest.raises(
        ValidationError, match="validation error for ProbeFunctionRequest"
    ) as refused:
        request_for(**{"Expectations": [], **members})
    assert [each["loc"] for each in refused.value.errors()] == [where]


def test_payload_is_not_in_the_repr() -> None:
    assert SECRET not in repr(request_for(Payload={"password": SECRET}))


# --- over HTTP -------------------------------------------------------------------------------


async def test_http_request_names_the_version_and_is_timed(
    aws: Connection, stub: Stub, fake: FakeLambda
) -> None:
    stub.meets(Slow(0.2), operation="invoke")
    answer = await on_attempt(
        1, Probes(aws).probe_function, request_for(at("$.ok", True), Payload={"id": 1})
    )
    assert answer.failure is None
    assert 200 <= answer.milliseconds < 60_000
    [request] = stub.requests
    assert (request.path, request.query) == (
        "/2015-03-31/functions/checkout/invocations",
        {"Qualifier": ["1"]},
    )
    assert request.headers["x-amz-invocation-type"] == "RequestResponse"
    assert fake.invocations == [b'{"id":1}']


async def test_late_response_is_a_failure_and_is_not_waited_for(
    aws: Connection, stub: Stub
) -> None:
    stub.meets(Slow(60), operation="invoke")
    began = time.monotonic()
    answer = await on_attempt(1, Probes(aws).probe_function, request_for(MaxMilliseconds=2_000))
    assert answer.failure == "no answer within 2000 ms"
    assert answer.milliseconds >= 2_000
    assert time.monotonic() - began < 30
    assert stub.sent("invoke") == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (DropAfter(), "Unavailable"),
        (Truncated(), "Unavailable"),
        (BROKEN, "Unavailable"),
        (THROTTLED, "Throttled"),
    ],
)
async def test_http_request_is_sent_once_whatever_happens_to_it(
    aws: Connection, stub: Stub, fault: Any, kind: str
) -> None:
    stub.meets(fault, operation="invoke")
    with pytest.raises(ApplicationError, match=kind) as lost:
        await on_attempt(1, Probes(aws).probe_function, request_for())
    assert (lost.value.type, lost.value.non_retryable) == (kind, True)
    assert stub.sent("invoke") == 1


async def test_proxys_page_is_no_response(aws: Connection, stub: Stub) -> None:
    stub.meets(NOT_JSON, operation="invoke")
    assert (
        await on_attempt(1, Probes(aws).probe_function, request_for(at("$.ok", True)))
    ).failure == "its answer is not JSON"


class ClosedBucket(TokenBucket):
    """Fails a caller that waits for a turn."""

    async def acquire(self, priority: int = 0) -> None:
        pytest.fail(f"a call of priority {priority} waited for a turn")


async def test_probe_takes_no_turn_of_the_control_plane(aws: Connection) -> None:
    limits = Limits()
    limits._shared_bucket = ClosedBucket(1)
    limits._operation_buckets = dict.fromkeys(limits._operation_buckets, ClosedBucket(1))
    aws._limits = limits
    with pytest.raises(pytest.fail.Exception, match="waited for a turn"):
        await aws.call("lambda", "get_alias", {"FunctionName": "checkout", "Name": "live"})
    answer = await on_attempt(1, Probes(aws).probe_function, request_for())
    assert answer.failure is None


def test_expectation_without_a_value_expects_null() -> None:
    again = ResponseExpectation.model_validate_json(
        ResponseExpectation(path="$.a", test="equals", value=None).model_dump_json(by_alias=True)
    )
    assert again.find_flaw({"a": None}) is None
    assert again.find_flaw({"a": 0}) is not None
