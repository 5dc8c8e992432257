"""The adapter over real HTTP: what is sent, how often, on which connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.aws import AwsConfigurationError, Connection, connect
from activities.error_codes import UNSENT_CODES
from activities.errors import AwsError, Fault, classify_error, find_time_limit
from activities.retry_budget import WRITE_BUDGET
from tests.activities.adapter import REGION, TOO_LATE, connect_to, refused
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
    free_port,
)
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import HttpRequest, HttpResponse


async def test_response_has_no_metadata_of_botocores(aws: Connection) -> None:
    alias = await aws.call("lambda", "get_alias", {"FunctionName": "checkout", "Name": "live"})
    assert alias["FunctionVersion"] == "1"
    assert "ResponseMetadata" not in alias


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


async def test_refused_connection_is_unavailable(
    environment: pytest.MonkeyPatch,
) -> None:
    async with connect_to(environment, f"http://127.0.0.1:{free_port()}") as aws:
        error = await refused(aws, "get_function", FunctionName="checkout", Qualifier="live")
    assert (error.code, classify_error(error)) == ("EndpointConnectionError", Fault.UNAVAILABLE)
    assert "/functions/checkout" in error.message
    assert "?" not in error.message


async def test_connection_without_tls_is_a_request_not_sent(
    environment: pytest.MonkeyPatch,
) -> None:
    async def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, connect_to(environment, f"https://127.0.0.1:{port}") as aws:
        error = await refused(aws, "invoke", FunctionName="checkout")
    assert error.code == "SSLError"
    assert error.code in UNSENT_CODES


async def test_reset_after_a_request_is_no_request_not_sent(aws: Connection, stub: Stub) -> None:
    stub.meets(ResetAfter())
    error = await refused(aws, "invoke", FunctionName="checkout")
    assert error.code not in UNSENT_CODES
    assert stub.sent("invoke") == 1


async def test_trickle_of_bytes_does_not_extend_a_timeout(
    environment: pytest.MonkeyPatch,
) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.1)

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with (
        server,
        connect_to(environment, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as aws,
    ):
        begun = asyncio.get_running_loop().time()
        error = await refused(aws, "update_alias", FunctionName="checkout", Name="live")
        assert asyncio.get_running_loop().time() - begun < 30
    assert error.code == "ReadTimeoutError"


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


async def test_proxy_that_asks_for_credentials_is_a_denial_that_passes(
    environment: pytest.MonkeyPatch, stub: Stub
) -> None:
    environment.setenv("HTTPS_PROXY", stub.url)
    environment.setenv("NO_PROXY", "")
    stub.meets(Answer(407))
    async with connect_to(environment, "https://lambda.nowhere.invalid") as aws:
        error = await refused(aws)
    assert (error.code, classify_error(error), error.status) == ("Http407", Fault.DENIED, 407)
    assert stub.requests[-1].method == "CONNECT"


@pytest.mark.parametrize(
    ("later", "code"),
    [("cat $0.json", "CredentialsExpired"), ("exit 1", "CredentialRetrievalError")],
)
async def test_credentials_that_cannot_be_renewed_pass(
    environment: pytest.MonkeyPatch, stub: Stub, tmp_path: Path, later: str, code: str
) -> None:
    process = tmp_path / "process.sh"
    expired = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
    expired["Expiration"] = "2026-01-01T00:00:00Z"
    Path(f"{process}.json").write_text(json.dumps(expired))
    process.write_text("cat $0.json")
    config = tmp_path / "config"
    config.write_text(f"[profile ci]\ncredential_process = sh {process}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", str(config))
    environment.setenv("AWS_PROFILE", "ci")
    async with connect_to(environment, stub.url) as aws:
        process.write_text(later)
        error = await refused(aws)
    assert (error.code, classify_error(error).passes) == (code, True)
    assert find_time_limit(error, WRITE_BUDGET) == timedelta(minutes=10)


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
