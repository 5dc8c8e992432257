"""Permissions: who may invoke a function, as statements of its resource policy.

Each version and alias has its own policy.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast
from weakref import WeakValueDictionary

from pydantic import Field, ValidationError

from activities.errors import AwsError
from activities.operation import READ, WRITE, Aws, OperationGroup, is_retry, operation
from activities.readback import (
    PRECONDITION_FAILED,
    RESOURCE_CONFLICT,
    RESOURCE_NOT_FOUND,
    exists_error,
    read_or_none,
)
from activities.shapes import (
    Arn,
    Boolean,
    BoundedText,
    NamespacedFunctionName,
    Qualifier,
    Request,
    Response,
    parse_function_name,
)

_GRANT_FIELDS: Final = (
    "action",
    "principal",
    "source_arn",
    "source_account",
    "event_source_token",
    "function_url_auth_type",
    "invoked_via_function_url",
    "principal_org_id",
)

_CONDITIONS: Final = {
    "aws:sourcearn": "SourceArn",
    "aws:sourceaccount": "SourceAccount",
    "lambda:eventsourcetoken": "EventSourceToken",
    "lambda:functionurlauthtype": "FunctionUrlAuthType",
    "lambda:invokedviafunctionurl": "InvokedViaFunctionUrl",
    "aws:principalorgid": "PrincipalOrgID",
}
"""The members of a request by the condition keys of statements, in lower case."""


def _derive_statement_id(grant: Mapping[str, Any]) -> str:
    """The same id for the same grant: a request that is sent twice grants once."""
    members = json.dumps([grant.get(member) for member in _GRANT_FIELDS])
    return f"lambda-releases-{hashlib.sha256(members.encode()).hexdigest()[:32]}"


class AddPermissionRequest(Request):
    """The request of :meth:`Permissions.add_permission`.

    AWS requires a ``StatementId``. Here it is optional: by default it is a hash of the principal,
    the action and the conditions, so that the same grant always has the same id.
    """

    function_name: NamespacedFunctionName
    action: Annotated[str, Field(max_length=10000, pattern=r"^(lambda:[*]|lambda:[a-zA-Z]+|[*])$")]
    principal: Annotated[str, Field(max_length=2048, pattern=r"^[^\s]+$")]
    source_arn: Arn | None = None
    function_url_auth_type: Literal["NONE", "AWS_IAM"] | None = None
    invoked_via_function_url: Boolean | None = None
    source_account: Annotated[str, Field(max_length=12, pattern=r"^[0-9]{12}$")] | None = None
    event_source_token: (
        Annotated[str, Field(max_length=256, pattern=r"^[a-zA-Z0-9._-]+$")] | None
    ) = None
    qualifier: Qualifier | None = None
    revision_id: str | None = Field(
        default=None, description="of the policy, as get_policy answers it"
    )
    principal_org_id: (
        Annotated[str, Field(min_length=12, max_length=34, pattern=r"^o-[a-z0-9]{10,32}$")] | None
    ) = None
    statement_id: Annotated[
        str, Field(min_length=1, max_length=100, pattern=r"^[a-zA-Z0-9_-]+$")
    ] = Field(default_factory=_derive_statement_id)


class RemovePermissionRequest(Request):
    """The request of :meth:`Permissions.remove_permission`."""

    function_name: NamespacedFunctionName
    statement_id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-zA-Z0-9_.-]+$")]
    qualifier: Qualifier | None = None
    revision_id: str | None = Field(
        default=None, description="of the policy, as get_policy answers it"
    )


class GetPolicyRequest(Request):
    """The request of :meth:`Permissions.get_policy`."""

    function_name: NamespacedFunctionName
    qualifier: Qualifier | None = None


class AddPermissionResponse(Response):
    """The statement, as JSON in a string."""

    statement: BoundedText | None = None


class GetPolicyResponse(Response):
    """The policy, as JSON in a string (AWS allows 20 kB), and its own RevisionId."""

    policy: BoundedText | None = None
    revision_id: str | None = None


class _Policy(Response):
    """The part of a policy that is read here."""

    statement: list[dict[str, Any]]


class Permissions(OperationGroup):
    """Operations on resource policies.

    AWS can lose statements that are written at the same time. So writes to the policies of one
    function wait for each other within this worker. Between workers there is no such protection.
    """

    def __init__(self, aws: Aws) -> None:
        """Call through ``aws``, with one lock per function that lives while it is used."""
        super().__init__(aws)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @operation(WRITE)
    async def add_permission(self, request: AddPermissionRequest) -> AddPermissionResponse:
        """Let a service or an account invoke a function, or only its ``Qualifier``.

        Statements are identified by their ids. On a retry, or if the id exists, the policy is read.
        A statement of that id that grants the same is success. One that differs is ``Exists``, with
        the names of the members that differ, and stays unchanged.

        ``Stale`` where the policy is no longer at the given ``RevisionId``. AWS: AddPermission.
        """
        async with self._get_lock(request.function_name):
            if is_retry() and (found := await self._read_statement(request)):
                return _adopt_statement(request, found)
            try:
                answer = await self.aws.call("lambda", "add_permission", request.parameters())
            except AwsError as error:
                if error.code in {RESOURCE_CONFLICT, PRECONDITION_FAILED} and (
                    found := await self._read_statement(request)
                ):
                    return _adopt_statement(request, found)
                raise
        return AddPermissionResponse.model_validate(answer)

    @operation(READ)
    async def get_policy(self, request: GetPolicyRequest) -> GetPolicyResponse:
        """Read the policy of a function, or of one version or alias of it.

        ``NotFound`` where no statement was ever added. AWS allows 15 calls per second.
        AWS: GetPolicy.
        """
        return GetPolicyResponse.model_validate(
            await self.aws.call("lambda", "get_policy", request.parameters())
        )

    @operation(WRITE)
    async def remove_permission(self, request: RemovePermissionRequest) -> None:
        """Remove a statement from a policy.

        Idempotent: a statement that does not exist is success, even where the ``RevisionId``
        changed because a first attempt had succeeded. ``Stale`` where the policy changed and still
        has the statement. AWS: RemovePermission.
        """
        async with self._get_lock(request.function_name):
            try:
                await self.aws.call("lambda", "remove_permission", request.parameters())
            except AwsError as error:
                if error.code == RESOURCE_NOT_FOUND or (
                    error.code == PRECONDITION_FAILED and not await self._read_statement(request)
                ):
                    return
                raise

    def _get_lock(self, function: str) -> asyncio.Lock:
        return self._locks.setdefault(parse_function_name(function).name, asyncio.Lock())

    async def _read_statement(
        self, request: AddPermissionRequest | RemovePermissionRequest
    ) -> dict[str, Any] | None:
        """The statement of this id in the policy of this function and qualifier."""
        name = request.model_dump(
            by_alias=True, include={"function_name", "qualifier"}, exclude_none=True
        )
        answer = await read_or_none(self.aws.call("lambda", "get_policy", name))
        statements = parse_statements(answer["Policy"]) if answer else []
        return next(
            (statement for statement in statements if statement.get("Sid") == request.statement_id),
            None,
        )


def parse_statements(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy; an invalid one counts as a malformed response."""
    try:
        return _Policy.model_validate_json(policy).statement
    except ValidationError:
        raise AwsError(
            "get_policy",
            "ResponseParserError",
            "the answer is not as AWS describes it: Policy is no policy",
        ) from None


def _adopt_statement(request: AddPermissionRequest, found: dict[str, Any]) -> AddPermissionResponse:
    """The response for a statement that grants the same; else raises ``Exists``."""
    granted, requested = _parse_grant(found), _build_grant(request)
    if differing := [name for name in requested if requested[name] != granted.get(name)] + [
        name for name in granted if name not in requested
    ]:
        what = f"statement {request.statement_id} of {request.function_name}"
        raise exists_error(
            "add_permission",
            f"{what}:{request.qualifier}" if request.qualifier else what,
            differing,
        )
    return AddPermissionResponse(statement=json.dumps(found))


def _build_grant(request: AddPermissionRequest) -> dict[str, str]:
    """What a request grants, member by member, in the form of :func:`_parse_grant`."""
    grant = request.model_dump(by_alias=True, include=set(_GRANT_FIELDS), exclude_none=True)
    return {
        member: str(value).lower() if isinstance(value, bool) else str(value)
        for member, value in grant.items()
    }


def _parse_grant(statement: Mapping[str, Any]) -> dict[str, str]:
    """What a statement grants, with the member names of a request.

    An unknown condition keeps AWS's name, and so it differs from any request.
    """
    granted = {
        "Action": str(statement.get("Action")),
        "Principal": parse_principal(statement.get("Principal")),
    }
    for tests in cast("Mapping[str, Mapping[str, Any]]", statement.get("Condition") or {}).values():
        granted |= {
            _CONDITIONS.get(name.lower(), name): str(value) for name, value in tests.items()
        }
    return granted


def parse_principal(principal: Any) -> str:
    """A service, ``*``, an ARN, or an account id, which AWS writes as its root's ARN."""
    if isinstance(principal, Mapping):
        principal = next(iter(cast("Mapping[str, Any]", principal).values()), None)
    account = str(principal).removesuffix(":root").rpartition(":")
    return account[2] if str(principal).endswith(":root") else str(principal)
