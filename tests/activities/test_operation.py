"""Failures in a row, on a real Temporal server: time makes one final, and attempts do not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_operations
from activities.aliases import Aliases, GetAliasRequest, UpdateAliasRequest
from activities.cloudwatch.alarms import Alarms, WatchAlarmsRequest
from activities.operation import get_operation_policy
from tests.fake_lambda import FakeLambda

QUEUE = "operations"
OPERATIONS = {
    "watch_alarms": (Alarms.watch_alarms, WatchAlarmsRequest(alarm_names=["errors"])),
    "get_alias": (Aliases.get_alias, GetAliasRequest(function_name="checkout", name="live")),
    "update_alias": (
        Aliases.update_alias,
        UpdateAliasRequest(function_name="checkout", name="live", function_version="1"),
    ),
}
CREDENTIALS = ("ExpiredTokenException", "The security token included in the request is expired")
PERMISSION = ("AccessDeniedException", "not authorized to perform: lambda:UpdateAlias on a")

_numbers = itertools.count(1)


@workflow.defn(sandboxed=False)
class OneOperation:
    """Runs an operation on its own policy; returns for how many seconds."""

    @workflow.run
    async def run(self, name: str, max_attempts: int) -> float:
        operation, request = OPERATIONS[name]
        policy = get_operation_policy(operation)
        begin = workflow.now()
        await workflow.execute_activity_method(
            operation,
            request,
            start_to_close_timeout=policy.start_to_close,
            retry_policy=RetryPolicy(maximum_attempts=max_attempts)
            if max_attempts
            else policy.retry,
        )
        return (workflow.now() - begin).total_seconds()


@pytest.fixture
async def worker(temporal: WorkflowEnvironment, port: FakeLambda) -> AsyncIterator[Worker]:
    port.create("checkout", "one", "two")
    port.alarms["errors"] = "OK"
    async with Worker(
        temporal.client,
        task_queue=QUEUE,
        workflows=[OneOperation],
        activities=list_operations(port),
    ) as serving:
        yield serving


async def start(
    temporal: WorkflowEnvironment, name: str, max_attempts: int = 0
) -> WorkflowHandle[Any, float]:
    return await temporal.client.start_workflow(
        OneOperation.run,
        args=[name, max_attempts],
        id=f"one-operation-{next(_numbers)}",
        task_queue=QUEUE,
    )


async def run(temporal: WorkflowEnvironment, name: str, max_attempts: int = 0) -> float:
    """Run an operation to its end; return the seconds, most of them skipped."""
    handle = await start(temporal, name, max_attempts)
    async with asyncio.timeout(60):
        return await handle.result()


async def run_to_failure(
    temporal: WorkflowEnvironment, name: str, max_attempts: int = 0
) -> tuple[ApplicationError, float]:
    """Run an operation that fails for good; return its failure, and after how many seconds."""
    handle = await start(temporal, name, max_attempts)
    async with asyncio.timeout(60):
        with pytest.raises(WorkflowFailureError, match="execution failed") as caught:
            await handle.result()
    assert isinstance(caught.value.cause, ActivityError)
    assert isinstance(caught.value.cause.cause, ApplicationError)
    run = await handle.describe()
    assert run.close_time is not None
    return caught.value.cause.cause, (run.close_time - run.start_time).total_seconds()


def turn_red(port: FakeLambda, *, after: int) -> None:
    """Let the alarm go off after so many looks."""

    def set_state(_: object) -> None:
        port.alarms["errors"] = "ALARM"

    port.before("describe_alarms", set_state, skip=after)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("failure", [CREDENTIALS, PERMISSION, ("Strange", "")])
async def test_failure_after_a_long_quiet_watch_is_the_first(
    temporal: WorkflowEnvironment, port: FakeLambda, failure: tuple[str, str]
) -> None:
    port.fail("describe_alarms", *failure, skip=120, times=2)
    turn_red(port, after=130)
    assert await run(temporal, "watch_alarms") >= 1300


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("failure", [CREDENTIALS, PERMISSION, ("ServiceUnavailable", "")])
async def test_watch_that_cannot_look_for_ten_minutes_fails(
    temporal: WorkflowEnvironment, port: FakeLambda, failure: tuple[str, str]
) -> None:
    port.fail("describe_alarms", *failure, skip=30, times=None)
    error, seconds = await run_to_failure(temporal, "watch_alarms")
    assert "for 10 min so far" in error.message
    assert 900 <= seconds < 1000


@pytest.mark.usefixtures("worker")
async def test_quiet_look_ends_a_streak_of_failures(
    temporal: WorkflowEnvironment, port: FakeLambda
) -> None:
    # Nine minutes of failures, one look, and nine minutes of failures again.
    port.fail("describe_alarms", *CREDENTIALS, times=54)
    port.fail("describe_alarms", *PERMISSION, skip=1, times=54)
    turn_red(port, after=2)
    assert await run(temporal, "watch_alarms") >= 1080


@pytest.mark.usefixtures("worker")
async def test_failures_of_several_kinds_are_one_streak_of_a_watch(
    temporal: WorkflowEnvironment, port: FakeLambda
) -> None:
    port.fail("describe_alarms", *CREDENTIALS, times=40)
    port.fail("describe_alarms", "ServiceUnavailable", times=None)
    error, seconds = await run_to_failure(temporal, "watch_alarms")
    assert error.type == "Unavailable"
    assert 600 <= seconds < 700


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("name", "failure", "limit"),
    [
        ("get_alias", CREDENTIALS, 30),
        ("get_alias", PERMISSION, 30),
        ("update_alias", PERMISSION, 30),
        ("update_alias", CREDENTIALS, 600),
        ("update_alias", ("Strange", ""), 15),
        ("update_alias", ("ValidationException", ""), 0),
    ],
)
async def test_failure_is_final_after_its_time(
    temporal: WorkflowEnvironment, port: FakeLambda, name: str, failure: tuple[str, str], limit: int
) -> None:
    port.fail("*", *failure, times=None)
    _, seconds = await run_to_failure(temporal, name)
    # The next attempt comes within half a minute of the limit.
    assert limit <= seconds < limit + 45


@pytest.mark.usefixtures("worker")
async def test_denial_after_an_outage_has_its_own_time(
    temporal: WorkflowEnvironment, port: FakeLambda
) -> None:
    port.fail("*", *CREDENTIALS, times=10)
    port.fail("*", *PERMISSION, times=3)
    assert await run(temporal, "update_alias") > 150


@pytest.mark.usefixtures("worker")
async def test_caller_that_limits_attempts_decides_how_long_it_is_patient(
    temporal: WorkflowEnvironment, port: FakeLambda
) -> None:
    port.fail("*", *PERMISSION, times=7)
    assert await run(temporal, "update_alias", max_attempts=8) > 100
    port.fail("*", *PERMISSION, times=None)
    error, _ = await run_to_failure(temporal, "update_alias", max_attempts=2)
    assert error.details[0]["attempt"] == 2


@pytest.mark.usefixtures("worker")
async def test_streak_stands_in_the_pending_activity_and_not_in_the_history(
    temporal: WorkflowEnvironment, port: FakeLambda
) -> None:
    port.fail("*", *CREDENTIALS, times=2)
    hold = port.hold("*")
    handle = await start(temporal, "update_alias")
    async with asyncio.timeout(30):
        await hold.reached.wait()
    answer = await temporal.client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=temporal.client.namespace, execution={"workflow_id": handle.id}
        )
    )
    (details,) = await temporal.client.data_converter.decode(
        answer.pending_activities[0].heartbeat_details.payloads
    )
    assert (details["failures"], details["limit_seconds"]) == (2, 600)
    hold.release()
    await handle.result()
    assert "failing_since" not in (await handle.fetch_history()).to_json()


def test_watch_polls_every_ten_seconds_also_while_it_fails() -> None:
    policy = get_operation_policy(Alarms.watch_alarms)
    assert policy.retry.initial_interval == timedelta(seconds=10)
    assert policy.retry.backoff_coefficient == 1
