"""HTTP that fails on request: stands in front of a Lambda and loses, delays, cuts or forges its answers, one by one.

    async with Stub(TinyLambda()) as stub:
        stub.meets(DropAfter(), operation="update_alias")     # the next one commits, and nobody hears of it

Real sockets, so that what is tested is the whole adapter: botocore, aiohttp, time-outs, reused connections.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import botocore.session

# ── What may happen to a request ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class DropBefore:
    """The connection is cut before anything happens."""


@dataclass(frozen=True)
class DropAfter:
    """It happens, and the connection is cut instead of an answer."""


@dataclass(frozen=True)
class Slow:
    """It happens, and the answer comes so many seconds later."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """This answer instead; with ``commits`` it happens nevertheless."""

    status: int
    code: str | None = None
    message: str = "no reason"
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    commits: bool = False

    @property
    def response(self) -> HttpResponse:
        """The answer as AWS Lambda sends an error."""
        content = (
            self.body
            if self.body is not None
            else json.dumps({"Type": "User", "message": self.message, **self.members}).encode()
        )
        return HttpResponse(
            self.status,
            content,
            ({"x-amzn-ErrorType": self.code} if self.code else {}) | self.headers,
        )


@dataclass(frozen=True)
class Truncated:
    """It happens, and half of the answer arrives."""


Fault = DropBefore | DropAfter | Slow | Answer | Truncated

THROTTLED = Answer(
    429,
    "TooManyRequestsException",
    "Rate exceeded",
    {"Reason": "CallerRateLimitExceeded"},
    {"Retry-After": "1"},
)
BROKEN = Answer(500, "ServiceException", "An error occurred and the request cannot be processed.")
NOT_JSON = Answer(200, body=b"<html>Welcome to the guest network</html>", commits=True)


# ── Requests and answers ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class HttpRequest:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def operation(self) -> str:
        """The operation of Lambda's that this is, in snake_case; for others the target that the request names."""
        found = route(self.method, self.path)
        return (
            found[0]
            if found
            else self.headers.get("x-amz-target", self.path).rpartition(".")[2].rpartition("/")[2]
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The members of a request to Lambda, wherever on the wire they were."""
        found = route(self.method, self.path)
        assert found, f"{self.method} {self.path} is no operation of Lambda's"
        return parameters(self, *found)


@dataclass(frozen=True)
class HttpResponse:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    verbatim: bytes | None = None
    """These very bytes, HTTP or not, and the end of the connection."""


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Stub:
    """A server on a free port of 127.0.0.1 that remembers what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[HttpRequest] = []
        self.connections = 0
        self._faults: list[tuple[str | None, Fault]] = []
        self._serving: set[asyncio.Task[Any]] = set()

    def meets(self, *faults: Fault, operation: str | None = None) -> None:
        """Let the next requests (of that operation, if one is named) meet these faults, one each."""
        self._faults += [(operation, fault) for fault in faults]

    def sent(self, operation: str) -> int:
        """How often this operation arrived here."""
        return sum(request.operation == operation for request in self.requests)

    async def forget(self) -> None:
        """Cut every connection, and forget what was asked and what was to go wrong."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        self.connections = 0
        self.requests.clear()
        self._faults.clear()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.forget()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        try:
            while request := await _read(reader):
                self.requests.append(request)
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _answer(self, request: HttpRequest, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection lives on."""
        match self._fault(request):
            case None:
                response = await self.handler(request)
                writer.write(_bytes(response))
                if response.verbatim is not None:
                    await writer.drain()
                    return False
            case DropBefore():
                return False
            case DropAfter():
                await self.handler(request)
                return False
            case Slow(seconds):
                response = await self.handler(request)
                await asyncio.sleep(seconds)
                writer.write(_bytes(response))
            case Truncated():
                whole = _bytes(await self.handler(request))
                writer.write(whole[: whole.index(b"\r\n\r\n") + 6])
                await writer.drain()
                return False
            case Answer() as answer:
                if answer.commits:
                    await self.handler(request)
                writer.write(_bytes(answer.response))
        await writer.drain()
        return request.headers.get("connection", "").lower() != "close"

    def _fault(self, request: HttpRequest) -> Fault | None:
        for index, (operation, fault) in enumerate(self._faults):
            if operation in {None, request.operation}:
                del self._faults[index]
                return fault
        return None


def forward(url: str) -> Handler:
    """A handler that passes everything on to another server."""

    async def handler(request: HttpRequest) -> HttpResponse:
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method, url + request.target, headers=request.headers, data=request.body
            ) as answer,
        ):
            return HttpResponse(answer.status, await answer.read(), dict(answer.headers))

    return handler


def free_port() -> int:
    """A port that refuses connections (for as long as nobody else takes it)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _read(reader: asyncio.StreamReader) -> HttpRequest | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.strip().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)
    }
    return HttpRequest(
        method, target, headers, await reader.readexactly(int(headers.get("content-length", 0)))
    )


def _bytes(response: HttpResponse) -> bytes:
    if response.verbatim is not None:
        return response.verbatim
    headers = (
        {"Content-Type": "application/json"}
        | response.headers
        | {"Content-Length": str(len(response.body))}
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {response.status} Whatever\r\n{head}\r\n".encode() + response.body


# ── Lambda's own routes, from botocore's model ───────────────────────────────────────────────────────────────────────


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("lambda")


@cache
def _routes() -> list[tuple[str, re.Pattern[str], str]]:
    routes = []
    for name in _model().operation_names:
        http = _model().operation_model(name).http
        pattern = re.sub(
            r"\{(\w+)\}", r"(?P<\1>[^/]+)", http["requestUri"].partition("?")[0].rstrip("/")
        )
        routes.append(
            (
                http["method"],
                re.compile(pattern.replace("P<Resource>[^/]+", "P<Resource>.+") + "/?"),
                name,
            )
        )
    return routes


def route(method: str, path: str) -> tuple[str, dict[str, str], str] | None:
    """Which operation of Lambda's this is: its snake_case name, the members in the path, and its name in the model."""
    for verb, pattern, name in _routes():
        if verb == method and (match := pattern.fullmatch(path)):
            return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower(), match.groupdict(), name
    return None


def parameters(request: HttpRequest, _: str, path: dict[str, str], name: str) -> dict[str, Any]:
    """The members of a request to Lambda, from its path, query, headers and body."""
    shape = _model().operation_model(name).input_shape
    found: dict[str, Any] = dict(path)
    payload = shape.serialization.get("payload") if shape else None
    if payload:
        found[payload] = request.body
    elif request.body:
        found |= json.loads(request.body)
    for member, kind in shape.members.items() if shape else ():
        where, called = kind.serialization.get("location"), kind.serialization.get("name", member)
        if where == "querystring" and called in request.query:
            found[member] = (
                request.query[called] if kind.type_name == "list" else request.query[called][0]
            )
        elif where == "header" and called.lower() in request.headers:
            found[member] = request.headers[called.lower()]
    return found
