"""The HTTP server of Temporal's codec protocol, with a token, and CORS for the Web UI."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import structlog
from aiohttp import web
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from workflows.temporal.codec_keys import UnreadablePayload

_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of one request: a page of a history in the Web UI is one, and a payload has up to 2 MiB."""

_COOKIE: Final = "releases_codec"
_CORS: Final = {
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Namespace",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Max-Age": "600",
    "Vary": "Origin",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Codec server of lambda-releases</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto }}</style>
<h1>Codec server</h1>
<p>{text}</p>
{form}
</html>
"""
_FORM: Final = """<form method="post" action="/"><label>Token
<input type="password" name="token" required autofocus></label> <button>Sign in</button></form>"""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_SIGN_IN: Final = "Sign in to have this browser's Temporal Web UI show what is encrypted."
_SIGNED_IN: Final = (
    "Signed in. In the Web UI, open the codec settings (the glasses at the top), enter this "
    "server's address, and choose to include cross-origin credentials."
)
_WRONG: Final = "That is not the token."
_NEEDED: Final = "Authorization: Bearer TOKEN is needed, or a sign-in at this server's address"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log: structlog.stdlib.BoundLogger = structlog.get_logger("codec_server")


class CodecServer:
    """Decrypts and encrypts for whoever has the token.

    A browser that has signed in has a cookie in its place, since the Web UI sends no token of its
    own where nobody logs in to it. It counts only for requests of an allowed origin.
    """

    def __init__(self, codec: PayloadCodec, *, token: str, origins: Collection[str]) -> None:
        """``origins`` are those of the Web UIs, such as ``http://localhost:8233``."""
        self._codec = codec
        self.token: Final = token
        self._cookie = hmac.new(token.encode(), b"cookie", hashlib.sha256).hexdigest()
        self._origins = frozenset(origins)

    def make_application(self) -> web.Application:
        """Make the application: ``/encode``, ``/decode``, and the sign-in at ``/``."""
        application = web.Application(client_max_size=_MAX_BYTES, middlewares=[self._allow_origin])
        application.router.add_post("/encode", self._encode)
        application.router.add_post("/decode", self._decode)
        application.router.add_get("/", self._show_page)
        application.router.add_post("/", self._sign_in)
        application.router.add_get("/healthz", _answer_health)
        return application

    @web.middleware
    async def _allow_origin(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin", "")
        if request.method == "OPTIONS":
            response: web.StreamResponse = web.Response(status=204)
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = web.Response(status=error.status, text=error.text)
        if origin in self._origins:
            response.headers.update({**_CORS, "Access-Control-Allow-Origin": origin})
        response.headers.update(_HEADERS)
        log.info(
            "answered",
            method=request.method,
            path=request.path,
            status=response.status,
            remote=request.remote,
            origin=origin,
        )
        return response

    async def _encode(self, request: web.Request) -> web.Response:
        return await self._answer(request, self._codec.encode)

    async def _decode(self, request: web.Request) -> web.Response:
        return await self._answer(request, self._codec.decode)

    async def _answer(
        self, request: web.Request, work: Callable[[Sequence[Payload]], Awaitable[list[Payload]]]
    ) -> web.Response:
        self._refuse_strangers(request)
        try:
            given = Parse(await request.text(), Payloads())
        except (ParseError, UnicodeDecodeError):
            return web.Response(status=400, text="the body is no temporal.api.common.v1.Payloads")
        try:
            payloads = Payloads(payloads=await work(given.payloads))
        except UnreadablePayload as error:
            return web.Response(status=400, text=str(error))
        return web.Response(text=MessageToJson(payloads), content_type="application/json")

    def _refuse_strangers(self, request: web.Request) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and _is_same(token.strip(), self.token):
            return
        is_of_ui = request.headers.get("Origin", "") in self._origins
        if is_of_ui and _is_same(request.cookies.get(_COOKIE, ""), self._cookie):
            return
        raise web.HTTPUnauthorized(text=_NEEDED)

    async def _show_page(self, request: web.Request) -> web.Response:
        is_signed_in = _is_same(request.cookies.get(_COOKIE, ""), self._cookie)
        return _make_page(_SIGNED_IN) if is_signed_in else _make_page(_SIGN_IN, form=_FORM)

    async def _sign_in(self, request: web.Request) -> web.Response:
        fields = await request.post()
        if not _is_same(str(fields.get("token", "")).strip(), self.token):
            return _make_page(_WRONG, form=_FORM, status=401)
        response = _make_page(_SIGNED_IN)
        response.set_cookie(
            _COOKIE, self._cookie, httponly=True, samesite="Strict", secure=_is_https(request)
        )
        return response


async def _answer_health(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def _make_page(text: str, *, form: str = "", status: int = 200) -> web.Response:
    page = _PAGE.format(text=text, form=form)
    return web.Response(text=page, status=status, content_type="text/html")


def _is_https(request: web.Request) -> bool:
    """Whether the browser has come by TLS, which a proxy before this server may end."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def _is_same(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
