"""The web server of a worker: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for probes.

The metrics are those of Temporal's SDK, which serves them at an address of its own: a free port of
this machine that nobody else needs to know.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp import web

from workflows.worker.readiness import Readiness
from workflows.worker.settings import WorkerStartError

_LOCAL: Final = "127.0.0.1"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_MAX_PORT: Final = 65_535
_PLACES: Final = "places"
_ALL: Final = "all"


def parse_address(value: str) -> tuple[str, int]:
    """Parse ``host:port``; a host that is left out is every interface.

    Raises :class:`WorkerStartError`.
    """
    host, _, port = value.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        raise WorkerStartError(
            f"RELEASES_METRICS: {value[:100]!r} is no address: host:port, such as 127.0.0.1:9464, "
            "or :9464 for every interface"
        )
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - the operator leaves it out


def find_free_address() -> str:
    """Return an address of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind((_LOCAL, 0))
        return f"{_LOCAL}:{probe.getsockname()[1]}"


@asynccontextmanager
async def serve(
    address: tuple[str, int], *, metrics: str, readiness: Readiness
) -> AsyncGenerator[None]:
    """Serve at ``address`` as long as the context lasts.

    ``metrics`` is the address of the SDK's metrics. A process of which one place is ready is ready:
    it works, and another one in its stead would do no better. ``/readyz?places=all`` is stricter.
    Raises :class:`WorkerStartError` where the address is not free.
    """
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:

        async def get_metrics(_: web.Request) -> web.Response:
            async with session.get(f"http://{metrics}/metrics") as found:
                return web.Response(text=await found.text(), status=found.status)

        async def get_health(_: web.Request) -> web.Response:
            return web.Response(text="ok\n")

        async def get_readiness(request: web.Request) -> web.Response:
            problems = readiness.find_problems()
            is_ready = not problems or (
                readiness.is_partly_ready() and request.query.get(_PLACES) != _ALL
            )
            lines = ["ok", *problems] if is_ready else problems
            status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            return web.Response(text="\n".join(lines) + "\n", status=status)

        app = web.Application()
        app.router.add_get("/metrics", get_metrics)
        app.router.add_get("/healthz", get_health)
        app.router.add_get("/readyz", get_readiness)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, *address).start()
            except OSError as error:
                host, port = address
                raise WorkerStartError(
                    f"RELEASES_METRICS: cannot listen on {host}:{port}: {error.strerror or error}"
                ) from error
            yield
        finally:
            await runner.cleanup()
