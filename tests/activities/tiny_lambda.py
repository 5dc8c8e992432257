"""Just enough of AWS Lambda, in memory, for what happens twice to be told from what happens once.

Keeps functions, versions, aliases, policies, mappings, concurrency, tags and invocations with AWS's rules about revisions,
names and repetition. Changes settle at once unless ``settles_after`` says how many looks it takes.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from tests.activities.stub import Answer, HttpRequest, HttpResponse

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


class Refused(Exception):
    """An error as AWS gives it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Function:
    latest: dict[str, Any]
    code: bytes
    versions: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved: int | None = None
    provisioned: dict[str, int] = field(default_factory=dict)
    unpublished: bool = True
    looks: int = 0


class TinyLambda:
    """A handler for :class:`~tests.activities.stub.Stub`, and the state to look into."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.mappings: dict[str, dict[str, Any]] = {}
        self.invoked: list[bytes] = []
        self.settles_after = 0
        self.code_url = ""
        self._revisions = (f"r{number}" for number in itertools.count(1))

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/code/"):
            _, _, name, version = request.path.split("/")
            function = self.functions[name]
            return HttpResponse(
                200, function.code if version == "$LATEST" else function.versions[version][1]
            )
        try:
            answer = getattr(self, request.operation)(request.parameters)
        except Refused as refused:
            return Answer(refused.status, refused.code, refused.message).response
        if request.operation == "invoke":
            return HttpResponse(
                answer["StatusCode"],
                answer["Payload"],
                {"X-Amz-Executed-Version": answer["ExecutedVersion"]},
            )
        return HttpResponse(
            204 if answer is None else 200, b"" if answer is None else json.dumps(answer).encode()
        )

    # ── functions ──

    def create_function(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["FunctionName"]
        if name in self.functions:
            raise Refused(409, "ResourceConflictException", f"Function already exist: {name}")
        code = base64.b64decode(asked.pop("Code").get("ZipFile", ""))
        kept = {
            member: value for member, value in asked.items() if member not in {"Publish", "Tags"}
        }
        if "VpcConfig" in kept:
            kept["VpcConfig"]["VpcId"] = "vpc-1"
        configuration = {
            "Timeout": 3,
            "MemorySize": 128,
            "PackageType": "Zip",
            "Description": "",
            **kept,
        }
        function = Function(
            configuration
            | {"FunctionArn": self._arn(name), "Version": "$LATEST", "State": "Active"},
            code,
        )
        function.tags = asked.get("Tags", {})
        self.functions[name] = function
        self._touch(function)
        if asked.get("Publish"):
            return self.publish_version({"FunctionName": name})
        return function.latest

    def get_function(self, asked: dict[str, Any]) -> dict[str, Any]:
        function, qualifier = self._function(asked), asked.get("Qualifier", "$LATEST")
        qualifier = function.aliases.get(qualifier, {}).get("FunctionVersion", qualifier)
        if function.looks > 0:
            function.looks -= 1
        if qualifier == "$LATEST":
            found = function.latest | {
                "LastUpdateStatus": "InProgress" if function.looks else "Successful"
            }
        elif qualifier in function.versions:
            found = function.versions[qualifier][0]
        else:
            raise Refused(
                404,
                "ResourceNotFoundException",
                f"Function not found: {self._arn(asked['FunctionName'])}:{qualifier}",
            )
        location = {
            "Location": f"{self.code_url}/code/{asked['FunctionName']}/{qualifier}?X-Amz-Signature=secret"
        }
        concurrency = (
            {}
            if function.reserved is None
            else {"Concurrency": {"ReservedConcurrentExecutions": function.reserved}}
        )
        return {"Configuration": found, "Code": location, "Tags": function.tags} | concurrency

    def get_function_configuration(self, asked: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.get_function(asked)["Configuration"]
        return found

    def update_function_code(self, asked: dict[str, Any]) -> dict[str, Any]:
        function = self._changing(asked)
        function.code = base64.b64decode(asked["ZipFile"])
        if "Architectures" in asked:
            function.latest["Architectures"] = asked["Architectures"]
        self._touch(function)
        if asked.get("Publish"):
            return self.publish_version({"FunctionName": asked["FunctionName"]})
        return function.latest | {"LastUpdateStatus": "InProgress"}

    def update_function_configuration(self, asked: dict[str, Any]) -> dict[str, Any]:
        function = self._changing(asked)
        function.latest |= {
            name: value
            for name, value in asked.items()
            if name not in {"FunctionName", "RevisionId"}
        }
        if "Layers" in asked:
            function.latest["Layers"] = [{"Arn": arn, "CodeSize": 1} for arn in asked["Layers"]]
        self._touch(function)
        return function.latest | {"LastUpdateStatus": "InProgress"}

    def delete_function(self, asked: dict[str, Any]) -> None:
        function, qualifier = self._function(asked), asked.get("Qualifier")
        if qualifier is None:
            del self.functions[asked["FunctionName"]]
        else:
            named = [
                name
                for name, alias in function.aliases.items()
                if alias["FunctionVersion"] == qualifier
            ]
            if named:
                message = f"Unable to delete version because the following aliases reference it: [{', '.join(named)}]"
                raise Refused(409, "ResourceConflictException", message)
            function.versions.pop(qualifier, None)

    def list_functions(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"Functions": [function.latest for function in self.functions.values()]}

    # ── versions and aliases ──

    def publish_version(self, asked: dict[str, Any]) -> dict[str, Any]:
        function = self._changing(asked)
        if asked.get("CodeSha256", function.latest["CodeSha256"]) != function.latest["CodeSha256"]:
            raise Refused(
                400,
                "InvalidParameterValueException",
                "CodeSHA256 is different from current CodeSHA256",
            )
        if not function.unpublished:
            return function.versions[max(function.versions, key=int)][0]
        number = str(1 + max(map(int, function.versions), default=0))
        published = {
            "Version": number,
            "FunctionArn": f"{function.latest['FunctionArn']}:{number}",
            "RevisionId": next(self._revisions),
        }
        described = {"Description": asked["Description"]} if "Description" in asked else {}
        function.versions[number] = (function.latest | published | described, function.code)
        function.latest["RevisionId"] = next(self._revisions)
        function.unpublished = False
        return function.versions[number][0]

    def list_versions_by_function(self, asked: dict[str, Any]) -> dict[str, Any]:
        function = self._function(asked)
        return {
            "Versions": [function.latest, *(version for version, _ in function.versions.values())]
        }

    def create_alias(self, asked: dict[str, Any]) -> dict[str, Any]:
        function, name = self._function(asked), asked["Name"]
        if name in function.aliases:
            raise Refused(
                409,
                "ResourceConflictException",
                f"Alias already exists: {self._arn(asked['FunctionName'])}:{name}",
            )
        function.aliases[name] = {
            "Name": name,
            "AliasArn": f"{function.latest['FunctionArn']}:{name}",
            "Description": "",
        }
        return self._set_alias(function, asked)

    def update_alias(self, asked: dict[str, Any]) -> dict[str, Any]:
        function = self._function(asked)
        self._check_revision(self.get_alias(asked), asked)
        return self._set_alias(function, asked)

    def get_alias(self, asked: dict[str, Any]) -> dict[str, Any]:
        function = self._function(asked)
        if asked["Name"] not in function.aliases:
            raise Refused(
                404,
                "ResourceNotFoundException",
                f"Cannot find alias arn: {function.latest['FunctionArn']}:{asked['Name']}",
            )
        return function.aliases[asked["Name"]]

    def delete_alias(self, asked: dict[str, Any]) -> None:
        self._function(asked).aliases.pop(asked["Name"], None)

    def _set_alias(self, function: Function, asked: dict[str, Any]) -> dict[str, Any]:
        alias = function.aliases[asked["Name"]]
        alias |= {
            member: asked[member]
            for member in ("FunctionVersion", "Description", "RoutingConfig")
            if member in asked
        }
        alias["RevisionId"] = next(self._revisions)
        return alias

    # ── permissions ──

    def add_permission(self, asked: dict[str, Any]) -> dict[str, Any]:
        function, sid = self._function(asked), asked["StatementId"]
        policy = function.policies.setdefault(asked.get("Qualifier", ""), {})
        if sid in policy:
            raise Refused(
                409,
                "ResourceConflictException",
                f"The statement id ({sid}) provided already exists.",
            )
        principal = asked["Principal"]
        resource = function.latest["FunctionArn"] + (
            f":{asked['Qualifier']}" if "Qualifier" in asked else ""
        )
        policy[sid] = {
            "Sid": sid,
            "Effect": "Allow",
            "Action": asked["Action"],
            "Resource": resource,
        } | {
            "Principal": {"Service": principal}
            if principal.endswith(".amazonaws.com")
            else {"AWS": f"arn:aws:iam::{principal}:root"}
        }
        if "SourceArn" in asked:
            policy[sid]["Condition"] = {"ArnLike": {"AWS:SourceArn": asked["SourceArn"]}}
        return {"Statement": json.dumps(policy[sid])}

    def get_policy(self, asked: dict[str, Any]) -> dict[str, Any]:
        policy = self._function(asked).policies.get(asked.get("Qualifier", ""))
        if not policy:
            raise Refused(
                404, "ResourceNotFoundException", "The resource you requested does not exist."
            )
        document = {"Version": "2012-10-17", "Id": "default", "Statement": list(policy.values())}
        return {"Policy": json.dumps(document), "RevisionId": "p1"}

    def remove_permission(self, asked: dict[str, Any]) -> None:
        policy = self._function(asked).policies.get(asked.get("Qualifier", ""), {})
        if asked["StatementId"] not in policy:
            raise Refused(
                404,
                "ResourceNotFoundException",
                f"Statement {asked['StatementId']} is not found in resource policy.",
            )
        del policy[asked["StatementId"]]

    # ── concurrency, tags, invocations ──

    def put_function_concurrency(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._function(asked).reserved = asked["ReservedConcurrentExecutions"]
        return {"ReservedConcurrentExecutions": asked["ReservedConcurrentExecutions"]}

    def delete_function_concurrency(self, asked: dict[str, Any]) -> None:
        self._function(asked).reserved = None

    def put_provisioned_concurrency_config(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._function(asked).provisioned[asked["Qualifier"]] = asked[
            "ProvisionedConcurrentExecutions"
        ]
        return {
            "RequestedProvisionedConcurrentExecutions": asked["ProvisionedConcurrentExecutions"],
            "Status": "IN_PROGRESS",
        }

    def delete_provisioned_concurrency_config(self, asked: dict[str, Any]) -> None:
        if self._function(asked).provisioned.pop(asked["Qualifier"], None) is None:
            raise Refused(
                404,
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found",
            )

    def list_tags(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self._function({"FunctionName": asked["Resource"].rpartition(":")[2]}).tags}

    def tag_resource(self, asked: dict[str, Any]) -> None:
        self._function({"FunctionName": asked["Resource"].rpartition(":")[2]}).tags |= asked["Tags"]

    def untag_resource(self, asked: dict[str, Any]) -> None:
        tags = self._function({"FunctionName": asked["Resource"].rpartition(":")[2]}).tags
        for key in asked["TagKeys"]:
            tags.pop(key, None)

    def invoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._function(asked)
        self.invoked.append(asked["Payload"])
        return {"StatusCode": 200, "Payload": b'{"ok": true}', "ExecutedVersion": "$LATEST"}

    def invoke_async(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._function(asked)
        self.invoked.append(asked["InvokeArgs"])
        return {"Status": 202}

    # ── event source mappings ──

    def create_event_source_mapping(self, asked: dict[str, Any]) -> dict[str, Any]:
        arn = self._arn(asked["FunctionName"])
        for there in self.mappings.values():
            if (there["FunctionArn"], there["EventSourceArn"]) == (arn, asked["EventSourceArn"]):
                message = f"An event source mapping already exists. Please update or delete the existing mapping with UUID {there['UUID']}"
                raise Refused(409, "ResourceConflictException", message)
        uuid = f"00000000-0000-0000-0000-{len(self.mappings) + 1:012}"
        kept = {
            member: value
            for member, value in asked.items()
            if member not in {"FunctionName", "Enabled", "Tags"}
        }
        self.mappings[uuid] = {
            "UUID": uuid,
            "FunctionArn": arn,
            "State": "Enabled",
            "BatchSize": 10,
            **kept,
        }
        return self.mappings[uuid]

    def get_event_source_mapping(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["UUID"] not in self.mappings:
            raise Refused(
                404, "ResourceNotFoundException", "The resource you requested does not exist."
            )
        return self.mappings[asked["UUID"]]

    def list_event_source_mappings(self, asked: dict[str, Any]) -> dict[str, Any]:
        source = asked.get("EventSourceArn")
        return {
            "EventSourceMappings": [
                each for each in self.mappings.values() if source in {None, each["EventSourceArn"]}
            ]
        }

    def update_event_source_mapping(self, asked: dict[str, Any]) -> dict[str, Any]:
        there = self.get_event_source_mapping(asked)
        there |= {
            member: value
            for member, value in asked.items()
            if member not in {"UUID", "FunctionName", "Enabled"}
        }
        if "Enabled" in asked:
            there["State"] = "Enabled" if asked["Enabled"] else "Disabled"
        return there

    def delete_event_source_mapping(self, asked: dict[str, Any]) -> dict[str, Any]:
        there = self.get_event_source_mapping(asked)
        del self.mappings[asked["UUID"]]
        return there | {"State": "Deleting"}

    # ── the rules ──

    def _function(self, asked: dict[str, Any]) -> Function:
        name = asked["FunctionName"]
        if name not in self.functions:
            raise Refused(
                404, "ResourceNotFoundException", f"Function not found: {self._arn(name)}"
            )
        return self.functions[name]

    def _changing(self, asked: dict[str, Any]) -> Function:
        function = self._function(asked)
        if function.looks > 0:
            arn = function.latest["FunctionArn"]
            message = f"The operation cannot be performed at this time. An update is in progress for resource: {arn}"
            raise Refused(409, "ResourceConflictException", message)
        self._check_revision(function.latest, asked)
        return function

    def _check_revision(self, there: dict[str, Any], asked: dict[str, Any]) -> None:
        if asked.get("RevisionId", there["RevisionId"]) != there["RevisionId"]:
            raise Refused(
                412,
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id.",
            )

    def _touch(self, function: Function) -> None:
        digest = base64.b64encode(hashlib.sha256(function.code).digest()).decode()
        function.latest |= {
            "CodeSha256": digest,
            "CodeSize": len(function.code),
            "RevisionId": next(self._revisions),
        }
        function.unpublished = True
        function.looks = self.settles_after

    def _arn(self, name: str) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
