"""Permissions: one statement for one grant, and no statement is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.errors import AwsError
from activities.permissions import (
    AddPermissionRequest,
    GetPolicyRequest,
    Permissions,
    RemovePermissionRequest,
)
from tests.activities.operations import lose_response, on_attempt
from tests.fake_lambda import FakeLambda

TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
ADD = AddPermissionRequest(
    function_name="checkout",
    action="lambda:InvokeFunction",
    principal="sns.amazonaws.com",
    source_arn=TOPIC,
    qualifier="live",
)
REMOVE = RemovePermissionRequest(
    function_name="checkout", statement_id=ADD.statement_id, qualifier="live"
)
MOVED = "PreconditionFailedException"


class Gauge:
    """How many writes to policies are on their way at once, at most."""

    def __init__(self, port: FakeLambda) -> None:
        self.now = self.most = 0
        for operation in ("add_permission", "remove_permission"):
            port.before(operation, self._begin, times=None)
            port.after(operation, self._end, times=None)

    async def _begin(self, _: object) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(5):  # every other writer gets its chance
            await asyncio.sleep(0)

    def _end(self, _: object) -> None:
        self.now -= 1


@pytest.fixture
def permissions(port: FakeLambda) -> Permissions:
    for name in ("checkout", "cart"):
        port.create(name)
    return Permissions(port)


def policy(port: FakeLambda, qualifier: str = "live") -> dict[str, Any]:
    return port.functions["checkout"].policies.get(qualifier, {})


def test_statement_id_is_made_of_the_grant_alone() -> None:
    same = ADD.model_copy(update={"qualifier": "test", "revision_id": "p1"}).model_dump(
        by_alias=True, exclude={"statement_id"}, exclude_none=True
    )
    assert AddPermissionRequest.model_validate(same).statement_id == ADD.statement_id
    assert (
        AddPermissionRequest.model_validate(same | {"SourceAccount": "123456789012"}).statement_id
        != ADD.statement_id
    )
    assert (
        AddPermissionRequest.model_validate(same | {"StatementId": "mine"}).statement_id == "mine"
    )
    assert AddPermissionRequest.model_validate_json(ADD.model_dump_json(by_alias=True)) == ADD
    assert ADD.parameters()["StatementId"] == ADD.statement_id


async def test_permission_added_under_a_lost_response_is_not_added_again(
    port: FakeLambda, permissions: Permissions
) -> None:
    await lose_response(port, permissions.add_permission, ADD)
    answer = await on_attempt(2, permissions.add_permission, ADD)
    assert json.loads(answer.statement)["Sid"] == ADD.statement_id
    assert port.count("add_permission") == 1


async def test_missing_permission_is_added_by_the_second_attempt(
    port: FakeLambda, permissions: Permissions
) -> None:
    await on_attempt(2, permissions.add_permission, ADD)
    assert [*policy(port)] == [ADD.statement_id]


async def test_equal_permission_is_success_on_a_first_attempt(
    permissions: Permissions,
) -> None:
    first = await on_attempt(1, permissions.add_permission, ADD)
    assert json.loads(
        (await on_attempt(1, permissions.add_permission, ADD)).statement
    ) == json.loads(first.statement)


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize(
    ("other", "differing"),
    [
        ({"principal": "s3.amazonaws.com"}, "Principal"),
        ({"action": "lambda:*"}, "Action"),
        ({"source_arn": None}, "SourceArn"),
        ({"source_arn": f"{TOPIC}-2"}, "SourceArn"),
    ],
)
async def test_different_grant_is_left_alone_and_its_difference_named(
    port: FakeLambda, permissions: Permissions, attempt: int, other: dict[str, Any], differing: str
) -> None:
    await on_attempt(1, permissions.add_permission, ADD.model_copy(update=other))
    before = json.dumps(policy(port))
    with pytest.raises(
        ApplicationError,
        match=f"{ADD.statement_id} of checkout:live exists already, and differs in {differing}",
    ) as refused:
        await on_attempt(attempt, permissions.add_permission, ADD)
    assert (refused.value.type, refused.value.non_retryable) == ("Exists", True)
    assert json.dumps(policy(port)) == before


@pytest.mark.parametrize(
    ("stated", "requested"),
    [
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, {"Principal": "123456789012"}),
        (
            {"Principal": {"AWS": "arn:aws:iam::123456789012:role/caller"}},
            {"Principal": "arn:aws:iam::123456789012:role/caller"},
        ),
        ({"Principal": "*"}, {"Principal": "*"}),
        ({"Principal": {"AWS": "*"}}, {"Principal": "*"}),
        (
            {
                "Principal": "*",
                "Condition": {
                    "StringEquals": {"lambda:FunctionUrlAuthType": "NONE"},
                    "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
                },
            },
            {"Principal": "*", "FunctionUrlAuthType": "NONE", "InvokedViaFunctionUrl": True},
        ),
        (
            {
                "Principal": {"Service": "s3.amazonaws.com"},
                "Condition": {
                    "StringEquals": {
                        "AWS:SourceAccount": "123456789012",
                        "lambda:EventSourceToken": "t",
                        "aws:PrincipalOrgID": "o-0123456789",
                    },
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
                },
            },
            {
                "Principal": "s3.amazonaws.com",
                "SourceAccount": "123456789012",
                "EventSourceToken": "t",
                "PrincipalOrgID": "o-0123456789",
                "SourceArn": "arn:aws:s3:::bucket",
            },
        ),
    ],
)
async def test_statement_is_read_in_every_form_of_awss(
    port: FakeLambda, permissions: Permissions, stated: dict[str, Any], requested: dict[str, Any]
) -> None:
    request = AddPermissionRequest.model_validate(
        {"FunctionName": "checkout", "Action": "lambda:InvokeFunction", **requested}
    )
    statement = {
        "Sid": request.statement_id,
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "…",
        **stated,
    }
    port.respond("get_policy", {"Policy": json.dumps({"Statement": [statement]})})
    assert (
        json.loads((await on_attempt(2, permissions.add_permission, request)).statement)
        == statement
    )
    narrower = statement | {"Condition": {"StringEquals": {"aws:SomethingNew": "x"}}}
    port.respond("get_policy", {"Policy": json.dumps({"Statement": [narrower]})})
    with pytest.raises(ApplicationError, match="aws:SomethingNew"):
        await on_attempt(2, permissions.add_permission, request)


async def test_policy_that_moved_on_is_stale_without_our_statement(
    port: FakeLambda, permissions: Permissions
) -> None:
    port.respond(
        "add_permission",
        AwsError("add_permission", MOVED, "moved"),
        AwsError("add_permission", MOVED, "moved"),
    )
    with pytest.raises(ApplicationError, match="Stale") as stale:
        await on_attempt(
            1, permissions.add_permission, ADD.model_copy(update={"revision_id": "p0"})
        )
    assert stale.value.type == "Stale"
    port.apply("add_permission", **ADD.parameters())
    assert (await on_attempt(1, permissions.add_permission, ADD)).statement


@pytest.mark.parametrize("attempt", [1, 2])
async def test_removal_of_a_missing_statement_is_success(
    permissions: Permissions, attempt: int
) -> None:
    assert await on_attempt(attempt, permissions.remove_permission, REMOVE) is None


async def test_removal_from_a_policy_that_moved_on_needs_it_gone(
    port: FakeLambda, permissions: Permissions
) -> None:
    moved = AwsError("remove_permission", MOVED, "moved")
    port.respond("remove_permission", moved, moved)
    assert await on_attempt(1, permissions.remove_permission, REMOVE) is None
    port.apply("add_permission", **ADD.parameters())
    with pytest.raises(ApplicationError, match="Stale") as stale:
        await on_attempt(1, permissions.remove_permission, REMOVE)
    assert stale.value.type == "Stale"


async def test_writes_to_one_functions_policies_are_one_at_a_time(
    port: FakeLambda, permissions: Permissions
) -> None:
    names = (
        "checkout",
        "123456789012:function:checkout",
        "arn:aws:lambda:eu-west-1:123456789012:function:checkout:live",
    )
    adds = [ADD.model_copy(update={"function_name": name}) for name in names]
    port.respond("add_permission", *({"Statement": "{}"} for _ in adds))
    port.respond("remove_permission", {})
    gauge = Gauge(port)
    await asyncio.gather(
        *(permissions.add_permission(add) for add in adds), permissions.remove_permission(REMOVE)
    )
    assert gauge.most == 1


async def test_writes_to_different_functions_are_concurrent(
    port: FakeLambda, permissions: Permissions
) -> None:
    gauge = Gauge(port)
    await asyncio.gather(
        *(
            permissions.add_permission(ADD.model_copy(update={"function_name": name}))
            for name in ("checkout", "cart")
        )
    )
    assert gauge.most == 2


async def test_policy_is_read_per_qualifier(permissions: Permissions) -> None:
    await on_attempt(1, permissions.add_permission, ADD)
    found = await on_attempt(
        1, permissions.get_policy, GetPolicyRequest(function_name="checkout", qualifier="live")
    )
    assert json.loads(found.policy)["Statement"][0]["Sid"] == ADD.statement_id
    with pytest.raises(ApplicationError, match="NotFound") as missing:
        await on_attempt(1, permissions.get_policy, GetPolicyRequest(function_name="checkout"))
    assert missing.value.type == "NotFound"


@pytest.mark.parametrize(
    "policy", ["no JSON", "[]", "{}", '{"Statement": {}}', '{"Statement": ["all"]}']
)
async def test_malformed_policy_is_no_response(
    permissions: Permissions, port: FakeLambda, policy: str
) -> None:
    port.respond("get_policy", {"Policy": policy})
    with pytest.raises(ApplicationError, match="Policy is no policy") as failure:
        await on_attempt(2, permissions.add_permission, ADD)
    assert failure.value.type == "Unavailable"
    assert not failure.value.non_retryable
