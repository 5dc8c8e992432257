"""A worker with limits: what it refuses to releases and to those who call activities alone."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import ActivityFailureError, Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities import list_operations
from activities.access import Access
from tests.harness import CANARY, Ending, Harness, read_ending
from workflows.temporal.plugin import WORKFLOWS, LambdaReleases

RELEASING = frozenset(each.__name__ for each in WORKFLOWS)


@asynccontextmanager
async def run_limited(harness: Harness, **settings: str) -> AsyncGenerator[Harness]:
    """Run a worker of this test's own, with the settings of an operator."""
    queue = f"limited-{harness.function}"
    address = harness.client.service_client.config.target_host
    client = await Client.connect(address, plugins=[LambdaReleases()])
    access = Access.parse(workflows=RELEASING, **settings)
    async with Worker(client, task_queue=queue, activities=list_operations(harness.aws, access)):
        yield Harness(harness.env, harness.client, harness.aws, queue, harness.function)


async def release(harness: Harness, **document: Any) -> Ending:
    target = {"function": harness.function}
    return await read_ending(
        await harness.start(
            "Release",
            {"target": target, "artifact": harness.package("three"), **CANARY, **document},
        )
    )


async def call_alone(harness: Harness, name: str, request: dict[str, Any]) -> ApplicationError:
    """Call an activity without a workflow; return its failure."""
    with pytest.raises(ActivityFailureError, match="failed") as failure:
        await harness.client.execute_activity(
            name,
            request,
            id=f"{name}-{harness.function}",
            task_queue=harness.queue,
            schedule_to_close_timeout=timedelta(minutes=3),
        )
    assert isinstance(failure.value.cause, ApplicationError)
    return failure.value.cause


async def test_release_needs_no_more_than_a_worker_serves_by_default(harness: Harness) -> None:
    aws, function = harness.aws, harness.function
    aws.alarms["errors"] = "OK"
    aws.create("smoke")
    aws.handlers |= {function: lambda _: {}, "smoke": lambda _: {"accept": True}}
    aws.parameters[f"/{function}/token"] = "x"
    steps = [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "5m"}]
    async with run_limited(harness) as limited:
        end = await release(
            limited,
            configuration={
                "Environment": {"Variables": {"TOKEN": f"{{{{resolve:ssm:/{function}/token}}}}"}}
            },
            concurrency={"reserved": 50, "provisioned": 5},
            guards={"alarms": ["errors"]},
            hooks={"after_traffic": "smoke"},
            strategy={"steps": steps},
        )
    assert end.kind == "Completed", end
    assert harness.state.latest["Environment"] == {"Variables": {"TOKEN": "x"}}


async def test_release_of_a_function_that_is_not_served_is_rejected(harness: Harness) -> None:
    async with run_limited(harness, functions="payments-*,shop") as limited:
        end = await release(limited)
        plan: Any = await harness.client.execute_workflow(
            "Plan",
            {"target": {"function": harness.function}, "artifact": {"kind": "latest"}},
            id=f"plan/{harness.function}",
            task_queue=limited.queue,
        )
    assert end.kind == "ReleaseRejected"
    assert f"target.function: get_function: {harness.function} is not among" in end.text
    assert "(RELEASES_FUNCTIONS=payments-*,shop)" in end.text
    assert any("RELEASES_FUNCTIONS" in each for each in plan["refusals"])
    assert harness.aws.calls == []


async def test_hook_that_is_not_served_rejects_the_release(harness: Harness) -> None:
    harness.aws.create("smoke")
    async with run_limited(harness, functions="checkout-*") as limited:
        end = await release(limited, hooks={"after_traffic": "smoke"})
    assert end.kind == "ReleaseRejected"
    assert "hooks.after_traffic: get_function: smoke is not among" in end.text
    assert harness.aws.writes == []


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("ssm:/prod/password", r"does not resolve .* \(RELEASES_REFERENCES=/{function}/\*\)"),
        ("s3:bucket", "a dynamic reference is not"),
    ],
)
async def test_reference_that_is_refused_rejects_the_release(
    harness: Harness, reference: str, problem: str
) -> None:
    harness.aws.parameters["/prod/password"] = "x"
    variables = {"PASSWORD": f"hunter2{{{{resolve:{reference}}}}}", "PLAIN": "hunter2"}
    async with run_limited(harness) as limited:
        end = await release(limited, configuration={"Environment": {"Variables": variables}})
    assert end.kind == "ReleaseRejected"
    assert "configuration.Environment: environment variable PASSWORD: " in end.text
    assert re.search(problem, end.text), end.text
    assert "hunter2" not in end.text
    assert harness.aws.of("get_parameters") == []
    assert harness.aws.writes == []


async def test_reference_is_all_that_preflight_is_given_of_a_value(harness: Harness) -> None:
    harness.aws.parameters[f"/{harness.function}/token"] = "x"
    token = f"{{{{resolve:ssm:/{harness.function}/token}}}}"
    variables = {"TOKEN": f"hunter2{token}", "PLAIN": "hunter2"}
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"Environment": {"Variables": variables}},
        **CANARY,
    )
    assert end.kind == "Completed", end
    history = await harness.rollout.fetch_history()
    inputs = [
        event.activity_task_scheduled_event_attributes.input.payloads[0].data.decode()
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "compare_latest"
    ]
    assert token in inputs[0]
    assert "hunter2" not in "".join(inputs)


async def test_undo_of_a_function_that_is_no_longer_served_waits(harness: Harness) -> None:
    """A limit that is narrowed under a release keeps its alias until a person mends it."""
    async with run_limited(harness) as limited:
        handle = await limited.begin_until("baking", **CANARY)
    async with run_limited(harness, functions="payments") as limited:
        await limited.send("abort", reason="no")
        await limited.wait_for_note("RELEASES_FUNCTIONS=payments", seconds=120)
    async with run_limited(harness) as limited:
        end = await limited.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()


async def test_secret_is_not_copied_by_an_activity_called_alone(harness: Harness) -> None:
    harness.aws.parameters["/prod/password"] = "x"
    variables = {"PASSWORD": "{{resolve:ssm:/prod/password}}"}
    request = {"FunctionName": harness.function, "Environment": {"Variables": variables}}
    async with run_limited(harness) as limited:
        failure = await call_alone(limited, "update_function_configuration", request)
    assert (failure.type, failure.non_retryable) == ("Denied", True)
    assert "RELEASES_REFERENCES" in failure.message
    assert harness.aws.calls == []


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("delete_function", {"Qualifier": "1"}),
        (
            "add_permission",
            {"Action": "lambda:InvokeFunction", "Principal": "*", "StatementId": "all"},
        ),
        ("invoke_async", {"InvokeArgs": "e30="}),
    ],
)
async def test_operation_beyond_a_release_is_denied_to_a_call_alone(
    harness: Harness, name: str, request_: dict[str, Any]
) -> None:
    async with run_limited(harness) as limited:
        failure = await call_alone(limited, name, {"FunctionName": harness.function, **request_})
    assert (failure.type, failure.non_retryable) == ("Denied", True)
    assert f"{name}: this worker does not serve it (RELEASES_OPERATIONS)" in failure.message
    assert harness.aws.calls == []
