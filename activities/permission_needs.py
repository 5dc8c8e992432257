"""How AWS authorizes the calls of this program: actions, their resources, and what each is for.

One source for ``releases doctor``, which asks whether the worker has them, and for
``python -m deploy.iam``, which writes policies. Which calls there are is not listed here:
``deploy.iam`` reads it from the code, and refuses a call that this table does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """The resource that an action is authorized on.

    A call that names a version is authorized on the ARN of that version.
    """

    FUNCTION = "function"
    VERSION = "version"
    ANY = "*"
    HOOK = "hook"
    MAPPING = "event source mapping"
    NEW_MAPPING = "new event source mapping"
    SIGNING = "code signing configuration"
    PACKAGE = "package"
    BUCKET = "bucket"
    PACKAGE_KEY = "key of packages"
    IMAGE = "repository of images"
    LAYER = "layer"
    ROLE = "execution role"
    PARAMETER = "parameter"
    SECRET = "secret"  # noqa: S105 - the name of a kind of resource
    REFERENCE_KEY = "key of parameters and secrets"
    FUNCTION_KEY = "key of the function"
    CODE_KEY = "key of the function's code"
    NETWORK = "network"
    VPC = "VPC"
    FILE_SYSTEM = "file system"
    WORKER_ROLE = "the worker's own role"
    CODEC_KEY = "key of Temporal's payloads"


CONDITIONS: Final[Mapping[Scope, tuple[str, tuple[str, ...]]]] = {
    Scope.ROLE: ("iam:PassedToService", ("lambda",)),
    Scope.PACKAGE_KEY: ("kms:ViaService", ("s3",)),
    Scope.REFERENCE_KEY: ("kms:ViaService", ("ssm", "secretsmanager")),
    Scope.FUNCTION_KEY: ("kms:ViaService", ("lambda",)),
    Scope.CODE_KEY: ("kms:ViaService", ("lambda",)),
}
"""What a resource is used through: a condition key, and the services that are its values."""

NO_PERMISSION: Final = frozenset({"sts:GetCallerIdentity"})
"""Actions that AWS allows to everybody."""

_SPELLED_OTHERWISE: Final[Mapping[str, tuple[str, ...]]] = {
    "lambda.invoke": ("lambda:InvokeFunction",),
    "s3.head_object": ("s3:GetObject", "s3:GetObjectVersion"),
}
"""Calls whose action does not have their name. With a version S3 asks for the second."""


@dataclass(frozen=True, slots=True)
class PermissionNeed:
    """The IAM actions for one purpose, by their scope.

    ``is_required``: most releases fail without them. Others only where they use ``purpose``.
    ``because_of``: the calls during which AWS does this itself, with the rights of the caller; none
    where the action is a call.
    """

    purpose: str
    actions: dict[str, Scope]
    is_required: bool = False
    because_of: frozenset[str] = field(default_factory=frozenset[str])

    def find_actions(self, calls: Iterable[str]) -> Iterator[tuple[str, Scope]]:
        """Yield those of the actions that these calls take, such as ``lambda.get_function``."""
        made = frozenset(calls)
        if self.because_of:
            if self.because_of & made:
                yield from self.actions.items()
            return
        named = {action for call in made for action in list_actions(call)}
        yield from ((each, scope) for each, scope in self.actions.items() if each in named)


def list_actions(call: str) -> tuple[str, ...]:
    """Return the IAM actions of a call of AWS, such as ``lambda.get_function``."""
    if call in _SPELLED_OTHERWISE:
        return _SPELLED_OTHERWISE[call]
    service, _, operation = call.partition(".")
    return (f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}",)


_F, _V, _A = Scope.FUNCTION, Scope.VERSION, Scope.ANY
_WRITES_CODE: Final = frozenset({"lambda.update_function_code", "lambda.create_function"})
_WRITES_SETTINGS: Final = frozenset(
    {"lambda.update_function_configuration", "lambda.create_function"}
)
_KEY_USE: Final = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant")

NEEDS: Final = (
    PermissionNeed(
        "every release",
        {
            "lambda:GetFunction": _F,
            "lambda:GetAlias": _F,
            "lambda:ListVersionsByFunction": _F,
            "lambda:ListProvisionedConcurrencyConfigs": _F,
            "lambda:PublishVersion": _F,
            "lambda:CreateAlias": _F,
            "lambda:UpdateAlias": _F,
            "lambda:DeleteAlias": _F,
        },
        is_required=True,
    ),
    PermissionNeed(
        "code and configuration",
        {"lambda:UpdateFunctionCode": _F, "lambda:UpdateFunctionConfiguration": _F},
        is_required=True,
    ),
    PermissionNeed(
        "concurrency",
        {
            "lambda:PutFunctionConcurrency": _F,
            "lambda:DeleteFunctionConcurrency": _F,
            "lambda:GetProvisionedConcurrencyConfig": _V,
            "lambda:PutProvisionedConcurrencyConfig": _V,
            "lambda:DeleteProvisionedConcurrencyConfig": _V,
            "lambda:GetAccountSettings": _A,
        },
    ),
    PermissionNeed(
        "guards.alarms",
        {"cloudwatch:DescribeAlarms": _A, "cloudwatch:DescribeAlarmHistory": _A},
    ),
    PermissionNeed("guards.metrics, analysis, adaptive", {"cloudwatch:GetMetricData": _A}),
    PermissionNeed("probes", {"lambda:InvokeFunction": _V}),
    PermissionNeed(
        "notes on triggers",
        {
            "lambda:ListEventSourceMappings": _A,
            "lambda:GetPolicy": _F,
            "lambda:ListFunctionUrlConfigs": _F,
        },
    ),
    PermissionNeed(
        "hooks", {"lambda:GetFunction": Scope.HOOK, "lambda:InvokeFunction": Scope.HOOK}
    ),
    PermissionNeed(
        "signed code",
        {
            "lambda:GetFunctionCodeSigningConfig": _F,
            "lambda:GetCodeSigningConfig": Scope.SIGNING,
        },
    ),
    PermissionNeed(
        "packages in S3", {"s3:GetObject": Scope.PACKAGE, "s3:GetObjectVersion": Scope.PACKAGE}
    ),
    # Without it S3 answers 403 for a missing object, too.
    PermissionNeed(
        "missing packages",
        {"s3:ListBucket": Scope.BUCKET},
        because_of=frozenset({"s3.head_object"}),
    ),
    PermissionNeed(
        "packages that S3 encrypts with a key of yours",
        {"kms:Decrypt": Scope.PACKAGE_KEY},
        because_of=frozenset({"s3.head_object"}),
    ),
    PermissionNeed("images", {"ecr:BatchGetImage": Scope.IMAGE}),
    PermissionNeed(
        "images that AWS Lambda takes",
        {
            "ecr:BatchGetImage": Scope.IMAGE,
            "ecr:GetDownloadUrlForLayer": Scope.IMAGE,
            "ecr:GetRepositoryPolicy": Scope.IMAGE,
        },
        because_of=_WRITES_CODE,
    ),
    PermissionNeed("layers", {"lambda:GetLayerVersion": Scope.LAYER}, because_of=_WRITES_SETTINGS),
    PermissionNeed(
        "change of the execution role", {"iam:PassRole": Scope.ROLE}, because_of=_WRITES_SETTINGS
    ),
    PermissionNeed("dynamic references to parameters", {"ssm:GetParameters": Scope.PARAMETER}),
    PermissionNeed(
        "dynamic references to secrets", {"secretsmanager:GetSecretValue": Scope.SECRET}
    ),
    PermissionNeed(
        "references that a key of yours encrypts",
        {"kms:Decrypt": Scope.REFERENCE_KEY},
        because_of=frozenset({"ssm.get_parameters", "secretsmanager.get_secret_value"}),
    ),
    PermissionNeed(
        "environments that a key of yours encrypts",
        dict.fromkeys(_KEY_USE, Scope.FUNCTION_KEY),
        because_of=_WRITES_SETTINGS,
    ),
    PermissionNeed(
        "environments that a key of yours encrypts, read",
        {"kms:Decrypt": Scope.FUNCTION_KEY},
        because_of=frozenset({"lambda.get_function"}),
    ),
    PermissionNeed(
        "code that a key of yours encrypts",
        {"kms:Decrypt": Scope.CODE_KEY, "kms:GenerateDataKey": Scope.CODE_KEY},
        because_of=_WRITES_CODE,
    ),
    PermissionNeed(
        "change of the network",
        {
            "ec2:DescribeSecurityGroups": Scope.NETWORK,
            "ec2:DescribeSubnets": Scope.NETWORK,
            "ec2:DescribeVpcs": Scope.NETWORK,
            "ec2:GetSecurityGroupsForVpc": Scope.VPC,
        },
        because_of=_WRITES_SETTINGS,
    ),
    PermissionNeed(
        "change of file systems",
        {"elasticfilesystem:DescribeMountTargets": Scope.FILE_SYSTEM},
        because_of=_WRITES_SETTINGS,
    ),
    PermissionNeed(
        "releases doctor",
        {"iam:GetRole": Scope.WORKER_ROLE, "iam:SimulatePrincipalPolicy": Scope.WORKER_ROLE},
    ),
)
"""What releases need, doctor and plan included. Each is checked where its resource is known."""

OTHER_NEEDS: Final = (
    PermissionNeed("RELEASES_CODEC_KEYS in AWS KMS", {"kms:Decrypt": Scope.CODEC_KEY}),
    PermissionNeed("upload of packages", {"s3:PutObject": Scope.PACKAGE}),
    PermissionNeed(
        "upload of packages that S3 encrypts with a key of yours",
        {"kms:GenerateDataKey": Scope.PACKAGE_KEY},
        because_of=frozenset({"s3.put_object"}),
    ),
    PermissionNeed(
        "single operations",
        {
            "lambda:AddPermission": _F,
            "lambda:CreateEventSourceMapping": Scope.NEW_MAPPING,
            "lambda:CreateFunction": _F,
            "lambda:DeleteEventSourceMapping": Scope.MAPPING,
            "lambda:DeleteFunction": _F,
            "lambda:GetEventSourceMapping": Scope.MAPPING,
            "lambda:GetFunctionConcurrency": _F,
            "lambda:GetFunctionConfiguration": _F,
            "lambda:InvokeAsync": _F,
            "lambda:ListAliases": _F,
            "lambda:ListFunctions": _A,
            "lambda:ListTags": _F,
            "lambda:RemovePermission": _F,
            "lambda:TagResource": _F,
            "lambda:UntagResource": _F,
            "lambda:UpdateEventSourceMapping": Scope.MAPPING,
        },
    ),
)
"""What the start of a worker, an upload by ``releases start --zip``, and single operations need."""
