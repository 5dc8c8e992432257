"""ministack's Step Functions, whose SDK integration for Lambda reaches our stand-in: ``python -m tests.bench.step_functions_emulator <url>``.

ministack hands such a call to its own Lambda; here a handler in that one's place passes it on, so that it is not ministack's Lambda that is
measured. Of Step Functions itself nothing is changed.
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
    """Serve on a free port until told to stop; prints ``ready <url>``."""
    listening = environment.open_socket(0)
    port = listening.getsockname()[1]
    directory = Path(tempfile.mkdtemp(prefix="bench-machine-"))
    try:
        environment.enter_environment(
            port=port,
            directory=directory,
            state=None,
            delays=environment.Delays(settle=0, provision=0),
        )
        # Only now: ministack reads its environment as it is imported.
        from ministack import app  # noqa: PLC0415

        from deploy.local.awslambda import server  # noqa: PLC0415

        app.SERVICE_HANDLERS["lambda"] = _Forward(url)
        asyncio.run(
            server.run_server(
                listening, f"http://127.0.0.1:{port}", stop_signals=(signal.SIGTERM, signal.SIGINT)
            )
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Forward:
    """A handler as ministack's are."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: aiohttp.ClientSession | None = None

    async def __call__(
        self, method: str, path: str, _: Any, body: bytes, query: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        self._http = self._http or aiohttp.ClientSession()
        target = f"{self._url}{path}" + (f"?{urlencode(query)}" if query else "")
        async with self._http.request(method, target, data=body) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {content!r}")
            return answer.status, {"Content-Type": "application/json"}, content


if __name__ == "__main__":
    main(sys.argv[1])
