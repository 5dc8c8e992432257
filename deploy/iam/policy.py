"""The policy of a tier: a statement for each kind of resource."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from activities.permission_needs import Scope
from deploy.iam.resources import PolicyResources

MAX_CHARACTERS: Final = 6_144
"""AWS's limit for a managed policy, whose white space does not count.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

Document = dict[str, Any]

_SIDS: Final[Mapping[Scope, str]] = {
    Scope.FUNCTION: "Functions",
    Scope.VERSION: "Versions",
    Scope.ANY: "Account",
    Scope.HOOK: "Hooks",
    Scope.MAPPING: "EventSourceMappings",
    Scope.NEW_MAPPING: "NewEventSourceMappings",
    Scope.SIGNING: "CodeSigning",
    Scope.PACKAGE: "Packages",
    Scope.BUCKET: "MissingPackages",
    Scope.PACKAGE_KEY: "KeyOfPackages",
    Scope.IMAGE: "Images",
    Scope.LAYER: "Layers",
    Scope.ROLE: "ExecutionRole",
    Scope.PARAMETER: "Parameters",
    Scope.SECRET: "Secrets",
    Scope.REFERENCE_KEY: "KeyOfReferences",
    Scope.FUNCTION_KEY: "KeyOfFunctions",
    Scope.CODE_KEY: "KeyOfCode",
    Scope.NETWORK: "Network",
    Scope.VPC: "Vpcs",
    Scope.FILE_SYSTEM: "FileSystems",
    Scope.WORKER_ROLE: "Doctor",
    Scope.CODEC_KEY: "KeyOfPayloads",
}


def build_policy(
    actions: Mapping[Scope, Sequence[str]], resources: PolicyResources
) -> tuple[Document, list[Scope]]:
    """Return the policy for actions, and the scopes that are left out: nothing is named for them.

    Raises ``ResourceNameError`` for a name that cannot be one.
    """
    statements: dict[str, Document] = {}
    unnamed: list[Scope] = []
    for scope, names in actions.items():
        arns = resources.list_arns(scope)
        if not arns:
            unnamed.append(scope)
            continue
        condition = resources.find_condition(scope)
        used_on = json.dumps([arns, condition])
        if used_on in statements:
            statements[used_on]["Action"] = sorted({*statements[used_on]["Action"], *names})
            continue
        statements[used_on] = {
            "Sid": _SIDS[scope],
            "Effect": "Allow",
            "Action": sorted(names),
            "Resource": arns if len(arns) > 1 else arns[0],
            **({"Condition": condition} if condition else {}),
        }
    return make_document(statements.values()), unnamed


def make_document(statements: Iterable[Document]) -> Document:
    """Return a policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow_assumption(roles: Sequence[str]) -> Document:
    """Return the statement of a worker that takes a role for each of its places.

    ``sts:TagSession`` is for the tags of its sessions.
    """
    return {
        "Sid": "Places",
        "Effect": "Allow",
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Resource": list(roles) if len(roles) > 1 else roles[0],
    }


def count_characters(document: Document) -> int:
    """Return the size of a policy, as AWS counts it."""
    return len(json.dumps(document, separators=(",", ":")))
