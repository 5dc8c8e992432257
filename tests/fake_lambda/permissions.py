"""Resource policies: one for each function, version and alias, with a revision of its own.

A change of an alias's policy gives the alias another revision, too. ``$LATEST`` keeps its own.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fake_lambda.account import (
    LATEST,
    Account,
    Answer,
    Function,
    Parameters,
    check_revision,
    make_revision,
    operation,
)
from tests.fake_lambda.refusals import conflict, invalid, not_found

_CONDITIONS = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
}


@operation("lambda")
def add_permission(account: Account, parameters: Parameters) -> Answer:
    function, qualifier = _find(account, parameters)
    if qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    policy = function.policies.setdefault(qualifier, {})
    statement_id = parameters["StatementId"]
    if statement_id in policy:
        raise conflict(
            f"The statement id ({statement_id}) provided already exists. Please provide a new "
            "statement id, or remove the existing statement."
        )
    if policy:
        check_revision(parameters, function.policy_revisions[qualifier], read_by="GetPolicy")
    resource = f"{function.arn}:{qualifier}" if qualifier else function.arn
    policy[statement_id] = _state(statement_id, resource, parameters)
    _touch(function, qualifier)
    return {"Statement": json.dumps(policy[statement_id])}


@operation("lambda")
def get_policy(account: Account, parameters: Parameters) -> Answer:
    function, qualifier = _find(account, parameters)
    policy = function.policies.get(qualifier)
    if not policy:
        raise not_found("The resource you requested does not exist.")
    document = {"Version": "2012-10-17", "Id": "default", "Statement": list(policy.values())}
    return {
        "Policy": json.dumps(document),
        "RevisionId": function.policy_revisions[qualifier],
    }


@operation("lambda")
def remove_permission(account: Account, parameters: Parameters) -> Answer:
    function, qualifier = _find(account, parameters)
    policy = function.policies.get(qualifier)
    if not policy:
        raise not_found("No policy is associated with the given resource.")
    if parameters["StatementId"] not in policy:
        raise not_found(f"Statement {parameters['StatementId']} is not found in resource policy.")
    check_revision(parameters, function.policy_revisions[qualifier], read_by="GetPolicy")
    del policy[parameters["StatementId"]]
    _touch(function, qualifier)
    return {}


def _find(account: Account, parameters: Parameters) -> tuple[Function, str]:
    function, qualifier = account.find(parameters)
    if qualifier is not None:
        account.configuration(function, qualifier)
    return function, qualifier or ""


def _touch(function: Function, qualifier: str) -> None:
    function.policy_revisions[qualifier] = make_revision()
    if qualifier in function.aliases:
        function.aliases[qualifier]["RevisionId"] = make_revision()


def _state(statement_id: str, resource: str, parameters: Parameters) -> dict[str, Any]:
    """The statement that AWS writes for a grant."""
    principal = parameters["Principal"]
    stated: Any = {"AWS": principal}
    if principal == "*":
        stated = "*"
    elif principal.endswith(".amazonaws.com"):
        stated = {"Service": principal}
    elif principal.isdecimal():
        stated = {"AWS": f"arn:aws:iam::{principal}:root"}
    conditions: dict[str, dict[str, str]] = {}
    for member, (operator, key) in _CONDITIONS.items():
        if member in parameters:
            conditions.setdefault(operator, {})[key] = parameters[member]
    return {
        "Sid": statement_id,
        "Effect": "Allow",
        "Principal": stated,
        "Action": parameters["Action"],
        "Resource": resource,
    } | ({"Condition": conditions} if conditions else {})
