"""IAM: the worker's role, and what its policies decide."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import Account, Answer, Parameters, operation
from tests.fake_lambda.refusals import Refusal

_ASSUME = "%7B%7D"


@operation("iam")
def get_role(account: Account, parameters: Parameters) -> Answer:
    name = parameters["RoleName"]
    _refuse_if_denied(account, "iam:GetRole")
    return {
        "Role": {
            "Path": "/teams/",
            "RoleName": name,
            "RoleId": "AROAEXAMPLE1234567",
            "Arn": f"arn:aws:iam::{account.account_id}:role/teams/{name}",
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": _ASSUME,
        }
    }


@operation("iam")
def simulate_principal_policy(account: Account, parameters: Parameters) -> Answer:
    _refuse_if_denied(account, "iam:SimulatePrincipalPolicy")
    if not parameters["PolicySourceArn"].endswith(":role/teams/releases"):
        raise Refusal("NoSuchEntity", "no such entity")
    results: list[dict[str, Any]] = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": "implicitDeny" if action in account.denied_actions else "allowed",
            "MissingContextValues": [
                key for name, key in account.unknown_conditions.items() if name == action
            ],
        }
        for action in parameters["ActionNames"]
        for resource in parameters["ResourceArns"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _refuse_if_denied(account: Account, action: str) -> None:
    if action in account.denied_actions:
        raise Refusal("AccessDenied", f"not authorized to perform: {action}")
