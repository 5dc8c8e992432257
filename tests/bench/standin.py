"""A stand-in for AWS Lambda whose cost does not blur what the benchmark measures.

``python -m tests.bench.standin`` is a process of its own and prints ``ready <url>``. Lambda's rules
are those of :mod:`tests.fake_lambda`, without its checks and copies, behind an HTTP server of 60
lines. Code settles :data:`~tests.bench.pipeline.SETTLE` seconds after an update; a new version is
active at once. Every call is counted.

    PUT /bench/<prefix>/<count>     makes functions <prefix>-0 …, with version 1 behind ``live``
    GET /bench/<prefix>             reports them: routing, number of versions, calls, last move

Measured on 27 November 2026: one core answers 42,000 of a release's calls a second, without
sockets. With rules of its own, as before, it was 44,000.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import parse_qs, unquote

from tests.bench.pipeline import LIVE, SETTLE
from tests.fake_lambda.account import (
    OPERATIONS,
    Account,
    Answer,
    Function,
    Package,
    Parameters,
)
from tests.fake_lambda.functions import add_function
from tests.fake_lambda.packages import get_package, put_code
from tests.fake_lambda.refusals import Refusal
from tests.fake_lambda.routing import get_weights
from tests.fake_lambda.versions import publish

REGION: Final = "us-east-1"
_SIGNATURE: Final = "0" * 1200
"""A presigned address is as long as AWS's."""
_CONFIGURATION: Final = {
    "Runtime": "python3.13",
    "Role": "arn:aws:iam::123456789012:role/bench",
    "Handler": "index.handler",
}
_FUNCTION: Final = r"/2015-03-31/functions/(?P<FunctionName>[^/]+)"
_ROUTES: Final = tuple(
    (method, re.compile(pattern), operation)
    for method, pattern, operation in (
        ("GET", _FUNCTION, "get_function"),
        ("PUT", f"{_FUNCTION}/code", "update_function_code"),
        ("POST", f"{_FUNCTION}/versions", "publish_version"),
        ("GET", f"{_FUNCTION}/aliases/(?P<Name>[^/]+)", "get_alias"),
        ("PUT", f"{_FUNCTION}/aliases/(?P<Name>[^/]+)", "update_alias"),
        ("GET", f"{_FUNCTION}/policy", "get_policy"),
        ("GET", r"/2015-03-31/event-source-mappings", "list_event_source_mappings"),
        (
            "GET",
            r"/2021-10-31/functions/(?P<FunctionName>[^/]+)/urls",
            "list_function_url_configs",
        ),
        (
            "GET",
            r"/2019-09-30/functions/(?P<FunctionName>[^/]+)/provisioned-concurrency",
            "get_provisioned_concurrency_config",
        ),
    )
)
"""The operations of a release, and those that undo it: botocore's routes, as few as there are."""


@dataclass
class Usage:
    """What was called about one function, and when its alias was last written (time.time)."""

    calls: Counter[str] = field(default_factory=Counter[str])
    moved_at: float = 0.0


class StandIn(Account):
    """An account of functions that differ in their names only."""

    def __init__(self) -> None:
        super().__init__(
            region=REGION, clock=time.monotonic, settle_seconds=SETTLE, signature=_SIGNATURE
        )
        self.usage: dict[str, Usage] = {}

    @property
    def url(self) -> str:
        """Where this is served."""
        return self.package_url

    def carry_out(self, operation: str, parameters: Parameters) -> Answer:
        """Count a request, and answer it as the fake does."""
        function, _ = self.find(parameters)
        usage = self.usage[function.name]
        usage.calls[operation] += 1
        if "S3Key" in parameters:  # every object exists
            where = parameters["S3Bucket"], parameters["S3Key"]
            self.objects[where] = "/".join(where).encode()
        answer = OPERATIONS["lambda", operation](self, parameters)
        if operation == "publish_version":
            answer.update(State="Active", LastUpdateStatus="Successful")
        if operation == "update_alias":
            usage.moved_at = time.time()
        return answer

    def describe_alarms(self, parameters: Parameters) -> Answer:
        """Every alarm exists, and is OK."""
        for name in parameters["AlarmNames"]:
            self.alarms.setdefault(name, "OK")
        return OPERATIONS["cloudwatch", "describe_alarms"](self, parameters)

    def make(self, prefix: str, packages: list[bytes], *, count: int) -> None:
        """Functions with a version for each package, the first of them behind ``live``."""
        for number in range(count):
            function = add_function(self, f"{prefix}-{number}", Package(), _CONFIGURATION)
            for package in packages:
                put_code(function, Package(package))
                self._publish(function)
            OPERATIONS["lambda", "create_alias"](
                self, {"FunctionName": function.name, "Name": LIVE, "FunctionVersion": "1"}
            )
            self.usage[function.name] = Usage()

    def _publish(self, function: Function) -> None:
        publish(self, function, "").update(State="Active", LastUpdateStatus="Successful")

    def report(self, prefix: str) -> dict[str, Any]:
        """The functions of this prefix, for the benchmark."""
        return {
            name: self._report(self.functions[name], usage)
            for name, usage in self.usage.items()
            if name.rpartition("-")[0] == prefix
        }

    @staticmethod
    def _report(function: Function, usage: Usage) -> dict[str, Any]:
        alias = function.aliases[LIVE]
        return {
            "live": alias["FunctionVersion"],
            "weights": get_weights(alias),
            "versions": len(function.versions),
            "moved_at": usage.moved_at,
            "calls": usage.calls,
        }


class HttpProtocol(asyncio.Protocol):
    """Just enough of HTTP/1.1: one request after the other, bodies by Content-Length."""

    def __init__(self, aws: StandIn) -> None:
        self.aws = aws
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1")
            found = re.search(r"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            until = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < until:
                return
            body, self._buffer = self._buffer[end + 4 : until], self._buffer[until:]
            method, target, _ = head.partition("\r\n")[0].split(" ")
            self._transport.write(self.answer(method, target, body))
            if re.search(r"\r\nconnection: *close", head, re.IGNORECASE):
                self._transport.close()

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        """The response to a request, whole."""
        path, _, query = target.partition("?")
        if method == "HEAD":  # every object exists
            return encode_response(200, b"")
        if path.startswith("/code/"):
            return encode_response(200, get_package(self.aws, unquote(path)))
        if path == "/":  # CloudWatch, which is queried for nothing but alarms
            return self.answer_alarms(json.loads(body))
        if path.startswith("/bench/"):
            _, _, prefix, *count = path.split("/")
            if count:
                self.aws.make(prefix, [b"1"], count=int(count[0]))
            return encode_response(200, self.aws.report(prefix))
        for verb, pattern, operation in _ROUTES:
            if verb == method and (match := pattern.fullmatch(unquote(path.rstrip("/")))):
                parameters = (
                    match.groupdict()
                    | {name: values[0] for name, values in parse_qs(query).items()}
                    | (json.loads(body) if body else {})
                )
                lists = parameters.pop("List", None)
                if "MaxItems" in parameters:
                    parameters["MaxItems"] = int(parameters["MaxItems"])
                if "ZipFile" in parameters:
                    parameters["ZipFile"] = base64.b64decode(parameters["ZipFile"])
                return self.answer_operation(
                    "list_provisioned_concurrency_configs" if lists else operation, parameters
                )
        message = {"Message": f"the stand-in does not know {method} {path}"}
        return encode_response(400, message, "InvalidRequest")

    def answer_operation(self, operation: str, parameters: Parameters) -> bytes:
        """The response to one of Lambda's operations."""
        try:
            return encode_response(200, self.aws.carry_out(operation, parameters))
        except Refusal as refusal:
            content = {"Type": "User", "Message": refusal.message}
            return encode_response(refusal.status, content, refusal.code)

    def answer_alarms(self, parameters: Parameters) -> bytes:
        """The response to DescribeAlarms."""
        return encode_response(200, self.aws.describe_alarms(parameters))


def encode_response(status: int, content: Any, code: str | None = None) -> bytes:
    """A response with a body of bytes, or of JSON; ``code`` is AWS's, of an error."""
    is_bytes = isinstance(content, bytes)
    body = content if is_bytes else json.dumps(content, default=datetime.timestamp).encode()
    error = f"x-amzn-ErrorType: {code}\r\n" if code else ""
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n{error}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def serve(
    aws: StandIn, protocol: Callable[[StandIn], HttpProtocol] = HttpProtocol
) -> asyncio.Server:
    """Answer on a free port of 127.0.0.1, which ``aws.url`` names from then on."""
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(aws), "127.0.0.1", 0, backlog=4096
    )
    aws.package_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    return server


async def run(aws: StandIn, protocol: Callable[[StandIn], HttpProtocol] = HttpProtocol) -> None:
    """Serve until the process is stopped; the first line of output is ``ready <url>``."""
    server = await serve(aws, protocol)
    sys.stdout.write(f"ready {aws.url}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(run(StandIn()))
