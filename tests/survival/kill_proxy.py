"""A proxy before the local Lambda that kills a process before or after one chosen write."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

import aiohttp
from aiohttp import web

When = Literal["before", "after"]

_WRITES = {
    ("PUT", r"/code$"): "update_function_code",
    ("PUT", r"/configuration$"): "update_function_configuration",
    ("POST", r"/versions$"): "publish_version",
    ("PUT", r"/aliases/[^/]+$"): "update_alias",
    ("POST", r"/aliases$"): "create_alias",
    ("DELETE", r"/aliases/[^/]+$"): "delete_alias",
    ("PUT", r"/provisioned-concurrency$"): "put_provisioned_concurrency_config",
    ("DELETE", r"/provisioned-concurrency$"): "delete_provisioned_concurrency_config",
    ("PUT", r"/concurrency$"): "put_function_concurrency",
    ("DELETE", r"/concurrency$"): "delete_function_concurrency",
    ("POST", r"/invocations$"): "invoke",
}


def classify_write(method: str, path: str) -> str | None:
    """The name of the write that a request is, if it is one."""
    return next(
        (
            name
            for (verb, pattern), name in _WRITES.items()
            if verb == method and re.search(pattern, path)
        ),
        None,
    )


async def forward_request(
    session: aiohttp.ClientSession, endpoint: str, request: web.BaseRequest
) -> web.Response:
    """Forward a request; return its response unchanged."""
    body = await request.read()
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in {"host", "content-length", "transfer-encoding"}
    }
    async with session.request(
        request.method, endpoint + request.path_qs, data=body, headers=headers
    ) as answer:
        content = await answer.read()
        dropped = {"transfer-encoding", "connection", "date", "server"} | (
            {"content-length"} if request.method != "HEAD" else set()
        )
        kept = {
            name: value for name, value in answer.headers.items() if name.lower() not in dropped
        }
        return web.Response(status=answer.status, body=content, headers=kept)


@dataclass
class KillProxy:
    """Kills once: ``async with KillProxy(endpoint, "update_alias", 2, "after", kill)``.

    This one kills after the second ``update_alias``.
    """

    endpoint: str
    write: str
    occurrence: int
    when: When
    kill: Callable[[], Awaitable[None]]
    writes: list[str] = field(default_factory=list)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=100 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        write = classify_write(request.method, request.path)
        if write:
            self.writes.append(write)
        strikes = (
            write == self.write
            and self.writes.count(write) == self.occurrence
            and not self.struck.is_set()
        )
        if strikes and self.when == "before":
            return await self._strike(request)
        answer = await forward_request(self._session, self.endpoint, request)
        return await self._strike(request) if strikes else answer

    async def _strike(self, request: web.Request) -> web.StreamResponse:
        self.struck.set()
        await self.kill()
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
