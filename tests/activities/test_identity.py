"""Whose credentials a worker has, and the refusal of other accounts' functions."""

from __future__ import annotations

import pytest

from activities.errors import AwsError, Fault, classify_error
from activities.identity import AccountGuard, Identity, ServedAccount, read_account
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT

REGION = "eu-west-1"
OURS = ServedAccount(ACCOUNT, REGION)
OTHER = "999999999999"


async def test_identity_is_the_account_of_the_credentials(port: FakeLambda) -> None:
    found = await Identity(port).get_caller_identity()
    assert found.account == ACCOUNT
    assert await read_account(port) == ACCOUNT


async def test_lost_answer_of_sts_is_asked_for_again(port: FakeLambda) -> None:
    port.fail("get_caller_identity", "ConnectTimeoutError")
    assert await read_account(port) == ACCOUNT


async def test_refusal_of_sts_is_final(port: FakeLambda) -> None:
    port.fail("get_caller_identity", "ExpiredToken")
    with pytest.raises(AwsError, match="ExpiredToken"):
        await read_account(port)


@pytest.mark.parametrize(
    ("member", "named"),
    [
        ("FunctionName", f"arn:aws:lambda:{REGION}:{OTHER}:function:checkout"),
        ("FunctionName", f"arn:aws:lambda:{REGION}:{OTHER}:function:checkout:live"),
        ("FunctionName", f"{OTHER}:function:checkout"),
        ("FunctionName", f"{OTHER}:checkout"),
        ("Resource", f"arn:aws:lambda:{REGION}:{OTHER}:function:checkout"),
        ("Resource", f"arn:aws:lambda:{REGION}:{OTHER}:event-source-mapping:1"),
    ],
)
async def test_function_of_another_account_is_refused_unsent(
    port: FakeLambda, member: str, named: str
) -> None:
    with pytest.raises(AwsError, match="nothing was sent") as refusal:
        await AccountGuard(port, OURS).call("lambda", "get_function", {member: named})
    assert port.calls == []
    assert f"{member} is in account {OTHER}" in refusal.value.message
    assert f"this worker serves account {ACCOUNT} in {REGION}" in refusal.value.message
    assert classify_error(refusal.value) is Fault.DENIED


@pytest.mark.parametrize(
    "named",
    [
        "checkout",
        f"{ACCOUNT}:function:checkout",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:checkout",
    ],
)
async def test_own_function_is_called_under_each_of_its_names(port: FakeLambda, named: str) -> None:
    port.create("checkout")
    answer = await AccountGuard(port, OURS).call("lambda", "get_function", {"FunctionName": named})
    assert answer["Configuration"]["FunctionName"] == "checkout"


def test_identity_of_a_worker_holds_account_and_region() -> None:
    identity = OURS.identify("4711@host/abcd")
    assert ServedAccount.parse(identity) == OURS
    assert ServedAccount.parse("4711@host/abcd") is None
    other = ServedAccount(OTHER, REGION).identify("4711@host/abcd")
    assert OURS.find_others([identity, "4711@host", other]) == [other]
