"""The AWS account that a worker serves."""

from __future__ import annotations

import os
from typing import Final

import structlog

from activities.aws import Connection
from activities.errors import AwsError
from activities.identity import ServedAccount, read_account
from workflows.worker.settings import WorkerStartError

_ACCOUNT_DIGITS: Final = 12
_EMULATOR_VARIABLES: Final = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS")

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


async def find_account(aws: Connection, named: str | None) -> ServedAccount | None:
    """Return what this worker serves: the account ``named``, else that of its credentials.

    None where an emulator of AWS has no STS. AWS's own answers everybody who has credentials.
    """
    if named is not None:
        if not (len(named) == _ACCOUNT_DIGITS and named.isdecimal()):
            raise WorkerStartError(f"RELEASES_ACCOUNT: no account has the id {named[:20]}")
        return ServedAccount(named, aws.region)
    try:
        return ServedAccount(await read_account(aws), aws.region)
    except AwsError as error:
        source = _describe_credentials()
        problem = f"STS does not say whose credentials these are ({source}): {error}"
    if not any(os.environ.get(name) for name in _EMULATOR_VARIABLES):
        raise WorkerStartError(f"{problem} (RELEASES_ACCOUNT names the account without STS)")
    log.warning("the account is unknown (RELEASES_ACCOUNT names it)", problem=problem)
    return None


async def prove_account(aws: Connection, wanted: ServedAccount) -> None:
    """Raise :class:`WorkerStartError` where the credentials of a place are of another account."""
    try:
        found = await read_account(aws)
    except AwsError as error:
        raise WorkerStartError(f"its credentials are of no use: {error}") from None
    if found != wanted.account:
        raise WorkerStartError(
            f"its credentials are of account {found}, and not of {wanted.account}: mend role_arn, "
            "profile or account of this place"
        )


def _describe_credentials() -> str:
    """Where botocore's chain takes the credentials from: the first source that is set."""
    sources = {
        "AWS_PROFILE": "the profile {}, by AWS_PROFILE",
        "AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "the role {}, by AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "the role of the ECS task",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "the role of the pod",
    }
    names = {"AWS_WEB_IDENTITY_TOKEN_FILE": "AWS_ROLE_ARN"}
    for variable, text in sources.items():
        if value := os.environ.get(variable):
            return text.format(os.environ.get(names.get(variable, ""), value))
    return "the profile default of ~/.aws, or the role of this machine"
