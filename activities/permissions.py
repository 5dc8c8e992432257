"""Permissions: who may invoke a function, as statements of its resource policy – one policy for each version and alias."""

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
from activities.readback import PRECONDITION_FAILED, RESOURCE_NOT_FOUND, RESOURCE_CONFLICT, exists_error, read_or_none
from activities.shapes import (
    Arn,
    Boolean,
    NamespacedFunctionName,
    Qualifier,
    Request,
    Response,
    BoundedText,
    parse_function_name,
)

_GRANT: Final = (
    "action",
    "principal",
    "source_arn",
    "source_account",
    "event_source_token",
    "function_url_auth_type",
    "invoked_via_function_url",
    "principal_org_id",
)


def _statement_id(grant: Mapping[str, Any]) -> str:
    """The same id for the same grant, always: a request that is sent again cannot grant twice."""
    members = json.dumps([grant.get(member) for member in _GRANT])
    return f"lambda-releases-{hashlib.sha256(members.encode()).hexdigest()[:32]}"


class AddPermissionRequest(Request):
    """What may be asked of :meth:`Permissions.add_permission`.

    AWS requires a ``StatementId``. Here it may be left out: it is then made of who is granted what under which condition, so that the
    same grant always has the same id.
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
    ] = Field(default_factory=_statement_id)


class RemovePermissionRequest(Request):
    """What may be asked of :meth:`Permissions.remove_permission`."""

    function_name: NamespacedFunctionName
    statement_id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-zA-Z0-9_.-]+$")]
    qualifier: Qualifier | None = None
    revision_id: str | None = Field(
        default=None, description="of the policy, as get_policy answers it"
    )


class GetPolicyRequest(Request):
    """What may be asked of :meth:`Permissions.get_policy`."""

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
    """What a policy says, in as far as it is looked into."""

    statement: list[dict[str, Any]]


class Permissions(OperationGroup):
    """What can be done with resource policies.

    AWS has been seen to lose statements that were written at the same time: writes to one function's policies wait for each other
    here, within this worker. Between workers nothing holds them apart.
    """

    def __init__(self, aws: Aws) -> None:
        """One lock a function, for as long as somebody needs it."""
        super().__init__(aws)
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @operation(WRITE)
    async def add_permission(self, request: AddPermissionRequest) -> AddPermissionResponse:
        """Let somebody (a service, an account) invoke a function, or only one version or alias of it (``Qualifier``).

        A policy knows its statements by their ids. Tried again, or told that the id is taken, it reads the policy: a statement of that id
        that grants the same is success; another one is ``Exists``, saying what differs, and is left as it is.

        ``Stale`` where the policy is no longer at the given ``RevisionId``. AWS: AddPermission.
        """
        async with self._alone(request.function_name):
            if is_retry() and (found := await self._statement(request)):
                return _ours(request, found)
            try:
                answer = await self.aws.call("lambda", "add_permission", request.parameters())
            except AwsError as error:
                if error.code in {RESOURCE_CONFLICT, PRECONDITION_FAILED} and (found := await self._statement(request)):
                    return _ours(request, found)
                raise
        return AddPermissionResponse.model_validate(answer)

    @operation(READ)
    async def get_policy(self, request: GetPolicyRequest) -> GetPolicyResponse:
        """Who may invoke a function, or one version or alias of it. ``NotFound`` where no statement was ever added.

        AWS allows 15 of these a second. AWS: GetPolicy.
        """
        return GetPolicyResponse.model_validate(
            await self.aws.call("lambda", "get_policy", request.parameters())
        )

    @operation(WRITE)
    async def remove_permission(self, request: RemovePermissionRequest) -> None:
        """Take a statement out of a policy.

        A statement that is gone already is success, so a second time does no harm, even where the ``RevisionId`` moved on because the
        first time had succeeded. ``Stale`` where the policy moved on and still has the statement. AWS: RemovePermission.
        """
        async with self._alone(request.function_name):
            try:
                await self.aws.call("lambda", "remove_permission", request.parameters())
            except AwsError as error:
                if error.code == RESOURCE_NOT_FOUND or (
                    error.code == PRECONDITION_FAILED and not await self._statement(request)
                ):
                    return
                raise

    def _alone(self, function: str) -> asyncio.Lock:
        return self._writing.setdefault(parse_function_name(function).name, asyncio.Lock())

    async def _statement(
        self, request: AddPermissionRequest | RemovePermissionRequest
    ) -> dict[str, Any] | None:
        """The statement of this id in the policy of this function and qualifier."""
        name = request.model_dump(
            by_alias=True, include={"function_name", "qualifier"}, exclude_none=True
        )
        answer = await read_or_none(self.aws.call("lambda", "get_policy", name))
        statements = _statements(answer["Policy"]) if answer else []
        return next(
            (statement for statement in statements if statement.get("Sid") == request.statement_id),
            None,
        )


def _statements(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy. One that is none is no answer of AWS's."""
    try:
        return _Policy.model_validate_json(policy).statement
    except ValidationError:
        raise AwsError(
            "get_policy",
            "ResponseParserError",
            "the answer is not as AWS describes it: Policy is no policy",
        ) from None


def _ours(request: AddPermissionRequest, found: dict[str, Any]) -> AddPermissionResponse:
    granted, asked = _granted(found), _asked(request)
    if differing := [member for member in asked if asked[member] != granted.get(member)] + [
        name for name in granted if name not in asked
    ]:
        what = f"statement {request.statement_id} of {request.function_name}"
        raise exists_error(
            "add_permission",
            f"{what}:{request.qualifier}" if request.qualifier else what,
            differing,
        )
    return AddPermissionResponse(statement=json.dumps(found))


_CONDITIONS: Final = {
    "aws:sourcearn": "SourceArn",
    "aws:sourceaccount": "SourceAccount",
    "lambda:eventsourcetoken": "EventSourceToken",
    "lambda:functionurlauthtype": "FunctionUrlAuthType",
    "lambda:invokedviafunctionurl": "InvokedViaFunctionUrl",
    "aws:principalorgid": "PrincipalOrgID",
}


def _asked(request: AddPermissionRequest) -> dict[str, str]:
    """What a request grants: member by member, as :func:`_granted` reads it from a statement."""
    grant = request.model_dump(by_alias=True, include=set(_GRANT), exclude_none=True)
    return {
        member: str(value).lower() if isinstance(value, bool) else str(value)
        for member, value in grant.items()
    }


def _granted(statement: Mapping[str, Any]) -> dict[str, str]:
    """What a statement grants, in the words in which it was asked for. What we cannot read keeps AWS's name, and so differs."""
    granted = {
        "Action": str(statement.get("Action")),
        "Principal": _principal(statement.get("Principal")),
    }
    for tests in cast("Mapping[str, Mapping[str, Any]]", statement.get("Condition") or {}).values():
        granted |= {
            _CONDITIONS.get(name.lower(), name): str(value) for name, value in tests.items()
        }
    return granted


def _principal(stated: Any) -> str:
    """``s3.amazonaws.com``, ``*``, an ARN, or an account's number, which AWS writes as the ARN of its root."""
    if isinstance(stated, Mapping):
        stated = next(iter(cast("Mapping[str, Any]", stated).values()), None)
    account = str(stated).removesuffix(":root").rpartition(":")
    return account[2] if str(stated).endswith(":root") else str(stated)
