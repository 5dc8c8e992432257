"""ministack's Step Functions, whose calls of Lambda go to the stand-in.

``python -m tests.bench.step_functions_emulator <url>`` starts it. ministack passes such a call to
its own Lambda. A handler in its place forwards the call, so that ministack's Lambda is not
measured. Step Functions itself is unchanged.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from deploy.local.awslambda import environment


def main(url: str) -> None:
    """Serve on a free port until SIGTERM or SIGINT; prints ``ready <url>``."""
    listener = environment.open_socket(0)
    port = listener.getsockname()[1]
    directory = Path(tempfile.mkdtemp(prefix="bench-machine-"))
    try:
        environment.enter_environment(
            port=port,
            directory=directory,
            state=None,
            delays=environment.Delays(settle=0, provision=0),
        )
        # Imported only now: ministack reads the environment while it is imported.
        from ministack import app  # noqa: PLC0415

        from deploy.local.awslambda import server  # noqa: PLC0415

        app.SERVICE_HANDLERS["lambda"] = _Forward(url)
        asyncio.run(
            server.run_server(
                listener, f"http://127.0.0.1:{port}", stop_signals=(signal.SIGTERM, signal.SIGINT)
            )
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Forward:
    """A service handler of ministack that forwards requests."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: aiohttp.ClientSession | None = None

    async def __call__(
        self, method: str, path: str, _: Any, body: bytes, query: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        self._http = self._http or aiohttp.ClientSession()
        target = f"{self._url}{path}" + (f"?{urlencode(query)}" if query else "")
        async with self._http.request(method, target, data=body) as response:
            content = await response.read()
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {content!r}")
            return response.status, {"Content-Type": "application/json"}, content


if __name__ == "__main__":
    main(sys.argv[1])
