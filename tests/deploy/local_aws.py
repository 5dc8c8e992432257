"""The local Lambda with its sample, in a container: other containers reach it at port 4566.

The local Lambda listens on 127.0.0.1 only. This process, which runs in a network of its own,
forwards to it.
"""

from __future__ import annotations

import asyncio
import contextlib

from deploy.local import sample
from deploy.local.emulator import LocalLambda

PORT = 4566


async def main() -> None:
    """Serve until SIGTERM ends it."""
    async with LocalLambda.start() as aws:
        async with sample.Clients.connect(aws) as clients:
            await sample.create_sample(clients)
        local = int(aws.endpoint_url.rpartition(":")[2])

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", local)
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

        server = await asyncio.start_server(forward, "0.0.0.0", PORT)
        await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
