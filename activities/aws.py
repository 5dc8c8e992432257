"""The door to AWS: one account, one region, every request sent exactly once, every error an :class:`~activities.errors.AwsError`.

The only module that knows aiobotocore, and for that the only untyped one. What it decides:

- botocore's retries are off: Temporal's are on, and they show in the UI.
- aiohttp sends a GET, PUT or DELETE again by itself when its connection is cut before an answer. Reads may, and they share
  connections. Writes and invocations are forbidden to, and open a connection each, so that none meets one which is stale.
- Control-plane calls, and CloudWatch's, are paced to AWS's limits (:mod:`activities.limits.rate`).
- Nothing that we sent in confidence, and no signature, comes back in an error's message (:mod:`activities.redaction`).
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.response import AioStreamingBody
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.parsers import ResponseParserError
from botocore.utils import get_environ_proxies
from temporalio import activity

from activities.errors import AwsError, classify_error
from activities.limits.rate import RATE_LIMITED_SERVICES, Limits
from activities.redaction import summarize_validation_report, redact
from activities.response_check import find_mismatch


class AwsConfigurationError(Exception):
    """AWS cannot be reached with this configuration: no region, no credentials, an unknown profile. The message is one line."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, between two bytes of an answer, and the same for an invocation (Lambda's longest takes 900)."""

    connect: float = 3
    read: float = 10
    invoke: float = 910


@asynccontextmanager
async def connect(
    region: str | None = None, *, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> AsyncIterator[Connection]:
    """Open the door; everything else is botocore's own chain (profile, credentials, ``AWS_ENDPOINT_URL`` …).

    Checks region and credentials without calling AWS, and raises :class:`AwsConfigurationError` where one is missing.
    ``region`` is ``AWS_REGION``'s value: botocore itself knows only ``AWS_DEFAULT_REGION`` and the profile's.
    """
    session = get_session()
    async with AsyncExitStack() as stack:
        try:
            region = region or session.get_config_variable("region")
            if not region:
                raise AwsConfigurationError(
                    "no AWS region: set AWS_REGION, or region in the AWS profile"
                )
            if await session.get_credentials() is None:
                raise AwsConfigurationError(
                    "no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give this machine a role"
                )
            connection = Connection(
                session, region, stack, limits or Limits(), timeouts or Timeouts()
            )
            await connection.open_client("lambda", "write")
        except (BotoCoreError, ValueError) as problem:
            raise AwsConfigurationError(
                f"AWS is not configured: {redact(str(problem), {})}"
            ) from None
        yield connection


class Connection:
    """AWS as this worker may reach it: an :class:`~activities.operation.Aws`, which can also fetch a function's package."""

    def __init__(
        self,
        session: AioSession,
        region: str,
        stack: AsyncExitStack,
        limits: Limits,
        timeouts: Timeouts,
    ) -> None:
        self.region: Final = region
        self._session = session
        self._stack = stack
        self._limits = limits
        self._timeouts = timeouts
        self._clients: dict[tuple[str, str], Any] = {}
        self._opening = asyncio.Lock()

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one request, once, and return AWS's answer without its metadata; see :class:`~activities.operation.Aws`.

        Refused before anything is sent: a function of another region (``WrongRegion``), a turn that does not come
        (``RateLimited``). A call is given up after the time-outs together; what was sent may still take effect.
        """
        for member in ("FunctionName", "Resource"):
            elsewhere = _REGION.match(str(parameters.get(member)))
            if elsewhere and (found := elsewhere[1] or elsewhere[2]) != self.region:
                raise AwsError(
                    operation,
                    "WrongRegion",
                    f"{member} is in {found}, this worker serves {self.region}; nothing was sent",
                )
        send, shape = await self._method(service, operation)
        if service in RATE_LIMITED_SERVICES:
            await self._limits.acquire(operation)
        outcome = "Cancelled"
        try:
            async with asyncio.timeout(self._total(operation, parameters)):
                answer = _described(
                    operation, await _plain(operation, await send(**parameters)), shape
                )
            outcome = "ok"
        except _FAILURES as failure:
            error = _translated(operation, failure, parameters)
            if (
                service in RATE_LIMITED_SERVICES
                and isinstance(failure, ClientError)
                and failure.response.get("Reason", _RATE) == _RATE
            ):
                self._limits.report_fault(operation, classify_error(error))
            outcome = classify_error(error)
            raise error from None
        except AwsError as error:
            outcome = classify_error(error)
            raise
        finally:
            if service == "lambda" and activity.in_activity():
                meter = activity.metric_meter().with_additional_attributes(
                    {"operation": operation, "outcome": str(outcome)}
                )
                meter.create_counter(
                    "lambda_api_calls",
                    "Requests sent to AWS Lambda, by operation and fault (ok: none)",
                ).add(1)
        return answer

    async def download(self, url: str, *, limit: int) -> bytes:
        """Fetch what a presigned URL gives, at most ``limit`` bytes. Raises AwsError; the URL, which is a secret, stays out of it."""
        bundle = self._session.get_config_variable("ca_bundle")
        secure = ssl.create_default_context(cafile=bundle) if bundle else True
        timeout = aiohttp.ClientTimeout(
            total=_DOWNLOAD_SECONDS,
            sock_connect=self._timeouts.connect,
            sock_read=self._timeouts.read,
        )
        proxy = get_environ_proxies(url).get(url.partition(":")[0])
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http,
                http.get(url, ssl=secure, proxy=proxy) as answer,
            ):
                if not answer.ok:
                    raise AwsError(
                        "download",
                        "DownloadFailed",
                        f"the package's address answered HTTP {answer.status}",
                        status=answer.status,
                    )
                content = await _at_most("download", answer.content, limit)
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            raise AwsError(
                "download",
                "DownloadFailed",
                f"the package could not be fetched: {type(failure).__name__}",
            ) from None
        return content

    async def open_client(self, service: str, kind: str) -> Any:
        """The client of this service for ``read``, ``write`` or ``invoke``: made when first asked for, then shared by all."""
        async with self._opening:
            if (service, kind) not in self._clients:
                once: dict[str, Any] = {"http_session_cls": _Once} if kind != "read" else {}
                config = AioConfig(
                    retries={"total_max_attempts": 1},
                    connect_timeout=self._timeouts.connect,
                    read_timeout=self._timeouts.invoke if kind == "invoke" else self._timeouts.read,
                    max_pool_connections=_CONNECTIONS,
                    connector_args={"socket_factory": _watched}
                    | ({} if kind == "read" else {"force_close": True, "keepalive_timeout": None}),
                    user_agent_extra="lambda-releases",
                    **once,
                )
                client = await self._stack.enter_async_context(
                    self._session.create_client(service, region_name=self.region, config=config)
                )
                if client.meta.service_model.resolved_protocol in {"rest-json", "json"}:
                    client.meta.events.register(
                        f"before-parse.{client.meta.service_model.service_id.hyphenize()}",
                        _must_be_json,
                    )
                self._clients[service, kind] = client
            return self._clients[service, kind]

    async def _method(self, service: str, operation: str) -> tuple[Any, Any]:
        """What sends a request, and botocore's description of the answer."""
        kind = (
            "invoke"
            if operation.startswith("invoke")
            else "read"
            if operation.startswith(_READS)
            else "write"
        )
        try:
            client = await self.open_client(service, kind)
        except (BotoCoreError, ValueError) as problem:
            raise AwsError(operation, "InvalidConfigError", redact(str(problem), {})) from None
        send = getattr(client, operation)
        return send, client.meta.service_model.operation_model(
            client.meta.method_to_api_mapping[operation]
        ).output_shape

    def _total(self, operation: str, parameters: Mapping[str, Any]) -> float | None:
        """Seconds for the whole of a call; code that is sent along takes a second per megabyte more, an invocation what it takes."""
        if operation.startswith("invoke"):
            return None
        return (
            self._timeouts.connect + self._timeouts.read + len(parameters.get("ZipFile", b"")) / 1e6
        )


_REGION: Final = re.compile(
    r"arn:[\w-]+:lambda:([\w-]+):|([a-z]{2,}(?:-[a-z]+)+-\d):(?:\d{12}|function):"
)
_RATE: Final = "CallerRateLimitExceeded"
_READS: Final = ("get_", "list_", "describe_", "head_")
_CONNECTIONS: Final = 1_000
_DOWNLOAD_SECONDS: Final = 60
_FIRST_ERROR: Final = 300
_LARGEST_ANSWER: Final = 8_000_000
_LONGEST_CODE: Final = 100
_LONGEST_WAIT: Final = 300.0
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)
"""What botocore's parsers raise over a member of another type than AWS says; RuntimeError over a time that no calendar has."""

_FAILURES: Final = (
    ClientError,
    BotoCoreError,
    ResponseParserError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    *_UNREADABLE,
)


class _Once(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """HTTP that never repeats a request. aiohttp has no public switch for that; a test counts what arrives."""

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = await super()._get_session(proxy_url)
        session._retry_connection = False  # noqa: SLF001 - see above
        return session


def _translated(operation: str, failure: BaseException, sent: Mapping[str, Any]) -> AwsError:  # noqa: PLR0911 - one for each kind of failure
    """What botocore raised, as the one error this door knows."""
    match failure:
        case ClientError():
            return _answered(operation, failure.response, sent)
        case ParamValidationError():
            return AwsError(
                operation, "ParamValidationError", summarize_validation_report(failure.kwargs.get("report", ""))
            )
        case TimeoutError() if not isinstance(failure, BotoCoreError):
            return AwsError(operation, "ReadTimeoutError", "no answer in time")
        case HTTPClientError() if isinstance(
            failure.kwargs.get("error"), aiohttp.ClientResponseError
        ):
            return AwsError(operation, "ResponseParserError", "the answer is not HTTP")
        case HTTPClientError() if type(failure) is HTTPClientError:
            return AwsError(
                operation,
                "HTTPClientError",
                f"the connection broke: {type(failure.kwargs.get('error')).__name__}",
            )
        case BotoCoreError() | _NotJson():
            code = next(
                kind.__name__
                for kind in type(failure).__mro__
                if kind.__module__.startswith("botocore.")
            )
            return AwsError(operation, code, redact(str(failure), sent))
        case aiohttp.ClientError() | OSError():
            return AwsError(
                operation, "ConnectionError", f"the connection broke: {type(failure).__name__}"
            )
        case _:
            return AwsError(
                operation, "ResponseParserError", "the answer is not as AWS describes it"
            )


def _answered(operation: str, response: Mapping[str, Any], sent: Mapping[str, Any]) -> AwsError:
    """An error that AWS, or something between us and AWS, put into words."""
    said, metadata = response["Error"], response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    code, message = (
        redact(str(said.get("Code", "")), sent)[:_LONGEST_CODE],
        redact(str(said.get("Message", "")), sent),
    )
    if not code or code.isdigit():
        code, message = f"Http{status}", f"answered HTTP {status}, and not in AWS's words"
    if reason := response.get("Reason"):
        message = f"{message} [{redact(str(reason), sent)[:_LONGEST_CODE]}]"
    wait = str(
        response.get("retryAfterSeconds")
        or metadata.get("HTTPHeaders", {}).get("retry-after")
        or ""
    )
    seconds = min(float(wait), _LONGEST_WAIT) if re.fullmatch(r"\d+(\.\d+)?", wait) else None
    return AwsError(operation, code, message, status=status, retry_after=seconds)


async def _plain(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without botocore's metadata, its streams read to bytes."""
    answer.pop("ResponseMetadata", None)
    for name, value in answer.items():
        if isinstance(value, AioStreamingBody):
            async with value:
                answer[name] = await _at_most(operation, value, _LARGEST_ANSWER)
    return answer


def _described(operation: str, answer: dict[str, Any], shape: Any) -> dict[str, Any]:
    """An answer, if it is as AWS describes it."""
    if (wrong := find_mismatch(operation, answer, shape)) is not None:
        raise AwsError(
            operation, "ResponseParserError", f"the answer is not as AWS describes it: {wrong}"
        )
    return answer


async def _at_most(operation: str, stream: Any, limit: int) -> bytes:
    content = bytearray()
    while chunk := await stream.read(1 << 16):
        content += chunk
        if len(content) > limit:
            raise AwsError(
                operation, "ResponseTooLarge", f"the answer is larger than {limit} bytes"
            )
    return bytes(content)


class _NotJson(ResponseParserError):  # type: ignore[misc]  # botocore has no types
    """Said by us, so it may be repeated; botocore's own repeats the answer that it cannot read."""


def _must_be_json(response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
    """Botocore takes a body that is no JSON (a proxy's page, half an answer, nothing) for an answer without members; we do not."""
    body = response_dict["body"]
    if (
        isinstance(body, bytes)
        and response_dict["status_code"] < _FIRST_ERROR
        and (body or _speaks(operation_model.output_shape))
    ):
        try:
            json.loads(body)
        except ValueError:
            raise _NotJson("the answer is not JSON") from None


def _speaks(shape: Any) -> bool:
    """Whether an answer has a body: members that are neither in headers nor the status itself."""
    return shape is not None and any(
        "location" not in member.serialization for member in shape.members.values()
    )


def _watched(address: tuple[Any, ...]) -> socket.socket:
    """A socket that is probed each minute: a NAT gateway forgets a connection that waits silently for a long invocation."""
    opened = socket.socket(address[0], address[1], address[2])
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    return opened
