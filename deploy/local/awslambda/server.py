"""Serves ministack, with what is added to it, on a socket that listens already."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterable
from types import FrameType
from typing import Any

import hypercorn.asyncio
from hypercorn.config import Config

from deploy.local.awslambda import ministack_api, settling


async def run_server(
    listener: socket.socket, url: str, *, stop_signals: Iterable[signal.Signals]
) -> None:
    """Serve until one of the signals arrives. Prints ``ready <url>`` once it does.

    The signals stay without further effect after that, so that a second one cannot interrupt the
    removal of files.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    # Not loop.add_signal_handler: the loop restores the default handlers when it closes, and a
    # second SIGTERM would kill the process then. There may be one: the parent death signal is sent
    # whenever the thread ends that the process is attached to, and a killed parent has several.
    for number in stop_signals:
        signal.signal(number, request_stop)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def announce(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                settling.finish_changes()
                print(f"ready {url}", flush=True)
            await send(message)

        await ministack_api.app(scope, receive, announce if scope["type"] == "lifespan" else send)

    try:
        await hypercorn.asyncio.serve(app, _build_config(listener), shutdown_trigger=stop.wait)
    finally:
        # Functions that still run end here, so that nothing afterwards waits for them.
        ministack_api.stop_workers()


def _build_config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2
    return config
