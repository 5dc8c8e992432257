"""An HTTP server that fails as planned, in front of the fake Lambda or any other handler.

    async with Stub(FakeLambdaServer(fake)) as stub:
        stub.meets(DropAfter(), operation="update_alias")   # carried out, and the response is lost

Real sockets, so that the whole adapter is tested: botocore, aiohttp, time-outs, reused connections.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp

from tests.fake_lambda.http import HttpRequest, HttpResponse

# --- faults ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class DropBefore:
    """The connection is cut, and the request is not carried out."""


@dataclass(frozen=True)
class DropAfter:
    """The request is carried out, and the connection is cut before a response."""


@dataclass(frozen=True)
class ResetAfter:
    """The request is carried out, and the connection is reset (RST) before a response."""


@dataclass(frozen=True)
class Slow:
    """The request is carried out, and the response comes so many seconds later."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """This response instead; with ``commits`` the request is carried out all the same."""

    status: int
    code: str | None = None
    message: str = "no reason"
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    commits: bool = False

    @property
    def response(self) -> HttpResponse:
        """The response, an error in the form of Lambda's."""
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
    """The request is carried out, and half of the response arrives."""


Fault = DropBefore | DropAfter | ResetAfter | Slow | Answer | Truncated

THROTTLED = Answer(
    429,
    "TooManyRequestsException",
    "Rate exceeded",
    {"Reason": "CallerRateLimitExceeded"},
    {"Retry-After": "1"},
)
BROKEN = Answer(500, "ServiceException", "An error occurred and the request cannot be processed.")
NOT_JSON = Answer(200, body=b"<html>Welcome to the guest network</html>", commits=True)


# --- the server ------------------------------------------------------------------------------


_DISCARD: Final = struct.pack("ii", 1, 0)
"""``SO_LINGER`` of a socket that sends RST when it is closed."""

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Stub:
    """A server on a free port of 127.0.0.1 that keeps the requests it received."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[HttpRequest] = []
        self.connections = 0
        self._faults: list[tuple[str | None, Fault]] = []
        self._serving: set[asyncio.Task[Any]] = set()

    def meets(self, *faults: Fault, operation: str | None = None) -> None:
        """Let the next requests, of an operation if one is named, meet these faults, one each."""
        self._faults += [(operation, fault) for fault in faults]

    def sent(self, operation: str) -> int:
        """How many requests of this operation arrived."""
        return sum(request.operation == operation for request in self.requests)

    async def reset(self) -> None:
        """Cut every connection; drop the requests so far and the planned faults."""
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
        await self.reset()

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
        """Answer one request; whether the connection stays open."""
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
            case ResetAfter():
                await self.handler(request)
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
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
    """A handler that forwards every request to another server."""

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
    """A port that refuses connections, for as long as no other process takes it."""
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
