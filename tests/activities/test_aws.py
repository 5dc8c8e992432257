"""The adapter over real HTTP: requests, connections, failures and packages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from temporalio.common import MetricCounter, MetricMeter
from temporalio.testing import ActivityEnvironment

import activities.aws
from activities.aws import AwsConfigurationError, Connection, connect
from activities.errors import AwsError, Fault, classify_error, max_attempts
from activities.transport import Timeouts
from tests.activities.adapter import REGION
from tests.activities.stub import (
    BROKEN,
    NOT_JSON,
    THROTTLED,
    Answer,
    DropAfter,
    DropBefore,
    Slow,
    Stub,
    Truncated,
    free_port,
)
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import HttpRequest, HttpResponse

TOO_LATE = Slow(0.8)
SECRET = "hunter2-correct-horse"


@asynccontextmanager
async def connect_to(environment: pytest.MonkeyPatch, url: str) -> AsyncIterator[Connection]:
    """An adapter of the test's own, for another address."""
    environment.setenv("AWS_ENDPOINT_URL", url)
    async with connect(REGION, timeouts=Timeouts(connect=0.5, read=0.5)) as aws:
        yield aws


async def refused(
    aws: Connection, operation: str = "get_alias", service: str = "lambda", **parameters: Any
) -> AwsError:
    with pytest.raises(AwsError, match=f"^{operation}: ") as caught:
        await aws.call(
            service, operation, parameters or {"FunctionName": "checkout", "Name": "live"}
        )
    return caught.value


# --- what is sent, and how often -------------------------------------------------------------


async def test_response_has_no_metadata_of_botocores(aws: Connection) -> None:
    alias = await aws.call("lambda", "get_alias", {"FunctionName": "checkout", "Name": "live"})
    assert alias["FunctionVersion"] == "1"
    assert "ResponseMetadata" not in alias


async def test_payload_is_read_to_bytes(aws: Connection) -> None:
    answer = await aws.call("lambda", "invoke", {"FunctionName": "checkout", "Payload": b"{}"})
    assert answer["Payload"] == b'{"ok": true}'
    assert answer["ExecutedVersion"] == "$LATEST"


@pytest.mark.parametrize(
    "fault",
    [DropBefore(), DropAfter(), BROKEN, THROTTLED, NOT_JSON, Truncated(), Answer(502), Answer(503)],
)
@pytest.mark.parametrize("operation", ["update_alias", "delete_alias", "create_alias", "invoke"])
async def test_write_is_sent_exactly_once_whatever_happens_to_it(
    aws: Connection, stub: Stub, operation: str, fault: Any
) -> None:
    parameters: dict[str, Any] = {"FunctionName": "checkout"}
    parameters |= (
        {"Payload": b"{}"}
        if operation == "invoke"
        else {"Name": "beta" if operation == "create_alias" else "live"}
    )
    parameters |= {"FunctionVersion": "1"} if operation == "create_alias" else {}
    stub.meets(fault, operation=operation)
    with suppress(AwsError):
        await aws.call("lambda", operation, parameters)
    await asyncio.sleep(0.02)
    assert stub.sent(operation) == 1


@pytest.mark.parametrize("operation", ["update_alias", "invoke"])
async def test_write_that_times_out_is_unavailable_and_was_sent_once(
    hasty: Connection, stub: Stub, operation: str
) -> None:
    stub.meets(TOO_LATE)
    parameters = {"FunctionName": "checkout"} | (
        {"Name": "live"} if operation == "update_alias" else {}
    )
    error = await refused(hasty, operation, **parameters)
    assert (error.code, classify_error(error)) == ("ReadTimeoutError", Fault.UNAVAILABLE)
    assert stub.sent(operation) == 1


async def test_package_that_times_out_is_given_up(hasty: Connection, stub: Stub) -> None:
    stub.meets(TOO_LATE)
    with pytest.raises(AwsError, match="DownloadFailed") as caught:
        await hasty.download(f"{stub.url}/code/checkout/1", limit=100)
    assert caught.value.code == "DownloadFailed"


async def test_write_on_a_connection_cut_while_idle_arrives_once(
    aws: Connection, stub: Stub, fake: FakeLambda
) -> None:
    fake.overwrite("checkout", "two")
    fake.publish("checkout")
    for weight in (0.1, 0.2):
        stub.meets(DropAfter(), operation="update_alias")
        routing = {"AdditionalVersionWeights": {"2": weight}}
        error = await refused(
            aws, "update_alias", FunctionName="checkout", Name="live", RoutingConfig=routing
        )
        assert error.code == "ConnectionClosedError"
        await aws.call(
            "lambda",
            "update_alias",
            {"FunctionName": "checkout", "Name": "live", "Description": "after"},
        )
    assert stub.sent("update_alias") == 4
    assert fake.routing("checkout") == ("1", {"2": 0.2})


async def test_reads_share_a_connection_and_writes_never_do(aws: Connection, stub: Stub) -> None:
    for _ in range(5):
        await aws.call("lambda", "get_alias", {"FunctionName": "checkout", "Name": "live"})
    assert stub.connections == 1
    for _ in range(3):
        await aws.call(
            "lambda",
            "update_alias",
            {"FunctionName": "checkout", "Name": "live", "Description": "x"},
        )
    assert stub.connections == 4


async def test_clients_are_made_once_for_concurrent_callers(
    environment: pytest.MonkeyPatch, stub: Stub
) -> None:
    async with connect_to(environment, stub.url) as aws:
        create = aws._session.create_client

        @asynccontextmanager
        async def slowly(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            await asyncio.sleep(0.01)
            async with create(*args, **kwargs) as client:
                yield client

        environment.setattr(aws._session, "create_client", slowly)
        clients = await asyncio.gather(*(aws.open_client("lambda", "read") for _ in range(5)))
    assert len(set(map(id, clients))) == 1


# --- what a failure is called ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        (DropBefore(), "ConnectionClosedError", Fault.UNAVAILABLE),
        (DropAfter(), "ConnectionClosedError", Fault.UNAVAILABLE),
        (Truncated(), "ConnectionClosedError", Fault.UNAVAILABLE),
        (NOT_JSON, "ResponseParserError", Fault.UNAVAILABLE),
        (Answer(200, body=b'{"Name": "li'), "ResponseParserError", Fault.UNAVAILABLE),
        (BROKEN, "ServiceException", Fault.UNAVAILABLE),
        (Answer(503, body=b"<html>busy</html>"), "Http503", Fault.UNAVAILABLE),
        (Answer(403, body=b"<html>blocked</html>"), "Http403", Fault.UNKNOWN),
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


async def test_refused_connection_is_unavailable(
    environment: pytest.MonkeyPatch,
) -> None:
    async with connect_to(environment, f"http://127.0.0.1:{free_port()}") as aws:
        error = await refused(aws, "get_function", FunctionName="checkout", Qualifier="live")
    assert (error.code, classify_error(error)) == ("EndpointConnectionError", Fault.UNAVAILABLE)
    assert "/functions/checkout" in error.message
    assert "?" not in error.message


async def test_trickle_of_bytes_does_not_extend_a_timeout(
    environment: pytest.MonkeyPatch,
) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with (
        server,
        connect_to(environment, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as aws,
    ):
        begun = asyncio.get_running_loop().time()
        error = await refused(aws, "update_alias", FunctionName="checkout", Name="live")
        assert asyncio.get_running_loop().time() - begun < 3
    assert error.code == "ReadTimeoutError"


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


# --- what a message may not hold -------------------------------------------------------------


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


# --- regions, credentials, other services ----------------------------------------------------


@pytest.mark.parametrize("member", ["FunctionName", "Resource"])
@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "us-east-1:123456789012:function:f",
        "us-east-1:function:f",
    ],
)
async def test_function_of_another_region_is_refused_unsent(
    aws: Connection, stub: Stub, member: str, name: str
) -> None:
    error = await refused(
        aws, "list_tags" if member == "Resource" else "get_function", **{member: name}
    )
    assert classify_error(error) is Fault.INVALID
    assert all(word in error.message for word in (member, "us-east-1", "eu-west-1"))
    assert not stub.requests


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "123456789012:function:f",
        "us-east-1",
        "us-east-1:live",
    ],
)
async def test_function_of_this_region_or_of_none_is_requested(
    aws: Connection, stub: Stub, name: str
) -> None:
    await refused(aws, "get_function", FunctionName=name)
    assert stub.sent("get_function") == 1


@pytest.mark.usefixtures("environment")
async def test_connection_needs_a_region() -> None:
    with pytest.raises(AwsConfigurationError, match="no AWS region"):
        async with connect():
            pass


async def test_region_may_come_from_botocores_own_chain(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    async with connect() as aws:
        assert aws.region == "ap-south-1"


async def test_connection_needs_credentials(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(AwsConfigurationError, match="no AWS credentials"):
        async with connect(REGION):
            pass


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_PROFILE", "nobody"),
        ("AWS_ENDPOINT_URL_LAMBDA", "not a url"),
        ("AWS_SECRET_ACCESS_KEY", ""),
    ],
)
async def test_wrong_configuration_is_reported_in_one_line(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(AwsConfigurationError, match="AWS") as caught:
        async with connect(REGION):
            pass
    assert "\n" not in str(caught.value)


async def test_wrong_address_of_another_service_is_invalid_when_called(
    environment: pytest.MonkeyPatch, stub: Stub
) -> None:
    async with connect_to(environment, stub.url) as aws:
        environment.setenv("AWS_ENDPOINT_URL_SSM", "not a url")
        error = await refused(aws, "get_parameters", "ssm", Names=["/a"])
    assert (error.code, classify_error(error)) == ("InvalidConfigError", Fault.INVALID)


@pytest.mark.usefixtures("environment")
async def test_impossible_region_is_reported_in_one_line() -> None:
    with pytest.raises(AwsConfigurationError, match="AWS is not configured"):
        async with connect("eu west!"):
            pass


async def test_secrets_and_parameters_come_from_their_own_services(
    aws: Connection, stub: Stub
) -> None:
    async def services(request: HttpRequest) -> HttpResponse:
        return HttpResponse(
            200,
            b'{"Parameters": []}'
            if request.operation == "GetParameters"
            else b'{"SecretString": "s"}',
        )

    stub.handler = services
    assert await aws.call("ssm", "get_parameters", {"Names": ["/a"]}) == {"Parameters": []}
    assert await aws.call("secretsmanager", "get_secret_value", {"SecretId": "a"}) == {
        "SecretString": "s"
    }


async def test_unknown_operation_is_a_bug(aws: Connection) -> None:
    with pytest.raises(AttributeError, match="make_coffee"):
        await aws.call("lambda", "make_coffee", {})


# --- packages --------------------------------------------------------------------------------


async def test_package_is_downloaded_from_its_address(aws: Connection, stub: Stub) -> None:
    assert (
        await aws.download(f"{stub.url}/code/checkout/1?X-Amz-Signature=secret", limit=100)
        == b"one"
    )


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Answer(403, body=b""), "DownloadFailed"),
        (DropBefore(), "DownloadFailed"),
        (Truncated(), "DownloadFailed"),
    ],
)
async def test_failed_download_keeps_its_address_secret(
    aws: Connection, stub: Stub, fault: Any, code: str
) -> None:
    stub.meets(fault, fault)
    with pytest.raises(AwsError, match=code) as caught:
        await aws.download(f"{stub.url}/code/checkout/1?X-Amz-Signature=secret", limit=100)
    assert caught.value.code == code
    assert "127.0.0.1" not in str(caught.value)


async def test_package_over_the_limit_is_not_downloaded_whole(aws: Connection, stub: Stub) -> None:
    with pytest.raises(AwsError, match="2 bytes") as caught:
        await aws.download(f"{stub.url}/code/checkout/1", limit=2)
    assert classify_error(caught.value) is Fault.EXHAUSTED


# --- metrics ---------------------------------------------------------------------------------


class Meter(MetricMeter):
    """Keeps what was counted."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, dict[str, Any]]] = []
        self.attributes: dict[str, Any] = {}

    def with_additional_attributes(self, additional_attributes: Any) -> Meter:
        other = Meter()
        other.counted, other.attributes = (
            self.counted,
            self.attributes | dict(additional_attributes),
        )
        return other

    def create_counter(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricCounter:
        del description, unit
        meter = self

        class Counter(MetricCounter):
            name, description, unit = "", None, None

            def add(self, value: int, additional_attributes: Any = None) -> None:
                del additional_attributes
                meter.counted += [(name, meter.attributes)] * value

            def with_additional_attributes(self, additional_attributes: Any) -> MetricCounter:
                raise NotImplementedError(additional_attributes)

        return Counter()

    def _unused(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    create_histogram = create_histogram_float = create_histogram_timedelta = _unused
    create_gauge = create_gauge_float = create_up_down_counter = _unused


async def test_requests_are_counted_by_operation_and_outcome(aws: Connection, stub: Stub) -> None:
    environment, meter = ActivityEnvironment(), Meter()
    environment.metric_meter = meter
    get = {"FunctionName": "checkout", "Name": "live"}
    await environment.run(aws.call, "lambda", "get_alias", get)
    stub.meets(BROKEN)
    with pytest.raises(AwsError, match="ServiceException"):
        await environment.run(aws.call, "lambda", "get_alias", get)
    counted = [
        (name, attributes["operation"], attributes["outcome"]) for name, attributes in meter.counted
    ]
    assert counted == [
        ("lambda_api_calls", "get_alias", "ok"),
        ("lambda_api_calls", "get_alias", "Unavailable"),
    ]


# --- malformed responses (found by fuzzing) --------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "body", "wrong"),
    [
        ("get_function", b"{}", "Configuration is missing"),
        ("get_function", b'{"Configuration": null}', "Configuration is missing"),
        (
            "get_function",
            b'{"Configuration": {"RevisionId": "r1", "Handler": 7}}',
            "Configuration.Handler is of another type",
        ),
        (
            "get_function",
            b'{"Configuration": {"RevisionId": "r1", "Layers": [null]}}',
            "Configuration.Layers is of another type",
        ),
        (
            "get_function",
            (
                b'{"Configuration": {"RevisionId": "r1", '
                b'"Environment": {"Variables": {"A": {"B": 1}}}}}'
            ),
            "Environment.Variables is of another type",
        ),
        (
            "get_function",
            b'{"Configuration": {"RevisionId": "r1", "Description": "\\ud800"}}',
            "Configuration.Description is of another type",
        ),
        (
            "get_function",
            b'{"Configuration": {"Timeout": 3}}',
            "Configuration.RevisionId is missing",
        ),
        ("get_alias", b'{"FunctionVersion": "1", "RevisionId": ""}', "RevisionId is missing"),
        ("get_alias", b'{"RevisionId": "r1"}', "FunctionVersion is missing"),
        ("list_functions", b"{}", "Functions is missing"),
        (
            "get_alias",
            (
                b'{"FunctionVersion": "1", "RevisionId": "r1", '
                b'"RoutingConfig": {"AdditionalVersionWeights": {"7": NaN}}}'
            ),
            "AdditionalVersionWeights is of another type",
        ),
        (
            "get_alias",
            b'{"FunctionVersion": "1", "RevisionId": "r1", '
            b'"RoutingConfig": {"AdditionalVersionWeights": {"7": 1%s}}}' % (b"0" * 400),
            "not as AWS describes it",
        ),
        (
            "get_event_source_mapping",
            b'{"UUID": "u", "LastModified": 1e30}',
            "not as AWS describes it",
        ),
        ("get_alias", b"", "not JSON"),
    ],
)
async def test_response_that_is_not_as_aws_describes_it_is_none(
    aws: Connection, stub: Stub, operation: str, body: bytes, wrong: str
) -> None:
    stub.meets(Answer(200, body=body))
    parameters = {
        "list_functions": {"MaxItems": 1},
        "get_function": {"FunctionName": "checkout"},
        "get_event_source_mapping": {"UUID": "00000000-0000-0000-0000-000000000001"},
    }
    error = await refused(aws, operation, **parameters.get(operation, {}))
    assert error.code == "ResponseParserError"
    assert wrong in error.message
    assert max_attempts(error) == 15


async def test_response_without_a_body_is_empty_where_aws_has_none(
    aws: Connection,
) -> None:
    assert (
        await aws.call("lambda", "delete_alias", {"FunctionName": "checkout", "Name": "live"}) == {}
    )
