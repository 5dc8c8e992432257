"""Reserved concurrency: absolute, so that a second attempt does no harm."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from activities.concurrency import (
    DeleteFunctionConcurrencyRequest,
    PutFunctionConcurrencyRequest,
    ReservedConcurrency,
)
from activities.errors import AwsError
from tests.activities.operations import lose_response, on_attempt
from tests.fake_lambda import FakeLambda


@pytest.mark.parametrize("number", [0, 50])
async def test_reservation_under_a_lost_response_is_made_again(
    port: FakeLambda, number: int
) -> None:
    port.create("checkout")
    request = PutFunctionConcurrencyRequest(
        function_name="checkout", reserved_concurrent_executions=number
    )
    await lose_response(port, ReservedConcurrency(port).put_function_concurrency, request)
    assert (
        await on_attempt(2, ReservedConcurrency(port).put_function_concurrency, request)
    ).reserved_concurrent_executions == number
    assert port.functions["checkout"].reserved == number


@pytest.mark.parametrize("attempt", [1, 2])
async def test_missing_function_has_no_reservation_to_delete(
    port: FakeLambda, attempt: int
) -> None:
    request = DeleteFunctionConcurrencyRequest(function_name="gone")
    assert (
        await on_attempt(attempt, ReservedConcurrency(port).delete_function_concurrency, request)
        is None
    )
    port.respond(
        "delete_function_concurrency",
        AwsError("delete_function_concurrency", "AccessDeniedException", "no"),
    )
    with pytest.raises(ApplicationError, match="Denied") as denied:
        await on_attempt(attempt, ReservedConcurrency(port).delete_function_concurrency, request)
    assert denied.value.type == "Denied"
