"""Bad input fails at once, with every problem by its path; it never leaves a workflow retrying, and never repeats a secret."""

from __future__ import annotations

import itertools
import time
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import ActivityFailureError, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from tests.harness import ALL_AT_ONCE, Ending, Harness, read_ending

_numbers = itertools.count(1)

GOOD: dict[str, Any] = {"target": {"function": "checkout"}, "artifact": {"kind": "latest"}}


async def refused(harness: Harness, workflow: str, *inputs: Any) -> Ending:
    """It failed within two seconds as ReleaseRejected, in its first task, with AWS not asked and nothing left running."""
    started = time.monotonic()
    handle = await harness.start(
        workflow, *inputs, id=f"bad-{next(_numbers)}/{harness.function}", skipping=False
    )
    end = await read_ending(handle, seconds=5)
    assert time.monotonic() - started < 2
    assert end.kind == "ReleaseRejected", end
    assert harness.aws.calls == []
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
    assert await harness.history_length(handle) <= 5
    return end


@pytest.mark.parametrize(
    ("wrong", "path", "problem"),
    [
        ({"target": None}, "target", "Field required"),
        ({"target": {}}, "target.function", "Field required"),
        ({"target": {"function": 7}}, "target.function", "valid string"),
        ({"target": {"function": "a b"}}, "target.function", "not a function's name"),
        ({"target": {"function": "f:live"}}, "target.function", "not a function's name"),
        ({"target": {"function": "f", "alias": "7"}}, "target.alias", "not an alias' name"),
        ({"target": {"function": "f", "alias": "$LATEST"}}, "target.alias", "not an alias' name"),
        (
            {"target": {"function": "f", "version": "7"}},
            "target.version",
            "Extra inputs are not permitted",
        ),
        ({"targe": {}}, "targe", "Extra inputs are not permitted"),
        ({"artifact": {"kind": "zip"}}, "artifact", "kind"),
        ({"artifact": {"key": "x"}}, "artifact", "kind"),
        ({"artifact": {"kind": "s3", "bucket": "artifacts"}}, "artifact.key", "Field required"),
        (
            {"artifact": {"kind": "s3", "bucket": "artifacts", "key": "x", "object": 1}},
            "artifact.object",
            "Extra inputs",
        ),
        ({"artifact": {"kind": "version", "version": 7}}, "artifact.version", "valid string"),
        ({"artifact": {"kind": "version", "version": "$LATEST"}}, "artifact.version", "pattern"),
        ({"artifact": None}, "(input)", "nothing to release"),
        ({"configuration": {}}, "(input)", "configuration: empty"),
        ({"configuration": {"MemorySize": "512"}}, "configuration.MemorySize", "valid integer"),
        (
            {"configuration": {"MemorySize": 64}},
            "configuration.MemorySize",
            "greater than or equal to 128",
        ),
        (
            {"configuration": {"Enviroment": {}}},
            "configuration.Enviroment",
            "Extra inputs are not permitted",
        ),
        (
            {"configuration": {"FunctionName": "other"}},
            "configuration.FunctionName",
            "Extra inputs are not permitted",
        ),
        (
            {"configuration": {"RevisionId": "x"}},
            "configuration.RevisionId",
            "Extra inputs are not permitted",
        ),
        (
            {"configuration": {"VpcConfig": {"SubnetIds": "subnet-1"}}},
            "configuration.VpcConfig.SubnetIds",
            "valid array",
        ),
        ({"strategy": "Canary0Percent5Minutes"}, "strategy", "no such preset"),
        ({"strategy": "Canary100Percent5Minutes"}, "strategy", "no such preset"),
        ({"strategy": "canary10percent5minutes"}, "strategy", "no such preset"),
        ({"strategy": ["AllAtOnce"]}, "strategy", "an object"),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": 140}]}},
            "strategy.steps.0.percent",
            "less than or equal to 100",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": -1}]}},
            "strategy.steps.0.percent",
            "greater than or equal to 0",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": 0.5}]}},
            "strategy.steps.0.percent",
            "valid integer",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": "10"}]}},
            "strategy.steps.0.percent",
            "valid integer",
        ),
        (
            {"strategy": {"steps": [{"kind": "set_weight", "percent": True}]}},
            "strategy.steps.0.percent",
            "valid integer",
        ),
        (
            {"strategy": {"steps": [{"kind": "approval"}, {"kind": "bake"}]}},
            "strategy.steps.1.duration",
            "Field required",
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
            "greater than or equal to 1 second",
        ),
        ({"strategy": {"steps": [{"kind": "nap"}]}}, "strategy.steps.0", "kind"),
        (
            {"strategy": {"steps": [{"kind": "probe"}]}},
            "strategy.steps.0.requests",
            "Field required",
        ),
        (
            {"strategy": {"steps": [{"kind": "probe", "requests": []}]}},
            "strategy.steps.0.requests",
            "at least one is needed",
        ),
        (
            {"strategy": {"steps": [{"kind": "probe", "requests": [{}], "count": 101}]}},
            "strategy.steps.0.count",
            "less than or equal to 100",
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
            "strategy.steps.0",
            "max_duration: shorter than",
        ),
        (
            {"strategy": {"steps": [{"kind": "analysis", "duration": "5m"}]}},
            "strategy.steps.0",
            "an analysis needs rules",
        ),
        (
            {"strategy": {"adaptive": {"from": 0}}},
            "strategy.adaptive.from",
            "greater than or equal to 1",
        ),
        ({"strategy": {"adaptive": 7}}, "strategy", "adaptive: not an object"),
        ({"guards": {"metrics": {}}}, "guards.metrics", "name what is judged"),
        (
            {"guards": {"metrics": {"limits": [{"metric": "latency", "max": 1}]}}},
            "guards.metrics.limits.0.metric",
            "pattern",
        ),
        (
            {"guards": {"metrics": {"limits": [{"metric": {"namespace": "X"}, "max": 1}]}}},
            "guards.metrics.limits.0.metric.name",
            "required",
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
            "at least 1",
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
        ({"guards": {"after": "15d"}}, "guards.after", "less than or equal"),
        ({"hotfix": True}, "(input)", "reason: a hotfix must say why"),
        ({"concurrency": {"reserved": -1}}, "concurrency.reserved", "greater than or equal to 0"),
        (
            {"concurrency": {"provisioned": 0}},
            "concurrency.provisioned",
            "greater than or equal to 1",
        ),
        ({"concurrency": 5}, "concurrency", "object"),
        ({"hooks": {"before": "x"}}, "hooks.before", "Extra inputs are not permitted"),
        ({"guards": {"alarms": "errors"}}, "guards.alarms", "valid array"),
        ({"guards": {"alarms": ["errors", 7]}}, "guards.alarms.1", "valid string"),
        ({"requested_by": {"name": "ana"}}, "requested_by", "valid string"),
        ({"reason": "x" * 1001}, "reason", "at most 1000 characters"),
    ],
)
async def test_what_is_wrong_is_named_by_its_path(
    harness: Harness, wrong: dict[str, Any], path: str, problem: str
) -> None:
    request = {
        key: value
        for key, value in {**GOOD, **wrong}.items()
        if value is not None or key == "artifact"
    }
    end = await refused(harness, "Release", request)
    assert f"{path}: " in end.text.removeprefix("invalid ReleaseRequest: ")[: len(path) + 2], (
        end.text
    )
    assert problem in end.text, end.text


async def test_every_problem_is_listed(harness: Harness) -> None:
    end = await refused(
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


async def test_problems_are_told_to_programs_too(harness: Harness) -> None:
    handle = await harness.start("Release", {"target": {"function": 7}}, skipping=False)
    with pytest.raises(Exception, match="execution failed") as failure:
        await handle.result()
    cause = failure.value.__cause__
    assert isinstance(cause, ApplicationError)
    assert cause.details[0] == [
        {"field": "target.function", "problem": "Input should be a valid string"}
    ]


@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
async def test_no_input_is_refused(harness: Harness, workflow: str) -> None:
    end = await refused(harness, workflow)
    assert f"{workflow}: exactly one input is needed, 0 were given" in end.text


@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
async def test_two_inputs_are_refused(harness: Harness, workflow: str) -> None:
    end = await refused(harness, workflow, GOOD, GOOD)
    assert f"{workflow}: exactly one input is needed, 2 were given" in end.text


@pytest.mark.parametrize("workflow", ["Release", "Rollback", "Rollout"])
@pytest.mark.parametrize("value", [None, "checkout", 7, True, [], [GOOD]])
async def test_what_is_no_object_is_refused(harness: Harness, workflow: str, value: Any) -> None:
    end = await refused(harness, workflow, value)
    assert "invalid " in end.text or "null" in end.text


@pytest.mark.parametrize("data", [b"{", b"", b"\xff", b'{"target": NaN}', b"[" * 5000])
async def test_what_is_no_json_is_refused(harness: Harness, data: bytes) -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=data)
    handle = await harness.start_raw("Release", payload)
    end = await read_ending(handle, seconds=5)
    assert end.kind == "ReleaseRejected", end


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"version": 7}, "version"),
        ({"version": "$LATEST"}, "version"),
        ({"version": "live"}, "version"),
        ({"artifact": {"kind": "latest"}}, "artifact"),
        ({"strategy": "AllAtOnce"}, "strategy"),
        ({"guards": {"alarm": []}}, "guards.alarm"),
    ],
)
async def test_a_rollback_is_read_as_strictly(
    harness: Harness, wrong: dict[str, Any], path: str
) -> None:
    end = await refused(harness, "Rollback", {"target": {"function": "checkout"}, **wrong})
    assert f"{path}: " in end.text


async def test_a_rollout_names_the_paths_of_what_it_is_started_with(harness: Harness) -> None:
    end = await refused(
        harness,
        "Rollout",
        {"target": {"function": "a b"}, "artifact": {"kind": "latest"}, "strategy": "Fast"},
    )
    assert "target.function: " in end.text
    assert "strategy: no such preset" in end.text


async def test_what_was_typed_is_never_repeated(harness: Harness) -> None:
    secret = "hunter2-hunter2"
    for wrong in (
        {"configuration": {"Environment": {"Variables": {"TOKEN": {"nested": secret}}}}},
        {"configuration": {"Environment": {"Variables": {"1BAD": secret}}}},
        {"configuration": {"Environment": {"Variables": [secret]}}},
        {"configuration": {"Environment": secret}},
        {"configuration": secret},
    ):
        end = await refused(harness, "Release", {**GOOD, **wrong})
        assert "configuration" in end.text
        assert secret not in end.text
        assert secret not in str(end)


async def test_a_null_is_as_good_as_absent(harness: Harness) -> None:
    nulls = dict.fromkeys(
        ["configuration", "concurrency", "hooks", "guards", "requested_by", "reason"]
    )
    end = await harness.release(
        artifact={"kind": "version", "version": "1"}, strategy="AllAtOnce", **nulls
    )
    assert end.kind == "Completed"


async def test_a_workflow_refused_leaves_the_alias_free(harness: Harness) -> None:
    await refused(harness, "Release", harness.request(artifact={"kind": "latest"}, strategy="Fast"))
    assert (
        await harness.release(artifact=harness.package("three"), strategy="AllAtOnce")
    ).kind == "Completed"


async def test_configuration_is_spelt_as_aws_spells_it_and_not_otherwise(harness: Harness) -> None:
    end = await read_ending(
        await harness.start("Release", harness.request(configuration={"memory_size": 512}))
    )
    assert (end.kind, end.text) == (
        "ReleaseRejected",
        "invalid ReleaseRequest: configuration.memory_size: Extra inputs are not permitted",
    )


# --- found by fuzzing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workflow", "size"), [("Release", 1_000_001), ("Rollback", 2_000_000), ("Rollout", 2_000_001)]
)
async def test_an_input_that_is_too_large_to_be_passed_on_is_refused(
    harness: Harness, workflow: str, size: int
) -> None:
    request = harness.request(reason="x" * size)
    end = await refused(harness, workflow, request)
    assert "(input): larger than the " in end.text


async def test_the_largest_input_is_passed_on(harness: Harness) -> None:
    big = harness.request(
        configuration={"Environment": {"Variables": {"BIG": "x" * 999_000}}}, **ALL_AT_ONCE
    )
    end = await read_ending(await harness.start("Release", big))
    assert end.kind == "Completed", end


@pytest.mark.parametrize("value", ["checkout", 7, [GOOD]])
async def test_a_rollout_that_is_no_object_is_named_as_the_input(
    harness: Harness, value: Any
) -> None:
    end = await refused(harness, "Rollout", value)
    assert end.text == "invalid RolloutRequest: (input): Input should be an object"


async def test_an_operations_own_default_is_no_problem_of_the_input(harness: Harness) -> None:
    with pytest.raises(ActivityFailureError) as failure:
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
        == "invalid AddPermissionRequest: Principal: Input should be a valid string"
    )
