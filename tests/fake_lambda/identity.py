"""STS: whose credentials a caller has."""

from __future__ import annotations

from tests.fake_lambda.account import Account, Answer, Parameters, operation


@operation("sts")
def get_caller_identity(account: Account, _: Parameters) -> Answer:
    return {
        "UserId": "AROAEXAMPLE:worker",
        "Account": account.account_id,
        "Arn": f"arn:aws:sts::{account.account_id}:assumed-role/releases/worker",
    }
