"""The fake over HTTP: requests read, and answers written, by botocore's service models.

Lambda speaks rest-json; CloudWatch, Systems Manager, Secrets Manager and ECR their JSON protocols,
in which a header names the operation; STS a form and XML. S3 is spoken as far as HEAD goes.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from activities.errors import AwsError
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.packages import get_package
from tests.fake_lambda.service_model import get_operation, load_service

_TARGETS = {
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "AmazonSSM": "ssm",
    "secretsmanager": "secretsmanager",
    "GraniteServiceVersion20100801": "cloudwatch",
}
"""Services by the first part of their X-Amz-Target header."""


@dataclass(frozen=True)
class HttpRequest:
    """A request: its target with the query, headers with names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def operation(self) -> str:
        """The name by which faults are planned.

        Lambda's operations in snake_case; those of other services as the request names them, or the
        last part of the path (a package by its version).
        """
        if found := match_route(self.method, self.path):
            return str(xform_name(found[0]))
        named = self.headers.get("x-amz-target", self.path)
        return named.rpartition(".")[2].rpartition("/")[2]

    @property
    def parameters(self) -> dict[str, Any]:
        """The members of a request to Lambda, wherever on the wire they were."""
        found = match_route(self.method, self.path)
        assert found, f"{self.method} {self.path} is no operation of Lambda's"
        return read_rest_json(self, *found)


@dataclass(frozen=True)
class HttpResponse:
    """A response. ``verbatim`` are bytes to send as they are before the connection ends."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    verbatim: bytes | None = None


class FakeLambdaServer:
    """A handler for :class:`~tests.activities.stub.Stub` over a :class:`FakeLambda`."""

    def __init__(self, aws: FakeLambda) -> None:
        self.aws = aws

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/code/"):
            return HttpResponse(200, get_package(self.aws, request.path))
        if "x-amz-target" in request.headers:
            return await self._answer_json(request)
        if request.method == "HEAD":
            return await self._answer_head_object(request)
        if request.path == "/":
            return await self._answer_query(request)
        return await self._answer_rest_json(request)

    async def _answer_rest_json(self, request: HttpRequest) -> HttpResponse:
        found = match_route(request.method, request.path)
        assert found, f"{request.method} {request.path} is no operation of Lambda's"
        operation = xform_name(found[0])
        try:
            answer = await self.aws.call("lambda", operation, read_rest_json(request, *found))
        except AwsError as error:
            body = json.dumps({"Type": "User", "Message": error.message}).encode()
            headers = {"x-amzn-ErrorType": error.code}
            if error.retry_after is not None:
                headers["Retry-After"] = f"{error.retry_after:g}"
            return HttpResponse(error.status, body, headers)
        return write_rest_json(get_operation("lambda", operation), answer)

    async def _answer_json(self, request: HttpRequest) -> HttpResponse:
        target, _, name = request.headers["x-amz-target"].rpartition(".")
        service, operation = _TARGETS[target], xform_name(name)
        model = get_operation(service, operation)
        version = model.service_model.metadata["jsonVersion"]
        headers = {"Content-Type": f"application/x-amz-json-{version}"}
        parameters = _read(model.input_shape, json.loads(request.body))
        try:
            answer = await self.aws.call(service, operation, parameters)
        except AwsError as error:
            body = json.dumps({"__type": error.code, "message": error.message}).encode()
            return HttpResponse(400 if error.status < 500 else error.status, body, headers)
        return HttpResponse(200, json.dumps(_write(model.output_shape, answer)).encode(), headers)

    async def _answer_head_object(self, request: HttpRequest) -> HttpResponse:
        _, bucket, *rest = request.path.split("/", 2)
        if not rest:
            return HttpResponse(200, headers={"x-amz-bucket-region": self.aws.region})
        [key] = rest
        parameters = {"Bucket": bucket, "Key": key}
        if "versionId" in request.query:
            parameters["VersionId"] = request.query["versionId"][0]
        if "x-amz-checksum-mode" in request.headers:
            parameters["ChecksumMode"] = request.headers["x-amz-checksum-mode"]
        try:
            answer = await self.aws.call("s3", "head_object", parameters)
        except AwsError as error:
            return HttpResponse(error.status or 500)
        headers = {"x-amz-checksum-sha256": answer.get("ChecksumSHA256")}
        headers["x-amz-version-id"] = answer.get("VersionId")
        return HttpResponse(200, b"", {name: text for name, text in headers.items() if text})

    async def _answer_query(self, request: HttpRequest) -> HttpResponse:
        """STS: the operation is in a form, the answer is XML."""
        form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
        name = form["Action"]
        headers = {"Content-Type": "text/xml", "Date": formatdate(usegmt=True)}
        try:
            model = get_operation("sts", xform_name(name))
            parameters = _read_form(model.input_shape, form, "") or {}
            answer = await self.aws.call("sts", xform_name(name), parameters)
        except AwsError as error:
            text = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            body = f"<ErrorResponse><Error>{text}</Error></ErrorResponse>"
            return HttpResponse(error.status or 500, body.encode(), headers)
        result = f"<{name}Result>{_write_xml(answer)}</{name}Result>"
        return HttpResponse(200, f"<{name}Response>{result}</{name}Response>".encode(), headers)


# --- query -------------------------------------------------------------------------------------


def _read_form(shape: Shape | None, form: Mapping[str, str], path: str) -> Any:
    """A value from a form, whose keys are paths such as ``Tags.member.1.Key``; None without one."""
    match shape:
        case StructureShape():
            members = {
                name: _read_form(inner, form, f"{path}.{name}" if path else name)
                for name, inner in shape.members.items()
            }
            return {name: value for name, value in members.items() if value is not None} or None
        case ListShape():
            found = []
            while (
                value := _read_form(shape.member, form, f"{path}.member.{len(found) + 1}")
            ) is not (None):
                found.append(value)
            return found or None
        case Shape():
            return form.get(path)
        case None:
            return None


def _write_xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{key}>{_write_xml(inner)}</{key}>" for key, inner in value.items())
    return escape(value.isoformat() if isinstance(value, dt.datetime) else str(value))


# --- rest-json ---------------------------------------------------------------------------------


@cache
def _list_routes() -> list[tuple[str, re.Pattern[str], str]]:
    model = load_service("lambda")
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", uri)
        pattern = pattern.replace("P<Resource>[^/]+", "P<Resource>.+")
        routes.append((http["method"], re.compile(pattern + "/?"), name))
    return routes


def match_route(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Which of Lambda's operations this is: its name in the model, members in the path."""
    for verb, pattern, name in _list_routes():
        if verb == method and (match := pattern.fullmatch(path)):
            return name, match.groupdict()
    return None


def read_rest_json(request: HttpRequest, name: str, path: Mapping[str, str]) -> dict[str, Any]:
    """The members of a request, from its path, query, headers and body."""
    shape = load_service("lambda").operation_model(name).input_shape
    found: dict[str, Any] = dict(path)
    if shape is None:
        return found
    payload = shape.serialization.get("payload")
    if payload:
        found[payload] = request.body
    elif request.body:
        found |= _read(shape, json.loads(request.body))
    for member, kind in shape.members.items():
        where = kind.serialization.get("location")
        called = kind.serialization.get("name", member)
        if where == "querystring" and called in request.query:
            values = request.query[called]
            found[member] = values if kind.type_name == "list" else _parse(kind, values[0])
        elif where == "header" and called.lower() in request.headers:
            found[member] = _parse(kind, request.headers[called.lower()])
    return found


def write_rest_json(model: OperationModel, answer: Mapping[str, Any]) -> HttpResponse:
    """An answer with its members in status, headers and body, where the model has them."""
    status, headers = model.http["responseCode"], {}
    shape = model.output_shape
    if shape is None:
        return HttpResponse(status)
    payload, body = shape.serialization.get("payload"), {}
    for member, value in answer.items():
        serialization = shape.members[member].serialization
        match serialization.get("location"):
            case "statusCode":
                status = value
            case "header":
                headers[serialization["name"]] = str(value)
            case _ if member != payload:
                body[member] = _write(shape.members[member], value)
    if payload:
        return HttpResponse(status, answer.get(payload, b""), headers)
    has_body = any(not member.serialization.get("location") for member in shape.members.values())
    return HttpResponse(status, json.dumps(body).encode() if has_body else b"", headers)


# --- JSON --------------------------------------------------------------------------------------


def _parse(shape: Shape, text: str) -> Any:
    """A value from a query or a header."""
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "boolean":
            return text == "true"
        case _:
            return text


def _read(shape: Shape | None, value: Any) -> Any:  # noqa: PLR0911 - one for each type
    """A value from JSON, in the type in which botocore takes it."""
    match shape:
        case _ if value is None:
            return None
        case StructureShape():
            return {
                name: _read(shape.members[name], inner)
                for name, inner in value.items()
                if inner is not None
            }
        case ListShape():
            return [_read(shape.member, inner) for inner in value]
        case MapShape():
            return {name: _read(shape.value, inner) for name, inner in value.items()}
        case Shape(type_name="blob"):
            return base64.b64decode(value)
        case Shape(type_name="timestamp"):
            return dt.datetime.fromtimestamp(value, dt.UTC)
        case _:
            return value


def _write(shape: Shape | None, value: Any) -> Any:
    """A value as JSON has it."""
    match shape:
        case StructureShape():
            return {name: _write(shape.members[name], inner) for name, inner in value.items()}
        case ListShape():
            return [_write(shape.member, inner) for inner in value]
        case MapShape():
            return {name: _write(shape.value, inner) for name, inner in value.items()}
        case Shape(type_name="blob"):
            return base64.b64encode(value).decode()
        case Shape(type_name="timestamp") if isinstance(value, dt.datetime):
            return value.timestamp()
        case _:
            return value
