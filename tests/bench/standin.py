"""A stand-in for AWS Lambda that costs next to nothing, so that what is measured is the contenders: a process of its own.

``python -m tests.bench.standin`` prints ``ready <url>``. It keeps functions, versions and aliases with AWS's rules about revisions
(412), updates in progress (409) and code that settles later, and counts every call. ``PUT /bench/<prefix>/<count>`` makes functions
``<prefix>-0`` … with version 1 behind ``live``; ``GET /bench/<prefix>`` tells how they are and what was asked about them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import parse_qs, unquote

from tests.bench.pipeline import LIVE, SETTLE

_ARN: Final = "arn:aws:lambda:us-east-1:123456789012:function:"
_ROLE: Final = "arn:aws:iam::123456789012:role/bench"
_revisions = (f"00000000-0000-4000-8000-{number:012}" for number in itertools.count(1))


class Refused(Exception):
    """An error as AWS gives it: status, code, message."""


@dataclass
class Function:
    """One function with its versions and aliases."""

    name: str
    code: bytes = b"1"
    revision: str = field(default_factory=lambda: next(_revisions))
    settles_at: float = 0.0
    versions: dict[str, bytes] = field(default_factory=lambda: {"1": b"1"})
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    moved_at: float = 0.0
    """When the alias was last written, by the clock of the machine."""

    def told(self) -> dict[str, Any]:
        """How it is, for the benchmark."""
        alias = self.aliases[LIVE]
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        live, versions = alias["FunctionVersion"], len(self.versions)
        return {
            "live": live,
            "weights": weights,
            "versions": versions,
            "moved_at": self.moved_at,
            "calls": self.calls,
        }

    def configuration(self, version: str | None = None) -> dict[str, Any]:
        """FunctionConfiguration of ``$LATEST`` or of a version, with as much in it as AWS's has."""
        code = self.code if version is None else self.versions[version]
        busy = version is None and self.busy()
        return {
            "FunctionName": self.name,
            "FunctionArn": f"{_ARN}{self.name}" + (f":{version}" if version else ""),
            "Runtime": "python3.13",
            "Role": _ROLE,
            "Handler": "index.handler",
            "CodeSize": len(code),
            "Description": "",
            "Timeout": 3,
            "MemorySize": 128,
            "LastModified": "2026-01-01T00:00:00.000+0000",
            "CodeSha256": _sha256(code),
            "Version": version or "$LATEST",
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision,
            "State": "Active",
            "LastUpdateStatus": "InProgress" if busy else "Successful",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.name}"},
        }

    def busy(self) -> bool:
        """Whether AWS still works on the code; when it is done with that, the revision moves once more."""
        if self.settles_at and time.monotonic() >= self.settles_at:
            self.settles_at, self.revision = 0.0, next(_revisions)
        return bool(self.settles_at)

    def change(self, asked: dict[str, Any]) -> None:
        """Refuse a change of ``$LATEST`` that AWS would refuse."""
        if self.busy():
            raise Refused(
                409,
                "ResourceConflictException",
                f"An update is in progress for resource: {_ARN}{self.name}",
            )
        _same(asked, self.revision)


def _sha256(code: bytes) -> str:
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


def _same(asked: dict[str, Any], revision: str) -> None:
    if asked.get("RevisionId") not in {None, revision}:
        raise Refused(
            412,
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId.",
        )


class Lambda:
    """The operations of the pipeline, and those that undo it."""

    def __init__(self) -> None:
        """No functions yet."""
        self.url = ""
        self.functions: dict[str, Function] = {}

    def get_function(self, at: Function, asked: dict[str, Any]) -> dict[str, Any]:
        """The function or a version of it, with an address that gives its code."""
        qualifier = asked.get("Qualifier")
        if qualifier not in {None, "$LATEST", *at.versions}:
            raise Refused(
                404, "ResourceNotFoundException", f"Function not found: {_ARN}{at.name}:{qualifier}"
            )
        location = {
            "RepositoryType": "S3",
            "Location": f"{self.url}/code/{at.name}/{qualifier or '$LATEST'}?X-Amz-Signature={'0' * 1200}",
        }
        return {
            "Configuration": at.configuration(None if qualifier == "$LATEST" else qualifier),
            "Code": location,
            "Tags": {"team": "bench"},
        }

    def update_function_code(self, at: Function, asked: dict[str, Any]) -> dict[str, Any]:
        """New code, from S3 or sent along, on which AWS then works for a while."""
        at.change(asked)
        at.code = (
            base64.b64decode(asked["ZipFile"])
            if "ZipFile" in asked
            else f"{asked['S3Bucket']}/{asked['S3Key']}".encode()
        )
        at.revision, at.settles_at = next(_revisions), time.monotonic() + SETTLE
        answer = at.configuration()
        if asked.get("Publish"):
            at.versions[str(len(at.versions) + 1)] = at.code
            return answer | {"Version": str(len(at.versions))}
        return answer

    def publish_version(self, at: Function, asked: dict[str, Any]) -> dict[str, Any]:
        """A new version, or the last one where nothing changed."""
        at.change(asked)
        if asked.get("CodeSha256", _sha256(at.code)) != _sha256(at.code):
            raise Refused(
                400,
                "InvalidParameterValueException",
                "CodeSHA256 is different from current CodeSHA256",
            )
        last = str(len(at.versions))
        if at.versions[last] != at.code:
            last = str(len(at.versions) + 1)
            at.versions[last], at.revision = at.code, next(_revisions)
        return at.configuration(last) | {"Description": asked.get("Description", "")}

    def get_alias(self, at: Function, asked: dict[str, Any]) -> dict[str, Any]:
        """Where an alias points."""
        return at.aliases[asked["Name"]]

    def update_alias(self, at: Function, asked: dict[str, Any]) -> dict[str, Any]:
        """Move an alias, and note when."""
        alias = at.aliases[asked["Name"]]
        _same(asked, alias["RevisionId"])
        unknown = {
            asked.get("FunctionVersion", "1"),
            *(asked.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {}),
        } - {*at.versions}
        if unknown:
            raise Refused(
                404,
                "ResourceNotFoundException",
                f"Function not found: {_ARN}{at.name}:{unknown.pop()}",
            )
        alias |= {
            name: asked[name] for name in ("FunctionVersion", "RoutingConfig") if name in asked
        } | {"RevisionId": next(_revisions)}
        at.moved_at = time.time()
        return alias

    def get_provisioned_concurrency_config(
        self, at: Function, asked: dict[str, Any]
    ) -> dict[str, Any]:
        """None is provisioned."""
        message = (
            f"No Provisioned Concurrency Config found for function {at.name} {asked['Qualifier']}"
        )
        raise Refused(404, "ProvisionedConcurrencyConfigNotFoundException", message)

    # --- the benchmark's own ------------------------------------------------------------------------------------------------------

    def make(self, prefix: str, count: int) -> None:
        """Functions with version 1 behind ``live``."""
        for number in range(count):
            at = self.functions[f"{prefix}-{number}"] = Function(f"{prefix}-{number}")
            arn = f"{_ARN}{at.name}:{LIVE}"
            at.aliases[LIVE] = {
                "AliasArn": arn,
                "Name": LIVE,
                "FunctionVersion": "1",
                "Description": "",
                "RevisionId": next(_revisions),
            }

    def told(self, prefix: str) -> dict[str, Any]:
        """How the functions of this prefix are."""
        return {
            name: at.told()
            for name, at in self.functions.items()
            if name.rpartition("-")[0] == prefix
        }


_ROUTES: Final = tuple(
    (verb, re.compile(pattern), operation)
    for verb, pattern, operation in (
        ("GET", r"/2015-03-31/functions/(?P<FunctionName>[^/]+)", "get_function"),
        ("PUT", r"/2015-03-31/functions/(?P<FunctionName>[^/]+)/code", "update_function_code"),
        ("POST", r"/2015-03-31/functions/(?P<FunctionName>[^/]+)/versions", "publish_version"),
        (
            "GET",
            r"/2015-03-31/functions/(?P<FunctionName>[^/]+)/aliases/(?P<Name>[^/]+)",
            "get_alias",
        ),
        (
            "PUT",
            r"/2015-03-31/functions/(?P<FunctionName>[^/]+)/aliases/(?P<Name>[^/]+)",
            "update_alias",
        ),
        (
            "GET",
            r"/2019-09-30/functions/(?P<FunctionName>[^/]+)/provisioned-concurrency",
            "get_provisioned_concurrency_config",
        ),
    )
)


class _Http(asyncio.Protocol):
    """Just enough of HTTP/1.1: one request after the other on a connection, bodies by Content-Length."""

    def __init__(self, aws: Lambda) -> None:
        self._aws = aws
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
            self._transport.write(self._answer(method, target, body))
            if re.search(r"\r\nconnection: *close", head, re.IGNORECASE):
                self._transport.close()

    def _answer(self, method: str, target: str, body: bytes) -> bytes:
        path, _, query = target.partition("?")
        if path.startswith("/code/"):
            _, _, name, version = unquote(path).split("/")
            at = self._aws.functions[name]
            return _bytes(200, at.code if version == "$LATEST" else at.versions[version])
        if path == "/":  # CloudWatch, which is asked for nothing but alarms
            alarms = [
                {"AlarmName": name, "StateValue": "OK", "StateReason": "quiet"}
                for name in json.loads(body)["AlarmNames"]
            ]
            return _bytes(200, {"MetricAlarms": alarms, "CompositeAlarms": []})
        if path.startswith("/bench/"):
            _, _, prefix, *count = path.split("/")
            if count:
                self._aws.make(prefix, int(count[0]))
            return _bytes(200, self._aws.told(prefix))
        for verb, pattern, operation in _ROUTES:
            if verb == method and (match := pattern.fullmatch(unquote(path.rstrip("/")))):
                asked = (
                    match.groupdict()
                    | {name: values[0] for name, values in parse_qs(query).items()}
                    | (json.loads(body) if body else {})
                )
                return self._operate(operation, asked)
        return _bytes(
            400, {"Message": f"the stand-in does not know {method} {path}"}, "InvalidRequest"
        )

    def _operate(self, operation: str, asked: dict[str, Any]) -> bytes:
        at = self._aws.functions.get(asked["FunctionName"].removeprefix(_ARN))
        if at is None:
            return _bytes(
                404,
                {"Message": f"Function not found: {_ARN}{asked['FunctionName']}"},
                "ResourceNotFoundException",
            )
        at.calls[operation] += 1
        try:
            return _bytes(200, getattr(self._aws, operation)(at, asked))
        except Refused as refused:
            status, code, message = refused.args
            return _bytes(status, {"Type": "User", "Message": message}, code)


def _bytes(status: int, content: Any, code: str | None = None) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    error = f"x-amzn-ErrorType: {code}\r\n" if code else ""
    return (
        f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n{error}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


async def serve(aws: Lambda) -> asyncio.Server:
    """Answer on a free port of 127.0.0.1, which ``aws.url`` names from then on."""
    server = await asyncio.get_running_loop().create_server(
        lambda: _Http(aws), "127.0.0.1", 0, backlog=4096
    )
    aws.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    return server


async def main() -> None:
    """Serve until told to stop."""
    aws = Lambda()
    server = await serve(aws)
    print(f"ready {aws.url}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
