"""The identity that calls AWS: the account of this worker's credentials.

A worker serves one account and one region; a process may have several workers.
:class:`AccountGuard` refuses functions of any other account before anything is sent. Without it AWS
would decide, and a role of one account may have rights in others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activities.errors import AwsError, Fault, classify_error
from activities.operation import READ, Aws, AwsWithDownloads, OperationGroup, operation
from activities.shapes import Request, Response, parse_function_name

_IDENTITY: Final = re.compile(r"lambda-releases@(\d{12})/([a-z0-9-]+):.*", re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
QUEUE_PREFIX: Final = "lambda-releases:"
_RETRY_SECONDS: Final = (1.0, 2.0)
_GUARDED_MEMBERS: Final = ("FunctionName", "Resource")
_RESOURCE_ACCOUNT: Final = re.compile(r"arn:[\w-]+:lambda:[\w-]*:(\d{12}):", re.ASCII)


class GetCallerIdentityRequest(Request):
    """The request of :meth:`Identity.get_caller_identity`: ``{}``, or no input."""


class GetCallerIdentityResponse(Response):
    """Whose credentials they are."""

    account: str | None = None
    arn: str | None = None


class Identity(OperationGroup):
    """The identity behind the worker's credentials."""

    @operation(READ)
    async def get_caller_identity(
        self, request: GetCallerIdentityRequest | None = None
    ) -> GetCallerIdentityResponse:
        """Read the account of the worker's credentials; needs no permission.

        Takes no input, or ``{}``. AWS: GetCallerIdentity of STS.
        """
        parameters = request.parameters() if request else {}
        return GetCallerIdentityResponse.model_validate(
            await self.aws.call("sts", "get_caller_identity", parameters)
        )


async def read_account(aws: Aws) -> str:
    """Ask STS which account the credentials are of. Raises :class:`~activities.errors.AwsError`.

    Where STS is out of reach, it is called again for a few seconds.
    """
    for delay in _RETRY_SECONDS:
        try:
            return await _ask(aws)
        except AwsError as error:
            if classify_error(error) is not Fault.UNAVAILABLE:
                raise
        await asyncio.sleep(delay)
    return await _ask(aws)


async def _ask(aws: Aws) -> str:
    answer = await aws.call("sts", "get_caller_identity", {})
    account = str(answer.get("Account"))
    if not _ACCOUNT.fullmatch(account):
        raise AwsError("get_caller_identity", "ResponseParserError", "the answer has no account")
    return account


@dataclass(frozen=True)
class ServedAccount:
    """The account and the region that a worker serves."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"account {self.account} in {self.region}"

    def identify(self, process: str) -> str:
        """Return the identity by which other workers find this account; :meth:`parse` reads it."""
        return f"lambda-releases@{self.account}/{self.region}:{process}"

    @property
    def queue(self) -> str:
        """The task queue of its workers, where a worker serves several."""
        return f"{QUEUE_PREFIX}{self.account}:{self.region}"

    @classmethod
    def parse(cls, identity: str) -> ServedAccount | None:
        """Return what a worker of this identity serves; None for one that does not say."""
        found = _IDENTITY.fullmatch(identity)
        return cls(account=found[1], region=found[2]) if found else None

    def find_others(self, identities: Iterable[str]) -> list[str]:
        """Return those of the workers' identities that serve another account or region."""
        return sorted(
            identity for identity in identities if self.parse(identity) not in {None, self}
        )


class AccountGuard:
    """The port to AWS of a worker that serves one account."""

    def __init__(self, aws: AwsWithDownloads, served: ServedAccount) -> None:
        """Guard ``aws``, whose credentials are those of ``served``."""
        self._aws = aws
        self._served = served

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one request, once; see :class:`~activities.operation.Aws`.

        A function of another account is refused (``WrongAccount``), and nothing is sent.
        """
        for member in _GUARDED_MEMBERS:
            named = _parse_account(str(parameters.get(member, "")))
            if named not in {None, self._served.account}:
                raise AwsError(
                    operation,
                    "WrongAccount",
                    f"{member} is in account {named}, this worker serves {self._served}; nothing "
                    "was sent",
                )
        return await self._aws.call(service, operation, parameters)

    async def download(self, url: str, *, limit: int) -> bytes:
        """Return the content of a presigned URL, at most ``limit`` bytes."""
        return await self._aws.download(url, limit=limit)


def _parse_account(named: str) -> str | None:
    """Return the account in a function's name or ARN, or in the ARN of another resource."""
    found = _RESOURCE_ACCOUNT.match(named)
    return found[1] if found else parse_function_name(named).account
