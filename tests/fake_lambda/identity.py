"""STS: whose credentials a caller has, and the sessions of a role."""

from __future__ import annotations

import datetime as dt

from tests.fake_lambda.account import Account, Answer, Parameters, operation
from tests.fake_lambda.refusals import denied


@operation("sts")
def get_caller_identity(account: Account, _: Parameters) -> Answer:
    return {
        "UserId": "AROAEXAMPLE:worker",
        "Account": account.account_id,
        "Arn": f"arn:aws:sts::{account.account_id}:assumed-role/releases/worker",
    }


@operation("sts")
def assume_role(account: Account, parameters: Parameters) -> Answer:
    """Begin a session of a role of this account, whose key has the number of the session."""
    role = parameters["RoleArn"]
    is_trusted = account.external_id in {None, parameters.get("ExternalId")}
    if role.split(":")[4] != account.account_id or not is_trusted:
        raise denied("sts:AssumeRole", role)
    account.sessions.append(parameters)
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=account.session_seconds)
    return {
        "Credentials": {
            "AccessKeyId": f"ASIA{len(account.sessions):016}",
            "SecretAccessKey": "secret",
            "SessionToken": "token",
            "Expiration": ends,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": "AROAEXAMPLE:worker",
            "Arn": role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/"),
        },
    }
