"""Invalid input ends a workflow at once, with every problem and its path."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import ActivityFailureError, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from tests.harness import ALL_AT_ONCE, Ending, Harness, read_ending
from workflows.domain.rejection import read_problems
from workflows.domain.status import ReleaseStatus

_numbers = itertools.count(1)

GOOD: dict[str, Any] = {"target": {"function": "checkout"}, "artifact": {"kind": "latest"}}


async def expect_rejection(harness: Harness, workflow: str, *inputs: Any) -> Ending:
    """The workflow is rejected in its first task, and calls nothing."""
    handle = await harness.start(
        workflow, *inputs, id=f"bad-{next(_numbers)}/{harness.function}", skipping=False
    )
    end = await read_ending(handle)
    assert end.kind == "ReleaseRejected", end
    assert harness.aws.calls == []
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
    kinds = [event.event_type async for event in handle.fetch_history_events()]
    assert kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) == 1
    assert EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED not in kinds
    return end


@pytest.mark.parametrize(
    ("wrong", "path", "problem"),
    [
        ({"target": None}, "target", "missing"),
        (
            {"strategy": {"steps": [{"kind": "bake", "duration": "P10M"}]}},
            "strategy.steps.0.duration",
            "P10M is 10 months; did you mean PT10M?",
        ),
        ({"guards": {"after": "P1Y"}}, "guards.after", "no months and years"),
        ({"target": {}}, "target.function", "missing"),
        ({"target": {"function": 7}}, "target.function", "must be text: write it in quotes"),
        ({"target": {"function": "a b"}}, "target.function", "not a function's name"),
        ({"target": {"function": "f:live"}}, "target.function", "not a function's name"),
        ({"target": {"function": "f", "alias": "7"}}, "target.alias", "not an alias' name"),
        ({"target": {"function": "f", "alias": "$LATEST"}}, "target.alias", "not an alias' name"),
        (
            {"target": {"function": "f", "version": "7"}},
            "target.version",
            "there is no such key: there are function, alias",
        ),
        ({"targe": {}}, "targe", "there is no such key; did you mean target?"),
        ({"artifact": {"kind": "zip"}}, "artifact.kind", "must be s3, image, version or latest"),
        ({"artifact": {"key": "x"}}, "artifact.kind", "missing: s3, image, version or latest"),
        ({"artifact": {"kind": "s3", "bucket": "artifacts"}}, "artifact.key", "missing"),
        (
            {"artifact": {"kind": "s3", "bucket": "artifacts", "key": "x", "object": 1}},
            "artifact.object",
            "did you mean object_version?",
        ),
        ({"artifact": {"kind": "version", "version": 7.5}}, "artifact.version", "must be text"),
        (
            {"artifact": {"kind": "version", "version": "$LATEST"}},
            "artifact.version",
            "has not the right form: a published version's number, such as 7",
        ),
        ({"artifact": None}, "(input)", "nothing to release"),
        ({"configuration": {}}, "configuration", "empty"),
        (
            {"configuration": {"MemorySize": "512"}},
            "configuration.MemorySize",
            "must be a whole number",
        ),
        (
            {"configuration": {"MemorySize": 64}},
            "configuration.MemorySize",
            "must be at least 128",
        ),
        (
            {"configuration": {"Enviroment": {}}},
            "configuration.Enviroment",
            "there is no such key; did you mean Environment?",
        ),
        (
            {"configuration": {"FunctionName": "other"}},
            "configuration.FunctionName",
            "there is no such key",
        ),
        (
            {"configuration": {"RevisionId": "x"}},
            "configuration.RevisionId",
            "there is no such key",
        ),
        (
            {"configuration": {"VpcConfig": {"SubnetIds": "subnet-1"}}},
            "configuration.VpcConfig.SubnetIds",
            "must be a list",
        ),
        ({"strategy": "Canary0Percent5Minutes"}, "strategy", "no such preset"),
        ({"strategy": "Canary100Percent5Minutes"}, "strategy", "no such preset"),
        (
            {"strategy": "Canry20Percent7Minute"},
            "strategy",
            "no such preset (did you mean Canary20Percent7Minutes?)",
        ),
        ({"strategy": {"adaptve": {}}}, "strategy.adaptve", "did you mean adaptive?"),
        ({"strategy": ["AllAtOnce"]}, "strategy", "must be an object"),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": 140}]}},
            "strategy.steps.0.percent",
            "must be at most 100",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": -1}]}},
            "strategy.steps.0.percent",
            "must be at least 0",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": 0.5}]}},
            "strategy.steps.0.percent",
            "must be a whole number",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": "10"}]}},
            "strategy.steps.0.percent",
            "must be a whole number",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": True}]}},
            "strategy.steps.0.percent",
            "must be a whole number",
        ),
        (
            {"strategy": {"steps": [{"kind": "approval"}, {"kind": "bake"}]}},
            "strategy.steps.1.duration",
            "missing",
        ),
        (
            {"strategy": {"steps": [{"kind": "bake", "duration": 5}]}},
            "strategy.steps.0.duration",
            "not a duration",
        ),
        (
            {"strategy": {"steps": [{"kind": "bake", "duration": "5x"}]}},
            "strategy.steps.0.duration",
            "not a duration",
        ),
        (
            {"strategy": {"steps": [{"kind": "bake", "duration": "0s"}]}},
            "strategy.steps.0.duration",
            "must be at least 1 second",
        ),
        (
            {"strategy": {"steps": [{"kind": "nap"}]}},
            "strategy.steps.0.kind",
            "must be set_weight, bake, approval, analysis, adaptive or probe",
        ),
        (
            {"strategy": {"steps": [{"kind": "probe"}]}},
            "strategy.steps.0.requests",
            "missing",
        ),
        (
            {"strategy": {"steps": [{"kind": "probe", "requests": []}]}},
            "strategy.steps.0.requests",
            "at least one is needed",
        ),
        (
            {"strategy": {"steps": [{"kind": "probe", "requests": [{}], "count": 101}]}},
            "strategy.steps.0.count",
            "must be at most 100",
        ),
        (
            {"strategy": {"steps": [{"kind": "probe", "requests": [{}], "max_failures": 1}]}},
            "strategy.steps.0.max_failures",
            "at least one",
        ),
        (
            {"strategy": {"steps": [{"kind": "probe", "requests": [{}]}] * 11}},
            "strategy.steps",
            "more than 10 of them are probes",
        ),
        (
            {
                "strategy": {
                    "steps": [
                        {
                            "kind": "probe",
                            "requests": [{}, {"expect": [{"path": "status", "exists": True}]}],
                        }
                    ]
                }
            },
            "strategy.steps.0.requests.1.expect.0.path",
            "not a JSON path",
        ),
        (
            {
                "strategy": {
                    "steps": [{"kind": "probe", "requests": [{"expect": [{"path": "$.a"}]}]}]
                }
            },
            "strategy.steps.0.requests.0.expect.0",
            "one of equals and exists",
        ),
        (
            {"strategy": {"steps": [{"kind": "bake", "duration": "5m", "max_duration": "1m"}]}},
            "strategy.steps.0.max_duration",
            "shorter than",
        ),
        (
            {"strategy": {"steps": [{"kind": "analysis", "duration": "5m"}]}},
            "strategy.steps.0",
            "an analysis needs rules",
        ),
        (
            {"strategy": {"adaptive": {"from": 0}}},
            "strategy.adaptive.from",
            "must be at least 1",
        ),
        ({"strategy": {"adaptive": 7}}, "strategy.adaptive", "not an object"),
        ({"guards": {"metrics": {}}}, "guards.metrics", "name what is judged"),
        (
            {"guards": {"metrics": {"limits": [{"metric": "latency", "max": 1}]}}},
            "guards.metrics.limits.0.metric",
            "must be error_rate, throttle_rate",
        ),
        (
            {"guards": {"metrics": {"limits": [{"metric": {"namespace": "X"}, "max": 1}]}}},
            "guards.metrics.limits.0.metric.name",
            "missing",
        ),
        (
            {
                "guards": {
                    "metrics": {
                        "limits": [{"metric": {"expression": "e", "metrics": {}}, "max": 1}]
                    }
                }
            },
            "guards.metrics.limits.0.metric.metrics",
            "is empty",
        ),
        (
            {
                "guards": {
                    "metrics": {
                        "limits": [
                            {
                                "metric": {
                                    "expression": "e + x",
                                    "metrics": {"e": {"namespace": "X", "name": "y"}},
                                },
                                "max": 1,
                            }
                        ]
                    }
                }
            },
            "(input)",
            "which Metrics has not",
        ),
        ({"guards": {"after": "15d"}}, "guards.after", "must be at most 14 d"),
        ({"hotfix": True}, "reason", "a hotfix must say why"),
        ({"concurrency": {"reserved": -1}}, "concurrency.reserved", "must be at least 0"),
        (
            {"concurrency": {"provisioned": -1}},
            "concurrency.provisioned",
            "must be at least 0",
        ),
        ({"concurrency": 5}, "concurrency", "must be an object"),
        ({"hooks": {"before": "x"}}, "hooks.before", "did you mean before_traffic?"),
        ({"guards": {"alarms": "errors"}}, "guards.alarms", "must be a list"),
        (
            {"guards": {"alarms": ["errors", 7]}},
            "guards.alarms.1",
            "must be text: write it in quotes",
        ),
        ({"requested_by": {"name": "ana"}}, "requested_by", "must be text"),
        ({"reason": "x" * 1001}, "reason", "at most 1000 characters"),
    ],
)
async def test_problem_is_listed_with_its_path(
    harness: Harness, wrong: dict[str, Any], path: str, problem: str
) -> None:
    request = {
        key: value
        for key, value in {**GOOD, **wrong}.items()
        if value is not None or key == "artifact"
    }
    end = await expect_rejection(harness, "Release", request)
    assert f"{path}: " in end.text.removeprefix("invalid ReleaseRequest: ")[: len(path) + 2], (
        end.text
    )
    assert problem in end.text, end.text


async def test_every_problem_is_listed(harness: Harness) -> None:
    end = await expect_rejection(
        harness,
        "Release",
        {
            "target": {"function": "a b"},
            "artifact": {"kind": "s3", "bucket": "artifacts"},
            "strategy": {
                "steps": [
                    {"kind": "set_weight", "percent": 140},
                    {"kind": "bake", "duration": "soon"},
                ]
            },
            "colour": "blue",
        },
    )
    for path in (
        "target.function",
        "artifact.key",
        "strategy.steps.0.percent",
        "strategy.steps.1.duration",
        "colour",
    ):
        assert f"{path}: " in end.text


async def test_problems_are_in_the_details_of_the_failure(harness: Harness) -> None:
    handle = await harness.start("Release", {"target": {"function": 7}}, skipping=False)
    with pytest.raises(Exception, match="execution failed") as failure:
        await handle.result()
    cause = failure.value.__cause__
    assert isinstance(cause, ApplicationError)
    status = ReleaseStatus.model_validate(cause.details[0])
    assert status.phase == "rejected"
    assert status.problems == read_problems(cause.details)
    [problem] = status.problems
    assert problem.field == "target.function"
    assert "string" in problem.problem or "text" in problem.problem


@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout", "Plan"])
async def test_malformed_input_is_rejected_with_a_status(harness: Harness, workflow: str) -> None:
    end = await expect_rejection(harness, workflow, harness.request(colour="blue"))
    assert end.status is not None
    assert (end.status.phase, end.status.target.function) == ("rejected", harness.function)
    assert [problem.field for problem in end.status.problems] == ["colour"]


@pytest.mark.parametrize("inputs", [(), (GOOD, GOOD), ("checkout",), (None,)])
async def test_wrong_number_or_type_of_inputs_is_rejected_with_a_status(
    harness: Harness, inputs: tuple[Any, ...]
) -> None:
    end = await expect_rejection(harness, "Release", *inputs)
    assert end.status is not None
    assert end.status.target.function == "(unknown)"
    assert [problem.field for problem in end.status.problems] == ["(input)"]


async def test_missing_function_is_rejected_with_its_field(harness: Harness) -> None:
    handle = await harness.start("Release", {**GOOD, "target": {"function": "nosuch"}})
    end = await read_ending(handle)
    assert end.kind == "ReleaseRejected"
    assert end.status is not None
    assert [problem.field for problem in end.status.problems] == ["target.function"]


@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
async def test_missing_input_is_refused(harness: Harness, workflow: str) -> None:
    end = await expect_rejection(harness, workflow)
    assert f"{workflow}: exactly one input is needed, 0 were given" in end.text


@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
async def test_second_input_is_refused(harness: Harness, workflow: str) -> None:
    end = await expect_rejection(harness, workflow, GOOD, GOOD)
    assert f"{workflow}: exactly one input is needed, 2 were given" in end.text


@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
@pytest.mark.parametrize("value", [None, "checkout", 7, True, [], [GOOD]])
async def test_input_that_is_not_an_object_is_refused(
    harness: Harness, workflow: str, value: Any
) -> None:
    end = await expect_rejection(harness, workflow, value)
    assert "invalid " in end.text or "null" in end.text


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"version": 7.5}, "version"),
        ({"version": "$LATEST"}, "version"),
        ({"version": "live"}, "version"),
        ({"artifact": {"kind": "latest"}}, "artifact"),
        ({"strategy": "AllAtOnce"}, "strategy"),
        ({"guards": {"alarm": []}}, "guards.alarm"),
    ],
)
async def test_rollback_is_validated_as_strictly(
    harness: Harness, wrong: dict[str, Any], path: str
) -> None:
    end = await expect_rejection(harness, "Rollback", {"target": {"function": "checkout"}, **wrong})
    assert f"{path}: " in end.text


async def test_rollout_lists_problems_by_path(harness: Harness) -> None:
    end = await expect_rejection(
        harness,
        "Rollout",
        {"target": {"function": "a b"}, "artifact": {"kind": "latest"}, "strategy": "Fast"},
    )
    assert "target.function: " in end.text
    assert "strategy: no such preset" in end.text


async def test_values_of_the_input_are_not_repeated(harness: Harness) -> None:
    secret = "hunter2-hunter2"
    for wrong in (
        {"configuration": {"Environment": {"Variables": {"TOKEN": {"nested": secret}}}}},
        {"configuration": {"Environment": {"Variables": {"1BAD": secret}}}},
        {"configuration": {"Environment": {"Variables": [secret]}}},
        {"configuration": {"Environment": secret}},
        {"configuration": secret},
    ):
        end = await expect_rejection(harness, "Release", {**GOOD, **wrong})
        assert "configuration" in end.text
        assert secret not in end.text
        assert secret not in str(end)


async def test_null_means_absent(harness: Harness) -> None:
    nulls = dict.fromkeys(
        ["configuration", "concurrency", "hooks", "guards", "requested_by", "reason"]
    )
    end = await harness.release(
        artifact={"kind": "version", "version": "1"}, strategy="AllAtOnce", **nulls
    )
    assert end.kind == "Completed"


async def test_refused_release_leaves_the_alias_free(harness: Harness) -> None:
    await expect_rejection(
        harness, "Release", harness.request(artifact={"kind": "latest"}, strategy="Fast")
    )
    assert (
        await harness.release(artifact=harness.package("three"), strategy="AllAtOnce")
    ).kind == "Completed"


async def test_configuration_in_snake_case_is_refused(harness: Harness) -> None:
    end = await read_ending(
        await harness.start("Release", harness.request(configuration={"memory_size": 512}))
    )
    assert (end.kind, end.text) == (
        "ReleaseRejected",
        (
            "invalid ReleaseRequest: configuration.memory_size: there is no such key; "
            "did you mean MemorySize?"
        ),
    )


# --- found by fuzzing ---


@pytest.mark.parametrize(
    ("workflow", "size"), [("Release", 1_000_001), ("Rollback", 2_000_000), ("Rollout", 2_000_001)]
)
async def test_input_too_large_for_the_child_is_refused(
    harness: Harness, workflow: str, size: int
) -> None:
    request = harness.request(reason="x" * size)
    end = await expect_rejection(harness, workflow, request)
    assert "(input): larger than the " in end.text


async def test_largest_input_is_released(harness: Harness) -> None:
    big = harness.request(
        configuration={"Environment": {"Variables": {"BIG": "x" * 999_000}}}, **ALL_AT_ONCE
    )
    end = await read_ending(await harness.start("Release", big))
    assert end.kind == "Completed", end


@pytest.mark.parametrize("value", ["checkout", 7, [GOOD]])
async def test_rollout_input_that_is_not_an_object_has_the_path_input(
    harness: Harness, value: Any
) -> None:
    end = await expect_rejection(harness, "Rollout", value)
    assert end.text == "invalid RolloutRequest: (input): must be an object"


async def test_default_of_an_operation_is_not_listed_as_a_problem(harness: Harness) -> None:
    with pytest.raises(ActivityFailureError, match="failed") as failure:
        await harness.client.execute_activity(
            "add_permission",
            {"FunctionName": "checkout", "Action": "lambda:*", "Principal": 7},
            id=f"permit-{harness.function}",
            task_queue=harness.queue,
            start_to_close_timeout=timedelta(seconds=30),
        )
    assert isinstance(failure.value.cause, ApplicationError)
    assert (
        failure.value.cause.message
        == "invalid AddPermissionRequest: Principal: must be text: write it in quotes"
    )
