"""What a request to AWS is authorized on, and whether an IAM policy allows it.

Written apart from ``deploy.iam``, by AWS's documentation: with identity policies of the kinds that
``deploy.iam`` writes, and without resource policies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNT_WIDE = {
    "lambda:GetAccountSettings",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
}
FREE = {"sts:GetCallerIdentity"}
EXECUTION_ROLE = "arn:aws:iam::{}:role/checkout"


@dataclass(frozen=True)
class Authorization:
    """One action on one resource, and what is known of the request."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class Caller:
    """The account and region that a request goes to."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def list_authorizations(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> Iterator[Authorization]:
        """What AWS authorizes for one call: itself, and what Lambda does for its caller."""
        if f"{service}:{pascal(operation)}" in FREE:
            return
        match service:
            case "lambda":
                yield self._authorize_lambda(operation, parameters)
                yield from self._authorize_parts(operation, parameters)
            case "s3":
                assert operation in {"head_object", "put_object"}
                yield from self._authorize_object(
                    parameters["Bucket"], parameters["Key"], parameters.get("VersionId"), operation
                )
            case "ssm":
                for name in parameters["Names"]:
                    resource = f"parameter/{name.removeprefix('/')}"
                    yield Authorization("ssm:GetParameters", self.arn("ssm", resource))
            case "secretsmanager":
                name = f"secret:{parameters['SecretId']}-AbCdEf"
                yield Authorization(
                    "secretsmanager:GetSecretValue", self.arn("secretsmanager", name)
                )
            case "ecr":
                name = f"repository/{parameters['repositoryName']}"
                yield Authorization("ecr:BatchGetImage", self.arn("ecr", name))
            case "cloudwatch":
                yield Authorization(f"cloudwatch:{pascal(operation)}", "*")
            case _:
                raise AssertionError(f"{service}.{operation} is not known here")

    def _authorize_lambda(self, operation: str, parameters: Mapping[str, Any]) -> Authorization:
        action = "lambda:InvokeFunction" if operation == "invoke" else f"lambda:{pascal(operation)}"
        if action in ACCOUNT_WIDE:
            return Authorization(action, "*")
        if operation == "get_code_signing_config":
            return Authorization(action, parameters["CodeSigningConfigArn"])
        name = parameters["FunctionName"].rpartition("function:")[2]
        qualifier = parameters.get("Qualifier")
        full = f"{name}:{qualifier}" if qualifier else name
        return Authorization(action, self.arn("lambda", f"function:{full}"))

    def _authorize_parts(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> Iterator[Authorization]:
        if bucket := parameters.get("S3Bucket"):
            version = parameters.get("S3ObjectVersion")
            yield from self._authorize_object(bucket, parameters["S3Key"], version, "head_object")
        if uri := parameters.get("ImageUri"):
            name = re.split("[:@]", uri.partition("/")[2])[0]
            for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
                yield Authorization(action, self.arn("ecr", f"repository/{name}"))
        if operation != "update_function_configuration":
            return
        if role := parameters.get("Role"):
            context = {"iam:PassedToService": "lambda.amazonaws.com"}
            yield Authorization("iam:PassRole", role, context)
        for layer in parameters.get("Layers") or ():
            yield Authorization("lambda:GetLayerVersion", layer)
        if key := parameters.get("KMSKeyArn"):
            context = {"kms:ViaService": f"lambda.{self.region}.amazonaws.com"}
            for action in ("kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"):
                yield Authorization(action, key, context)

    def _authorize_object(
        self, bucket: str, key: str, version: str | None, operation: str
    ) -> Iterator[Authorization]:
        action = "s3:PutObject" if operation == "put_object" else "s3:GetObject"
        yield Authorization(
            f"{action}Version" if version else action, f"arn:aws:s3:::{bucket}/{key}"
        )


def pascal(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))


def is_allowed(policy: Mapping[str, Any], wanted: Authorization) -> bool:
    """Whether a policy allows it: some statement does, and none denies it."""
    effects = {each["Effect"] for each in policy["Statement"] if _applies(each, wanted)}
    return effects == {"Allow"}


def _applies(statement: Mapping[str, Any], wanted: Authorization) -> bool:
    return (
        _matches(statement["Action"], wanted.action)
        and _matches(statement["Resource"], wanted.resource)
        and all(
            _matches(values, wanted.context.get(key, ""))
            for test, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
            if test in {"StringEquals", "ArnLike"} or _refuse(test)
        )
    )


def _refuse(test: str) -> bool:
    raise AssertionError(f"a condition {test} is not known here")


def _matches(patterns: str | list[str], value: str) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(re.fullmatch(_to_regex(each), value) for each in listed)


def _to_regex(pattern: str) -> str:
    """``*`` and ``?`` as IAM has them; a whole ``*`` of a request stands for any resource."""
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
