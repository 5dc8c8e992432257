"""``worker.py`` and its limits: what it does for whoever may write to the namespace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import ActivityFailureError
from temporalio.exceptions import ApplicationError

from tests.activities.stub import Stub
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.http import FakeLambdaServer
from tests.worker_processes import NOWHERE, Workers

PAYMENTS, CHECKOUT = "payments", "checkout-api"


async def call_alone(workers: Workers, queue: str, name: str, request: dict[str, Any]) -> str:
    """Call an activity without a workflow; return its failure's type and message, or nothing."""
    try:
        await workers.temporal.client.execute_activity(
            name,
            request,
            id=f"{queue}-{name}-{request['FunctionName']}",
            task_queue=queue,
            schedule_to_close_timeout=timedelta(minutes=3),
        )
    except ActivityFailureError as failure:
        match failure.cause:
            case ApplicationError() as cause:
                return f"{cause.type}: {cause.message}"
            case _:
                raise
    return ""


async def test_worker_process_keeps_its_limits(workers: Workers) -> None:
    aws, queue = FakeLambda(), "limited-process"
    aws.create(PAYMENTS)
    aws.create(CHECKOUT)
    aws.parameters["/prod/password"] = "x"
    stub = await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws)))
    workers.start("limited", queue, AWS_ENDPOINT_URL=stub.url, RELEASES_FUNCTIONS="checkout-*")
    await workers.wait_until_polling(queue)
    variables = {"PASSWORD": "{{resolve:ssm:/prod/password}}"}
    refused: dict[str, tuple[str, str, dict[str, Any]]] = {
        "RELEASES_OPERATIONS": ("delete_function", CHECKOUT, {"Qualifier": "1"}),
        "RELEASES_FUNCTIONS": ("get_function", PAYMENTS, {}),
        "RELEASES_REFERENCES": (
            "update_function_configuration",
            CHECKOUT,
            {"Environment": {"Variables": variables}},
        ),
    }
    for setting, (name, function, request) in refused.items():
        failure = await call_alone(workers, queue, name, {"FunctionName": function, **request})
        assert failure.startswith("Denied: "), failure
        assert setting in failure
    assert [call for call in aws.calls if call.operation != "get_caller_identity"] == []
    assert await call_alone(workers, queue, "get_function", {"FunctionName": CHECKOUT}) == ""


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("RELEASES_OPERATIONS", "release,drop", "'drop' is no operation"),
        ("RELEASES_FUNCTIONS", "", "it is empty"),
    ],
)
async def test_malformed_limit_stops_the_worker(
    workers: Workers, setting: str, value: str, problem: str
) -> None:
    process = workers.start("typo", "typo", AWS_ENDPOINT_URL=NOWHERE, **{setting: value})
    text = await workers.read_refusal(process)
    assert f"worker: {setting}: {problem}" in text
    assert "Traceback" not in text
