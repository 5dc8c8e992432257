"""An AWS in memory, which keeps AWS's rules: the :class:`~activities.operation.Aws` that workflow tests run real activities against.

Every request is judged by botocore's service model before it is looked at, and every answer before it is given. Steer it with ``fail``,
``lose``, ``hold``, ``before`` and ``after``; look at ``calls``, ``writes`` and ``operations``; change things as somebody else would with
:meth:`FakeLambda.somebody`; say what CloudWatch measured with ``callers``, ``traffic`` or ``measured``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.aliases import AliasesOfAws
from tests.fakes.functions import Answer, Function, Parameters, configure, revision, sha256
from tests.fakes.judge import check_answer, check_request, refusal
from tests.fakes.metrics import MetricsOfAws
from tests.fakes.rules import Call, Rules

ROLE = "arn:aws:iam::123456789012:role/checkout"

Handler = Callable[[dict[str, Any]], Any]


class FakeLambda(Rules, AliasesOfAws, MetricsOfAws):
    """One account in one region. ``alarms`` maps names to states; ``handlers`` hold what functions do when they are invoked."""

    def __init__(self) -> None:
        super().__init__()
        self.alarms: dict[str, str] = {}
        self.composite_alarms: set[str] = set()
        self.handlers: dict[str, Handler] = {}
        self.parameters: dict[str, str] = {}

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the port to AWS does: one request, one answer or one ``AwsError``."""
        call = Call(service, operation, dict(parameters))
        self.calls.append(call)
        try:
            check_request(service, operation, parameters)
            for rule in list(self.rules):
                await rule.meet(call, "before")
            answer = self.perform(service, operation, parameters)
            call.done = True
            for rule in list(self.rules):
                await rule.meet(call, "after")
        except BaseException as error:
            call.error = error
            raise
        return answer

    def perform(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """Carry a request out, unrecorded and unsteered."""
        answer: Answer = getattr(self, f"{service}_{operation}")(dict(parameters))
        check_answer(service, operation, answer)
        if operation in {"create_alias", "update_alias"}:
            function, _ = self.find(operation, dict(parameters))
            self.route(
                function.name,
                answer["Name"],
                answer["FunctionVersion"],
                answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
            )
        return answer

    # --- setting the scene ---------------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        *packages: str,
        alias: str | None = "live",
        image: bool = False,
        **configuration: Any,
    ) -> Function:
        """A function with one published version for each package, and an alias on the last of them; nothing is under way."""
        function = Function(name, {})
        function.latest.update(
            FunctionName=name, FunctionArn=function.arn, Role=ROLE, Description="", Timeout=3, MemorySize=128, Version="$LATEST",
            LastModified="2026-11-22T10:00:00.000+0000", RevisionId=revision(), State="Active", LastUpdateStatus="Successful",
            PackageType="Image" if image else "Zip", Architectures=["x86_64"], TracingConfig={"Mode": "PassThrough"},
            EphemeralStorage={"Size": 512}, SnapStart={"ApplyOn": "None", "OptimizationStatus": "Off"},
            LoggingConfig={"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        )  # fmt: skip
        function.latest.update({} if image else {"Runtime": "python3.13", "Handler": "app.handler"})
        configure(function.latest, configuration)
        self.functions[name] = function
        for package in packages or ("one",):
            source = (
                {"ImageUri": f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/{package}:1"}
                if image
                else {}
            )
            self.put_code(function, source.get("ImageUri", package).encode(), source)
            self.publish(name)
        if alias:
            self.somebody(
                "create_alias",
                FunctionName=name,
                Name=alias,
                FunctionVersion=str(function.published),
            )
        return function

    def publish(self, name: str) -> str:
        """A version of what ``$LATEST`` is, ready for traffic."""
        answer = self.somebody("publish_version", FunctionName=name)
        self.functions[name].versions[answer["Version"]]["State"] = "Active"
        return str(answer["Version"])

    def upload(
        self, key: str, package: str, *, bucket: str = "artifacts", version: str | None = None
    ) -> str:
        """Put a package into S3; its hash as Lambda writes it."""
        self.packages[(bucket, key, version) if version else (bucket, key)] = package.encode()
        return sha256(package.encode())

    def hook(self, name: str, handler: Handler) -> None:
        """A function that answers what ``handler`` returns for the payload; what it raises is a FunctionError."""
        self.create(name, alias=None)
        self.handlers[name] = handler

    def somebody(self, operation: str, /, **parameters: Any) -> Answer:
        """Somebody else does something, which is neither recorded nor steered."""
        return self.perform("lambda", operation, parameters)

    def overwrite(self, name: str, package: str) -> str:
        """Somebody else deploys to ``$LATEST``, and that has settled; the hash of it."""
        self.put_code(self.functions[name], package.encode(), {})
        self.functions[name].latest["RevisionId"] = revision()
        return sha256(package.encode())

    def routing(self, name: str, alias: str = "live") -> tuple[str, dict[str, float]]:
        """Where an alias sends its callers."""
        found = self.functions[name].aliases[alias]
        return found["FunctionVersion"], found.get("RoutingConfig", {}).get(
            "AdditionalVersionWeights", {}
        )

    # --- what surrounds Lambda -----------------------------------------------------------------------------------------------

    def lambda_invoke(self, parameters: Parameters) -> Answer:
        function, qualifier = self.find("invoke", parameters)
        version = self.version("invoke", function, qualifier)
        if version["State"] == "Pending":
            said = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
            raise refusal("invoke", "ResourceConflictException", said)
        if function.reserved == 0:
            raise refusal("invoke", "TooManyRequestsException", "Rate Exceeded.")
        answer: Answer = {"StatusCode": 200, "ExecutedVersion": version["Version"]}
        try:
            result = self.handlers[function.name](json.loads(parameters.get("Payload") or b"null"))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is a FunctionError
            result = {"errorMessage": str(error), "errorType": type(error).__name__}
            answer["FunctionError"] = "Unhandled"
        answer["Payload"] = result if isinstance(result, bytes) else json.dumps(result).encode()
        return answer

    def cloudwatch_describe_alarms(self, parameters: Parameters) -> Answer:
        kinds = parameters.get("AlarmTypes", ["MetricAlarm"])
        answer: Answer = {"MetricAlarms": [], "CompositeAlarms": []}
        for name in parameters.get("AlarmNames", self.alarms):
            kind = "CompositeAlarm" if name in self.composite_alarms else "MetricAlarm"
            if name in self.alarms and kind in kinds:
                state = {
                    "AlarmName": name,
                    "StateValue": self.alarms[name],
                    "StateReason": f"{name} is {self.alarms[name]}",
                }
                answer[f"{kind}s"].append(state)
        return answer

    def s3_head_object(self, parameters: Parameters) -> Answer:
        where = tuple(
            parameters[member] for member in ("Bucket", "Key", "VersionId") if member in parameters
        )
        if where not in self.packages:
            raise refusal("head_object", "404", "Not Found")
        return {
            "ContentLength": len(self.packages[where]),
            "ChecksumSHA256": sha256(self.packages[where]),
        }

    def ssm_get_parameters(self, parameters: Parameters) -> Answer:
        known = [name for name in parameters["Names"] if name in self.parameters]
        answer: Answer = {
            "Parameters": [{"Name": name, "Value": self.parameters[name]} for name in known]
        }
        unknown = [name for name in parameters["Names"] if name not in known]
        return answer | ({"InvalidParameters": unknown} if unknown else {})
