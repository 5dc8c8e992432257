"""A Lambda in memory behind the port itself, without HTTP: every request checked by botocore's own validator, answers lost on demand."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from botocore.validate import ParamValidator

from activities.errors import AwsError
from tests.activities.model import asked
from tests.activities.tiny_lambda import Refused, TinyLambda

_LISTS = {
    "list_aliases": "Aliases",
    "list_event_source_mappings": "EventSourceMappings",
    "list_functions": "Functions",
    "list_versions_by_function": "Versions",
}


class Lambda(TinyLambda):
    """What the tiny one leaves out."""

    def list_aliases(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Aliases": list(self._function(asked).aliases.values())}


class Port:
    """An :class:`~activities.operation.Aws`. ``lose``: the next such call is carried out, and its answer never comes."""

    def __init__(self) -> None:
        self.lambda_ = Lambda()
        self.objects: dict[tuple[str, str], bytes] = {}
        self.checksums = True
        self.secrets: dict[str, str] = {}
        self.page = 50
        self.sent: list[tuple[str, Mapping[str, Any]]] = []
        self.at_once = 0
        self._busy = 0
        self._lost: set[str] = set()
        self._instead: dict[str, list[Any]] = defaultdict(list)

    def lose(self, operation: str) -> None:
        self._lost.add(operation)

    def instead(self, operation: str, *answers: dict[str, Any] | AwsError) -> None:
        """Answer the next calls of an operation with these, whatever is there."""
        self._instead[operation] += answers

    def calls(self, *operations: str) -> list[str]:
        """The names of what was sent, in order; only these, if any are named."""
        return [name for name, _ in self.sent if not operations or name in operations]

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        self.sent.append((operation, copy.deepcopy(dict(parameters))))
        self._busy += 1
        self.at_once = max(self.at_once, self._busy)
        try:
            await asyncio.sleep(0)
            return copy.deepcopy(self._answer(service, operation, parameters))
        finally:
            self._busy -= 1

    async def download(self, url: str, *, limit: int) -> bytes:
        raise NotImplementedError

    def _answer(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        if self._instead[operation]:
            answer = self._instead[operation].pop(0)
            if isinstance(answer, AwsError):
                raise answer
            return dict(answer)
        if service != "lambda":
            return self._elsewhere(service, operation, parameters)
        if shape := asked(operation):
            report = ParamValidator().validate(dict(parameters), shape)
            assert not report.has_errors(), report.generate_report()
        try:
            answer = getattr(self.lambda_, operation)(self._on_the_wire(dict(parameters))) or {}
        except Refused as refused:
            raise AwsError(
                operation, refused.code, refused.message, status=refused.status
            ) from None
        if operation in self._lost:
            self._lost.remove(operation)
            raise AwsError(operation, "ReadTimeoutError", "no answer came in time")
        return self._paged(operation, parameters, answer) if operation in _LISTS else answer

    def _paged(
        self, operation: str, parameters: Mapping[str, Any], answer: dict[str, Any]
    ) -> dict[str, Any]:
        member = _LISTS[operation]
        start = int(parameters.get("Marker", 0))
        end = start + min(parameters.get("MaxItems", self.page), self.page)
        more = {"NextMarker": str(end)} if end < len(answer[member]) else {}
        return {member: answer[member][start:end]} | more

    def _on_the_wire(self, parameters: dict[str, Any]) -> dict[str, Any]:
        if "S3Bucket" in parameters:
            parameters["ZipFile"] = self.objects[
                parameters.pop("S3Bucket"), parameters.pop("S3Key")
            ]
        if "Code" in parameters and "S3Bucket" in parameters["Code"]:
            parameters["Code"] = {
                "ZipFile": self.objects[parameters["Code"]["S3Bucket"], parameters["Code"]["S3Key"]]
            }
        return {name: _encoded(value) for name, value in parameters.items()}

    def _elsewhere(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        match service, operation:
            case "s3", "head_object":
                stored = self.objects[parameters["Bucket"], parameters["Key"]]
                digest = {
                    "ChecksumSHA256": base64.b64encode(hashlib.sha256(stored).digest()).decode(),
                    "ChecksumType": "FULL_OBJECT",
                }
                return {"ContentLength": len(stored)} | (digest if self.checksums else {})
            case "ssm", "get_parameters":
                return {
                    "Parameters": [
                        {"Name": name, "Value": self.secrets[name]}
                        for name in parameters["Names"]
                        if name in self.secrets
                    ]
                }
            case _:
                raise AssertionError((service, operation))


def _encoded(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: _encoded(inner) for name, inner in value.items()}
        case _:
            return value
