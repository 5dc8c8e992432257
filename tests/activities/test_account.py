"""The account's settings, which take no input."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from activities.account import Account, GetAccountSettingsRequest
from tests.activities.operations import on_attempt
from tests.fake_lambda import FakeLambda

ANSWER = {
    "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900},
    "AccountUsage": {"FunctionCount": 3},
}


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [None],
        [GetAccountSettingsRequest()],
        [GetAccountSettingsRequest.model_validate_json("{}")],
    ],
)
async def test_settings_are_read_with_no_input_and_with_an_empty_one(
    port: FakeLambda, inputs: list[GetAccountSettingsRequest | None]
) -> None:
    port.respond("get_account_settings", ANSWER)
    found = await on_attempt(1, Account(port).get_account_settings, *inputs)
    assert found.account_limit.unreserved_concurrent_executions == 900
    assert port.requests == [("get_account_settings", {})]


def test_input_with_a_member_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        GetAccountSettingsRequest.model_validate({"FunctionName": "checkout"})
