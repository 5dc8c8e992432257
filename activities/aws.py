"""The connection to AWS, within one account and region.

Every request is sent exactly once, and every error is an :class:`~activities.errors.AwsError`. This
is the only module that imports aiobotocore and botocore, and therefore the only one without static
types.

- botocore's retries are off. Temporal's are on, and they are visible in the UI.
- aiohttp repeats a GET, PUT or DELETE by itself when its connection is cut before a response. Reads
  may be repeated, and they share connections. Writes and invocations may not: that is switched off,
  and each opens a connection of its own, so that none is sent on a stale connection.
- Calls of the control plane and of CloudWatch are limited to AWS's rates
  (:mod:`activities.limits.rate`).
- Error messages hold no confidential value of a request (:mod:`activities.redaction`).
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioDeferredRefreshableCredentials,
)
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.response import AioStreamingBody
from aiobotocore.session import AioSession
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
    ProxyConnectionError,
)
from botocore.parsers import ResponseParserError
from botocore.utils import get_environ_proxies

from activities.bucket_region import BEFORE_SIGN, make_region_check
from activities.call_metric import count_call
from activities.clock_skew import take_clock
from activities.credential_source import CredentialSource, StoredCredentials
from activities.error_response import is_about_call_rate, is_proxy_login, parse_error_response
from activities.errors import AwsError, classify_error
from activities.limits.rate import RATE_LIMITED_SERVICES, Limits
from activities.package_download import download_package
from activities.redaction import redact, summarize_validation_report
from activities.region_check import refuse_other_region
from activities.response_body import PARSER_ERRORS, is_malformed_json, read_bounded
from activities.response_check import refuse_mismatch
from activities.transport import Timeouts, find_kind, open_keepalive_socket
from activities.user_agent import BEFORE_SEND, name_release

_MAX_CONNECTIONS: Final = 1_000
_MAX_RESPONSE_BYTES: Final = 8_000_000
_NOT_CONNECTED: Final = (aiohttp.ClientConnectorError, socket.gaierror)
_BROKEN: Final = (HTTPClientError, EndpointConnectionError)
"""EndpointConnectionError is aiobotocore's name for a reset after the request, too."""
_CALL_ERRORS: Final = (
    ClientError,
    BotoCoreError,
    ResponseParserError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    *PARSER_ERRORS,
)


class AwsConfigurationError(Exception):
    """AWS cannot be reached: no region, no credentials, an unknown profile. One line."""


@asynccontextmanager
async def connect(
    region: str | None = None,
    *,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    source: CredentialSource | None = None,
    endpoint_url: str | None = None,
) -> AsyncIterator[Connection]:
    """Connect to AWS, configured by botocore's chain (profile, credentials, …), or by ``source``.

    Checks region and credentials without a call to AWS, and raises :class:`AwsConfigurationError`
    where one is missing. ``region`` is the value of ``AWS_REGION``: botocore itself reads only
    ``AWS_DEFAULT_REGION`` and the profile's region. ``endpoint_url`` is an emulator's.
    """
    source = source or CredentialSource()
    async with AsyncExitStack() as stack:
        try:
            session = AioSession(profile=source.profile)
            region = region or session.get_config_variable("region")
            if not region:
                problem = "no AWS region: set AWS_REGION, or region in the AWS profile"
                raise AwsConfigurationError(problem)
            if await session.get_credentials() is None:
                raise AwsConfigurationError(
                    "no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give this machine"
                    " a role"
                )
            place = {"region_name": region, "endpoint_url": endpoint_url}
            if source.role_arn:
                session = await _assume_role(session, source, place)
            connection = Connection(
                session, place, stack, limits or Limits(), timeouts or Timeouts()
            )
            await connection.open_client("lambda", "write")
        except (BotoCoreError, ValueError) as error:
            problem = f"AWS is not configured: {redact(str(error), {})}"
            raise AwsConfigurationError(problem) from None
        yield connection


async def _assume_role(
    session: AioSession, source: CredentialSource, place: Mapping[str, Any]
) -> AioSession:
    """Return a session with a role, assumed at its first use by the credentials of ``session``."""
    times = Timeouts()
    config = AioConfig(
        retries={"total_max_attempts": 1}, connect_timeout=times.connect, read_timeout=times.read
    )
    fetcher = AioAssumeRoleCredentialFetcher(
        client_creator=functools.partial(session.create_client, config=config, **place),
        source_credentials=await session.get_credentials(),
        role_arn=source.role_arn,
        extra_args=source.build_session_options(),
    )
    credentials = AioDeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    assumed = AioSession()
    assumed.register_component("credential_provider", StoredCredentials(credentials))
    return assumed


class Connection:
    """An :class:`~activities.operation.Aws` over HTTP, which also downloads packages."""

    def __init__(
        self,
        session: AioSession,
        place: Mapping[str, Any],
        stack: AsyncExitStack,
        limits: Limits,
        timeouts: Timeouts,
    ) -> None:
        self.region: Final[str] = place["region_name"]
        self._place = place
        self._session = session
        self._stack = stack
        self._limits = limits
        self._timeouts = timeouts
        self._clients: dict[tuple[str, str], Any] = {}
        self._opening = asyncio.Lock()

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one request, once, and return AWS's response without its metadata.

        See :class:`~activities.operation.Aws`. Refused before anything is sent: a function of
        another region (``WrongRegion``), and a call that the rate limit does not admit in time
        (``RateLimited``). The timeouts together limit the call; a request that was sent may still
        take effect after them.
        """
        refuse_other_region(operation, parameters, region=self.region)
        send, shape = await self._get_method(service, operation)
        if service in RATE_LIMITED_SERVICES:
            await self._limits.acquire(operation)
        outcome = "Cancelled"
        try:
            async with asyncio.timeout(self._timeouts.compute_call_seconds(operation, parameters)):
                response = await _read_streams(operation, await send(**parameters))
                refuse_mismatch(operation, response, shape)
            outcome = "ok"
        except _CALL_ERRORS as failure:
            error = _translate_error(operation, failure, parameters)
            if (
                service in RATE_LIMITED_SERVICES
                and isinstance(failure, ClientError)
                and is_about_call_rate(failure.response)
            ):
                self._limits.report_fault(operation, classify_error(error))
            outcome = classify_error(error)
            raise error from None
        except AwsError as error:
            outcome = classify_error(error)
            raise
        finally:
            if service == "lambda":
                count_call(operation, str(outcome))
        return response

    async def download(self, url: str, *, limit: int) -> bytes:
        """Return the content of a presigned URL, at most ``limit`` bytes.

        Raises :class:`~activities.errors.AwsError`, which does not hold the URL: it is a secret.
        """
        return await download_package(
            url,
            limit=limit,
            timeouts=self._timeouts,
            ca_bundle=self._session.get_config_variable("ca_bundle"),
            proxy=get_environ_proxies(url).get(url.partition(":")[0]),
        )

    async def open_client(self, service: str, kind: str) -> Any:
        """Return the client of a service for ``read``, ``write`` or ``invoke``.

        A client is made at its first use, and then shared.
        """
        async with self._opening:
            if (service, kind) not in self._clients:
                self._clients[service, kind] = await self._make_client(service, kind)
            return self._clients[service, kind]

    async def _make_client(self, service: str, kind: str) -> Any:
        is_read = kind == "read"
        single_send: dict[str, Any] = {} if is_read else {"http_session_cls": _SingleSendSession}
        config = AioConfig(
            retries={"total_max_attempts": 1},
            connect_timeout=self._timeouts.connect,
            read_timeout=self._timeouts.invoke if kind == "invoke" else self._timeouts.read,
            max_pool_connections=_MAX_CONNECTIONS,
            connector_args={"socket_factory": open_keepalive_socket}
            | ({} if is_read else {"force_close": True, "keepalive_timeout": None}),
            user_agent_extra="lambda-releases",
            **single_send,
        )
        client = await self._stack.enter_async_context(
            self._session.create_client(service, config=config, **self._place)
        )
        client.meta.events.register(BEFORE_SEND, name_release)
        client.meta.events.register(BEFORE_SIGN, make_region_check(self.region))
        if client.meta.service_model.resolved_protocol in {"rest-json", "json"}:
            client.meta.events.register(
                f"before-parse.{client.meta.service_model.service_id.hyphenize()}",
                _refuse_malformed_json,
            )
        return client

    async def _get_method(self, service: str, operation: str) -> tuple[Any, Any]:
        """Return the client's method for an operation, and botocore's output shape."""
        try:
            client = await self.open_client(service, find_kind(operation))
        except BotoCoreError as problem:
            raise _translate_error(operation, problem, {}) from None
        except ValueError as problem:
            raise AwsError(operation, "InvalidConfigError", redact(str(problem), {})) from None
        send = getattr(client, operation)
        name = client.meta.method_to_api_mapping[operation]
        return send, client.meta.service_model.operation_model(name).output_shape


class _SingleSendSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """An HTTP session that never repeats a request.

    aiohttp has no public switch for its own retries; a test counts the requests that arrive.
    """

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = await super()._get_session(proxy_url)
        session._retry_connection = False  # noqa: SLF001 - see above
        return session


class _NotJsonError(ResponseParserError):  # type: ignore[misc]  # botocore has no types
    """A body that is not JSON, in a text of ours: botocore's quotes the response."""


def _translate_error(  # noqa: PLR0911 - one return for each kind of failure
    operation: str, failure: BaseException, request: Mapping[str, Any]
) -> AwsError:
    """Return an exception of botocore's, aiohttp's or the network's as an AwsError."""
    cause = getattr(failure, "kwargs", {}).get("error")
    problem = type(cause or failure).__name__
    match failure:
        case ClientError():
            return parse_error_response(operation, failure.response, request)
        case ParamValidationError():
            report = failure.kwargs.get("report", "")
            return AwsError(operation, "ParamValidationError", summarize_validation_report(report))
        case TimeoutError() if not isinstance(failure, BotoCoreError):
            return AwsError(operation, "ReadTimeoutError", "no response in time")
        case HTTPClientError() if isinstance(cause, aiohttp.ClientResponseError):
            return AwsError(operation, "ResponseParserError", "the answer is not HTTP")
        case ProxyConnectionError() if is_proxy_login(cause):
            return AwsError(operation, "Http407", "the proxy asks for credentials", status=407)
        case RuntimeError() if "credentials" in str(failure):  # botocore has no class for it
            return AwsError(operation, "CredentialsExpired", "the renewed credentials are expired")
        case BotoCoreError() if type(failure) in _BROKEN and not isinstance(cause, _NOT_CONNECTED):
            return AwsError(operation, "HTTPClientError", f"the connection broke: {problem}")
        case BotoCoreError() | _NotJsonError():
            # The code is the name of botocore's own class: aiobotocore and this module derive some.
            kinds = type(failure).__mro__
            code = next(k.__name__ for k in kinds if k.__module__.startswith("botocore."))
            return AwsError(operation, code, redact(str(failure), request, operation=operation))
        case aiohttp.ClientError() | OSError():
            return AwsError(operation, "ConnectionError", f"the connection broke: {problem}")
        case _:
            return AwsError(
                operation, "ResponseParserError", "the answer is not as AWS describes it"
            )


async def _read_streams(operation: str, response: dict[str, Any]) -> dict[str, Any]:
    """Drop botocore's metadata from a response, but for AWS's clock; read streams to bytes."""
    response |= take_clock(operation, response.pop("ResponseMetadata", {}))
    for name, value in response.items():
        if isinstance(value, AioStreamingBody):
            async with value:
                response[name] = await read_bounded(operation, value, _MAX_RESPONSE_BYTES)
    return response


def _refuse_malformed_json(response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
    """Raise for a body that is not JSON (a proxy's page, half a response, nothing).

    botocore takes such a body for a response without members.
    """
    if is_malformed_json(
        response_dict["body"], response_dict["status_code"], operation_model.output_shape
    ):
        raise _NotJsonError("the answer is not JSON") from None
