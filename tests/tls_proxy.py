"""A proxy that speaks TLS before a Temporal server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import trustme


class TlsProxy:
    """Speaks TLS before a Temporal server, and wants a client certificate of one authority."""

    def __init__(self, upstream: str, authority: trustme.CA) -> None:
        self._host, _, port = upstream.rpartition(":")
        self._port = int(port)
        self._own = authority.issue_cert("localhost", "127.0.0.1")
        self._server: asyncio.Server | None = None
        self._open = set[asyncio.Task[None]]()
        self.port = 0

    async def start(self, clients: trustme.CA) -> None:
        """Serve clients with a certificate of ``clients``; end all connections of before."""
        await self.stop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.configure_cert(context)
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["h2"])
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        there, back = await asyncio.open_connection(self._host, self._port)
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                await asyncio.wait(
                    [
                        asyncio.ensure_future(_pipe(reader, back)),
                        asyncio.ensure_future(_pipe(there, writer)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            self._open.discard(task)
            back.close()
            writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
