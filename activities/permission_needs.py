"""Which permissions of AWS a release needs, by what it uses: the table of docs/operate.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """The resource that an action is authorized on.

    A call that names a version is authorized on the ARN of that version.
    """

    FUNCTION = "function"
    VERSION = "version"
    ANY = "*"


@dataclass(frozen=True, slots=True)
class PermissionNeed:
    """The IAM actions for one purpose, by their scope.

    ``is_required``: most releases fail without them. Others only where they use ``purpose``.
    """

    purpose: str
    actions: dict[str, Scope]
    is_required: bool = False

    def resource_of(self, action: str, *, function: str, version: str) -> str:
        """Return the ARN of what an action is about; ``function`` is an ARN without a qualifier."""
        match self.actions[action]:
            case Scope.FUNCTION:
                return function
            case Scope.VERSION:
                return f"{function}:{version}"
            case Scope.ANY:
                return "*"


_F, _V, _A = Scope.FUNCTION, Scope.VERSION, Scope.ANY

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
)
"""Hooks, packages, layers, keys and references are not here: they depend on the request.

A plan of the request looks them up (:mod:`activities.artifact_lookup`).
"""
