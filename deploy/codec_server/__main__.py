"""``python -m deploy.codec_server``: see :mod:`deploy.codec_server`."""

from __future__ import annotations

import asyncio
import secrets
import signal
import ssl
import sys
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web
from temporalio.converter import PayloadCodec

from deploy.codec_server.server import CodecServer
from workflows.temporal.codec_settings import read_data_converter
from workflows.temporal.connection_settings import ConnectionSettingError
from workflows.temporal.logs import configure_logging

_MIN_TOKEN_CHARACTERS = 20
_DEFAULT_ORIGINS = ["http://localhost:8233", "http://127.0.0.1:8233"]


def main(
    listen: Annotated[
        str,
        typer.Option("--listen", help="The address. Any other than 127.0.0.1 needs TLS."),
    ] = "127.0.0.1:8081",
    origin: Annotated[
        list[str],
        typer.Option("--origin", help="The origin of a Web UI that may ask. Repeat it."),
    ] = _DEFAULT_ORIGINS,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="RELEASES_CODEC_TOKEN",
            help="What a client has to send; file: and a path names a file of it. By default one "
            "is made up and printed.",
            show_default=False,
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="A certificate in PEM, for HTTPS; with --key."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="The key of the certificate.")] = None,
) -> None:
    """Serve Temporal's codec protocol with the keys of RELEASES_CODEC_KEYS (or RELEASES_CODEC).

    POST /decode and /encode need the header Authorization: Bearer TOKEN, or a
    browser that has signed in at /. See docs/encryption.md.
    """
    configure_logging("auto", "info")
    try:
        host, port = _parse_address(listen)
        context = _read_certificate(certificate, key)
        secret = _read_token(token)
        asyncio.run(_serve(host, port, secret, origin, context))
    except (ConnectionSettingError, _UsageError) as error:
        sys.stderr.write(f"codec_server: {error}\n")
        raise typer.Exit(1) from error


class _UsageError(Exception):
    """An option that means nothing; one line."""


def _parse_address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise _UsageError(f"--listen: {listen!r} is no address: host:port is needed")
    return host, int(port)


def _read_token(given: str | None) -> str | None:
    if given is None:
        return None
    path = given.removeprefix("file:")
    try:
        token = Path(path).read_text(encoding="utf-8").strip() if path != given else given
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise _UsageError(f"RELEASES_CODEC_TOKEN: {path} cannot be read: {reason}") from None
    if len(token) < _MIN_TOKEN_CHARACTERS:
        raise _UsageError(
            f"RELEASES_CODEC_TOKEN: it has {len(token)} characters, {_MIN_TOKEN_CHARACTERS} are "
            "needed: make one by openssl rand -base64 32"
        )
    return token


def _read_certificate(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise _UsageError("--certificate and --key belong together")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise _UsageError(f"--certificate {certificate}, --key {key}: {error}") from None
    return context


async def _serve(
    host: str, port: int, token: str | None, origins: list[str], context: ssl.SSLContext | None
) -> None:
    codec = await _read_codec()
    server = CodecServer(codec, token=token or secrets.token_urlsafe(32), origins=origins)
    runner = web.AppRunner(server.make_application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=context)
    try:
        await site.start()
    except OSError as error:
        raise _UsageError(f"--listen {host}:{port}: {error.strerror or error}") from None
    print(f"codec server: {site.name}, for {', '.join(origins)}", flush=True)
    if token is None:
        print(f"token (RELEASES_CODEC_TOKEN sets one): {server.token}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()


async def _read_codec() -> PayloadCodec:
    codec = (await read_data_converter()).payload_codec
    if codec is None:
        raise _UsageError("there are no keys: set RELEASES_CODEC_KEYS as the worker has it")
    return codec


if __name__ == "__main__":
    typer.run(main)
