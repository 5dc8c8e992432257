"""Serves ministack, with what was added to it, on a socket that is listening already."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterable
from typing import Any

import hypercorn.asyncio
from hypercorn.config import Config

from deploy.local.awslambda import settling, upstream


async def serve(listening: socket.socket, url: str, *, until: Iterable[signal.Signals]) -> None:
    """Answer requests until one of these signals comes. Prints ``ready <url>`` once it does."""
    stop = asyncio.Event()
    for number in until:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def announce(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                settling.recover()
                print(f"ready {url}", flush=True)
            await send(message)

        await upstream.app(scope, receive, announce if scope["type"] == "lifespan" else send)

    try:
        await hypercorn.asyncio.serve(app, _config(listening), shutdown_trigger=stop.wait)
    finally:
        upstream.stop_workers()  # functions that still run end here, so that nothing after this waits for them


def _config(listening: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2
    return config
