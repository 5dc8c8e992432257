"""A gate between a worker and the local AWS: it lets through what an IAM policy allows."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, web
from botocore import xform_name

from tests.fake_lambda.http import HttpRequest, match_route, read_rest_json
from tests.policy_evaluator import Authorization, Caller, is_allowed

SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
SERVICES = {"monitoring": "cloudwatch"}
HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass
class Gate:
    """Where the worker takes AWS to be. ``calls`` are all that came, by service and operation."""

    target: str
    policy: Mapping[str, Any]
    caller: Caller
    url: str = ""
    calls: list[str] = field(default_factory=list)
    wanted: list[Authorization] = field(default_factory=list)
    denied: list[Authorization] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Gate]:
        """Serve on a free port."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        found = HttpRequest(request.method, request.path_qs, headers, await request.read())
        service, operation, parameters = read_call(found)
        self.calls.append(f"{service}.{operation}")
        for wanted in self.caller.list_authorizations(service, operation, parameters):
            self.wanted.append(wanted)
            if not is_allowed(self.policy, wanted):
                self.denied.append(wanted)
                return refuse(wanted)
        return await self._forward(request, found)

    async def _forward(self, request: web.Request, found: HttpRequest) -> web.Response:
        headers = drop_hop_by_hop(request.headers)
        async with (
            ClientSession(
                cookie_jar=DummyCookieJar(), timeout=ClientTimeout(60), auto_decompress=False
            ) as session,
            session.request(
                found.method,
                self.target + request.raw_path,
                headers=headers,
                data=found.body,
                allow_redirects=False,
            ) as answer,
        ):
            body = await answer.read()
            kept = drop_hop_by_hop(answer.headers)
            return web.Response(status=answer.status, body=body, headers=kept)


def read_call(request: HttpRequest) -> tuple[str, str, dict[str, Any]]:
    """The service, the operation and the parameters of a request, by how each service spells it."""
    signed = SIGNED_FOR.search(request.headers.get("authorization", ""))
    assert signed, f"{request.method} {request.path} is not signed"
    service = SERVICES.get(signed["service"], signed["service"])
    if service == "lambda":
        found = match_route(request.method, request.path)
        assert found, f"{request.method} {request.path} is no operation of Lambda's"
        name, path = found
        if "List" in request.query:  # the one path of two operations
            name = "ListProvisionedConcurrencyConfigs"
        return service, str(xform_name(name)), read_rest_json(request, name, path)
    if service == "s3":
        assert request.method == "HEAD", request.target
        _, bucket, key = request.path.split("/", 2)
        version = request.query.get("versionId")
        where = {"Bucket": bucket, "Key": key}
        return service, "head_object", where | ({"VersionId": version[0]} if version else {})
    if target := request.headers.get("x-amz-target"):
        parameters: dict[str, Any] = json.loads(request.body)
        return service, str(xform_name(target.rpartition(".")[2])), parameters
    if "/operation/" in request.path:  # in CBOR: what it is about does not matter to CloudWatch
        return service, str(xform_name(request.path.rpartition("/")[2])), {}
    form = parse_qs(request.body.decode())
    return service, str(xform_name(form["Action"][0])), {}


def refuse(wanted: Authorization) -> web.Response:
    """What AWS answers where IAM does not allow it."""
    text = f"User is not authorized to perform: {wanted.action} on resource: {wanted.resource}"
    return web.json_response(
        {"Message": text, "message": text, "__type": "AccessDeniedException"},
        status=403,
        headers={"x-amzn-ErrorType": "AccessDeniedException"},
    )


def drop_hop_by_hop(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are the request's or the answer's, and not the connection's."""
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
