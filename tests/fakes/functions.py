"""Functions, their code, configuration and versions, under AWS's rules."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.judge import refusal

ACCOUNT, REGION = "123456789012", "eu-central-1"
_VOLATILE = {
    "Version",
    "FunctionArn",
    "RevisionId",
    "LastModified",
    "Description",
    "State",
    "LastUpdateStatus",
    "StateReason",
    "StateReasonCode",
}
_revisions = itertools.count(1)

Parameters = dict[str, Any]
Answer = dict[str, Any]


def revision() -> str:
    return f"revision-{next(_revisions)}"


def sha256(package: bytes) -> str:
    """A package's hash as Lambda writes it."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


@dataclass
class Function:
    """A function with all its versions. ``looks``: how many more looks see its update as unfinished."""

    name: str
    latest: dict[str, Any]
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    locations: dict[str, dict[str, str]] = field(default_factory=dict)
    reserved: int | None = None
    provisioned: dict[str, dict[str, Any]] = field(default_factory=dict)
    published: int = 0
    looks: int = 0
    version_looks: dict[str, int] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


class FunctionsOfAws:
    """``looks`` more looks see an update, or a fresh version, unfinished; ``update_fails`` and ``creation_fails`` end it badly."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[str, Function] = {}
        self.packages: dict[tuple[str, ...], bytes] = {}
        self.stored: dict[str, bytes] = {}
        self.looks = 0
        self.update_fails: str | None = None
        self.creation_fails: str | None = None

    # --- finding -------------------------------------------------------------------------------------------------------------

    def find(self, operation: str, parameters: Parameters) -> tuple[Function, str | None]:
        """The function that is meant, under whatever form of its name, and the qualifier."""
        parts = parameters["FunctionName"].split(":")
        name, qualifier = parts[-1], None
        if len(parts) in {2, 4, 8}:
            name, qualifier = parts[-2], parts[-1]
        account = parts[4] if len(parts) >= 7 else parts[0] if len(parts) in {3, 4} else ACCOUNT
        function = self.functions.get(name)
        if function is None or account != ACCOUNT:
            arn = f"arn:aws:lambda:{REGION}:{account}:function:{name}"
            raise refusal(operation, "ResourceNotFoundException", f"Function not found: {arn}")
        return function, parameters.get("Qualifier") or qualifier

    def version(self, operation: str, function: Function, qualifier: str | None) -> dict[str, Any]:
        """The configuration that a qualifier stands for."""
        alias = function.aliases.get(qualifier or "")
        number = alias["FunctionVersion"] if alias else qualifier or "$LATEST"
        found = function.latest if number == "$LATEST" else function.versions.get(number)
        if found is None:
            raise refusal(
                operation,
                "ResourceNotFoundException",
                f"Function not found: {function.arn}:{qualifier}",
            )
        return found

    def _look(self, function: Function, found: dict[str, Any]) -> None:
        """Let time pass: an update that is being looked at comes nearer to its end."""
        if found is function.latest:
            if found["LastUpdateStatus"] == "InProgress":
                if function.looks:
                    function.looks -= 1
                else:
                    self._finish(found)
        elif found["State"] == "Pending":
            left = function.version_looks.get(found["Version"], 0)
            if left:
                function.version_looks[found["Version"]] = left - 1
            elif self.creation_fails:
                found.update(
                    State="Failed", StateReason=self.creation_fails, StateReasonCode="InternalError"
                )
            else:
                found["State"] = "Active"

    def _finish(self, latest: dict[str, Any]) -> None:
        latest["RevisionId"] = revision()
        if self.update_fails:
            latest.update(
                LastUpdateStatus="Failed",
                LastUpdateStatusReason=self.update_fails,
                LastUpdateStatusReasonCode="InternalError",
            )
        else:
            latest["LastUpdateStatus"] = "Successful"

    # --- reading -------------------------------------------------------------------------------------------------------------

    def lambda_get_function(self, parameters: Parameters) -> Answer:
        function, qualifier = self.find("get_function", parameters)
        found = self.version("get_function", function, qualifier)
        self._look(function, found)
        location = function.locations[found["CodeSha256"]]
        answer: Answer = {
            "Configuration": _shown(found, function, qualifier),
            "Code": dict(location),
            "Tags": {},
        }
        if function.reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return answer

    def lambda_get_function_configuration(self, parameters: Parameters) -> Answer:
        function, qualifier = self.find("get_function_configuration", parameters)
        found = self.version("get_function_configuration", function, qualifier)
        self._look(function, found)
        return _shown(found, function, qualifier)

    def lambda_list_versions_by_function(self, parameters: Parameters) -> Answer:
        function, _ = self.find("list_versions_by_function", parameters)
        listed = [function.latest, *function.versions.values()]
        if not (marker := parameters.get("Marker") or "0").isdecimal():
            raise refusal(
                "list_versions_by_function",
                "InvalidParameterValueException",
                "Invalid pagination marker",
            )
        start = int(marker)
        end = start + min(parameters.get("MaxItems", 50), 50)
        left_out = {"State", "LastUpdateStatus"}
        versions = [
            {
                name: value
                for name, value in _shown(found, function, None).items()
                if name not in left_out
            }
            for found in listed[start:end]
        ]
        return {"Versions": versions} | ({"NextMarker": str(end)} if end < len(listed) else {})

    async def download(self, url: str, *, limit: int) -> bytes:
        """The package behind GetFunction's presigned address."""
        package = self.stored[url]
        assert len(package) <= limit
        return package

    # --- writing -------------------------------------------------------------------------------------------------------------

    def lambda_update_function_code(self, parameters: Parameters) -> Answer:
        name = "update_function_code"
        function, _ = self.find(name, parameters)
        self._may_change(name, function, parameters)
        image = function.latest["PackageType"] == "Image"
        if image != ("ImageUri" in parameters):
            wanted = "Please provide ImageUri" if image else "Please do not provide ImageUri"
            raise refusal(
                name,
                "InvalidParameterValueException",
                f"{wanted} when updating a function with packageType {function.latest['PackageType']}.",
            )
        self.put_code(function, self._content(name, parameters), parameters)
        return self._begin(function)

    def put_code(self, function: Function, content: bytes, source: Parameters) -> None:
        """Make some content the code of ``$LATEST``."""
        if "ImageUri" in source:
            digest = (
                source["ImageUri"].rpartition("@sha256:")[2]
                if "@" in source["ImageUri"]
                else hashlib.sha256(content).hexdigest()
            )
            repository = source["ImageUri"].split("@")[0].rsplit(":", 1)[0]
            location = {
                "RepositoryType": "ECR",
                "ImageUri": source["ImageUri"],
                "ResolvedImageUri": f"{repository}@sha256:{digest}",
            }
            function.latest.update(CodeSha256=digest, CodeSize=0)
        else:
            digest = sha256(content)
            url = f"https://packages.example/{function.name}/{digest}?X-Amz-Signature=secret"
            self.stored[url] = content
            location = {"RepositoryType": "S3", "Location": url}
            function.latest.update(CodeSha256=digest, CodeSize=len(content))
        function.locations[digest] = location

    def _content(self, name: str, parameters: Parameters) -> bytes:
        if "ImageUri" in parameters:
            return str(parameters["ImageUri"]).encode()
        if "ZipFile" in parameters:
            return bytes(parameters["ZipFile"])
        where = tuple(
            parameters[member]
            for member in ("S3Bucket", "S3Key", "S3ObjectVersion")
            if member in parameters
        )
        if where not in self.packages:
            said = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
            raise refusal(name, "InvalidParameterValueException", said)
        return self.packages[where]

    def lambda_update_function_configuration(self, parameters: Parameters) -> Answer:
        function, _ = self.find("update_function_configuration", parameters)
        self._may_change("update_function_configuration", function, parameters)
        configure(function.latest, parameters)
        return self._begin(function)

    def _may_change(self, name: str, function: Function, parameters: Parameters) -> None:
        if function.latest["LastUpdateStatus"] == "InProgress":
            said = f"The operation cannot be performed at this time. An update is in progress for resource: {function.arn}"
            raise refusal(name, "ResourceConflictException", said)
        if parameters.get("RevisionId") not in {None, function.latest["RevisionId"]}:
            said = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
            raise refusal(name, "PreconditionFailedException", said)

    def _begin(self, function: Function) -> Answer:
        function.latest.update(LastUpdateStatus="InProgress", RevisionId=revision())
        function.looks = self.looks
        return _shown(function.latest, function, None)

    def lambda_publish_version(self, parameters: Parameters) -> Answer:
        name = "publish_version"
        function, _ = self.find(name, parameters)
        self._may_change(name, function, parameters)
        latest = function.latest
        if parameters.get("CodeSha256") not in {None, latest["CodeSha256"]}:
            said = f"CodeSHA256 ({parameters['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({latest['CodeSha256']})."
            raise refusal(name, "InvalidParameterValueException", said)
        latest["RevisionId"] = revision()
        newest = function.versions.get(str(function.published))
        if newest and _essence(newest) == _essence(latest):
            return _shown(newest, function, None)
        function.published += 1
        number = str(function.published)
        published = copy.deepcopy(latest)
        published.update(
            Version=number,
            FunctionArn=f"{function.arn}:{number}",
            RevisionId=revision(),
            State="Pending",
        )
        published["Description"] = parameters.get("Description", latest["Description"])
        published.pop("LastUpdateStatus", None)
        function.versions[number] = published
        function.version_looks[number] = self.looks
        return _shown(published, function, None)


def configure(configuration: dict[str, Any], change: Parameters) -> None:
    """Apply members of UpdateFunctionConfiguration, in the form in which AWS shows them afterwards."""
    for member, value in change.items():
        match member:
            case "FunctionName" | "RevisionId":
                continue
            case "Layers":
                shown: Any = [{"Arn": arn, "CodeSize": 1} for arn in value]
            case "ImageConfig":
                member, shown = "ImageConfigResponse", {"ImageConfig": value} if value else {}  # noqa: PLW2901
            case "Environment":
                shown = {"Variables": dict(value["Variables"])} if value.get("Variables") else {}
            case "VpcConfig":
                shown = {**value, "VpcId": "vpc-1" if value.get("SubnetIds") else ""}
            case "DeadLetterConfig":
                shown = dict(value) if value.get("TargetArn") else {}
            case "SnapStart":
                shown = {**value, "OptimizationStatus": "Off"}
            case _:
                shown = value
        if shown in ({}, [], "") and member != "Description":
            configuration.pop(member, None)
        else:
            configuration[member] = shown


def _shown(found: dict[str, Any], function: Function, qualifier: str | None) -> dict[str, Any]:
    shown = copy.deepcopy(found)
    if qualifier is not None:
        shown["FunctionArn"] = f"{function.arn}:{qualifier}"
    return shown


def _essence(configuration: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in configuration.items() if name not in _VOLATILE}
