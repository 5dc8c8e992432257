"""A workflow ends with every input.

Refused at once with the field, or as a release ends.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from tests.fake_lambda.account import ACCOUNT, REGION
from tests.fuzz.everything import LONG, MANY
from tests.fuzz.harness import (
    FUNCTION_PLACEHOLDER,
    Clock,
    FuzzHarness,
    Tally,
    assert_answered,
    assert_no_task_failed,
    run_cases,
    wait_for_ending,
)
from tests.fuzz.naming import check_refusal, names_member
from tests.fuzz.payloads import Sent, inputs_around, read_document, read_input
from tests.fuzz.shaped import STRATEGIES, Known, documents_of_model
from tests.fuzz.size import Case, count_share, draw_cases
from workflows.metric_mapping import is_measured
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.rollout_request import RolloutRequest

_HOOKS = st.sampled_from(["hook-yes", "hook-yes", "hook-yes", "hook-no", "nobody"])
_ALARM_ARNS = [
    f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:quiet",
    f"arn:aws:cloudwatch:us-west-2:{ACCOUNT}:alarm:quiet",
    f"arn:aws:cloudwatch:{REGION}:999999999999:alarm:quiet",
]
KNOWN: Known = {
    ("target", "function"): st.sampled_from(
        [FUNCTION_PLACEHOLDER.decode()] * 9
        + [
            "nobody",
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:checkout-fuzz",
            f"arn:aws:lambda:{REGION}:999999999999:function:checkout-fuzz",
        ]
    ),
    ("target", "alias"): st.sampled_from(["live"] * 9 + ["next"]),
    ("strategy",): st.one_of(STRATEGIES, st.deferred(lambda: _STEPS)),
    ("hooks", "before_traffic"): _HOOKS,
    ("hooks", "after_traffic"): _HOOKS,
    ("guards", "alarms"): st.one_of(
        st.lists(st.sampled_from(["quiet"] * 6 + ["loud", "gone", *_ALARM_ARNS]), max_size=2),
        st.just(MANY),
    ),
    ("requested_by",): st.sampled_from(["", "ci", "🦄" * 200, "a\x00b", "' OR 1=1"]),
    ("reason",): st.sampled_from(["", "PR 12", "🦄" * 1000, "a\x00b", "{0}%s"]),
    ("uri",): st.sampled_from(["123456789012.dkr.ecr.eu-central-1.amazonaws.com/one:1", LONG]),
    ("bucket",): st.just("artifacts"),
    ("artifact", "key"): st.sampled_from(["three.zip", "three.zip", LONG]),
    ("object_version",): st.none(),
    ("kms_key",): st.sampled_from([None, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/one"]),
    ("artifact", "version"): st.sampled_from(["1", "2", "9"]),
    ("version",): st.sampled_from(["1", "1", "2", "9"]),
    ("provisioned",): st.sampled_from([0, 0, 1, 5, 20, 950]),
    ("reserved",): st.integers(20, 2000),
    ("Environment", "Variables"): st.dictionaries(
        st.sampled_from(["MODE", "TOKEN"]),
        st.sampled_from(["a", "{{resolve:ssm:/known}}", "{{resolve:ssm:/no}}"]),
    ),
}
_EXPECTED = st.lists(
    st.fixed_dictionaries(
        {"path": st.sampled_from(["$.status", "$.items[0].id", "$['a b']", "$"])},
        optional={
            "equals": st.sampled_from(["ok", None, 1.5, [True], {"a": None}]),
            "exists": st.booleans(),
        },
    ).filter(lambda one: len(one) == 2),
    max_size=2,
)
_STEPS = documents_of_model(
    ReleaseRequest.model_fields["strategy"].annotation or BaseModel,
    {
        ("expect",): _EXPECTED,
        ("payload",): st.sampled_from([{}, {"id": 1}, [None], "x" * 1000]),
        ("count",): st.sampled_from([4, 4, 20, 100]),
        ("max_failures",): st.sampled_from([0, 0, 3, 19]),
        ("max_latency",): st.sampled_from(["300ms", "2s", "PT15M"]),
    },
)
_HUGE = st.sampled_from(
    [100_000, 1_000_000, 999_900, 1_000_001, 2_000_500, 2_097_100, 2_097_152, 2_200_000, 5_000_000]
).map(lambda size: Sent("huge", ((b"json/plain", _padded(size)),)))
MODELS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "Release": (ReleaseRequest, ReleaseRequest),
    "Rollback": (RollbackRequest, RollbackRequest),
    "Rollout": (RolloutRequest, ReleaseRequest),
    "Plan": (ReleaseRequest, ReleaseRequest),
}
ENDINGS = {"Completed", "ReleaseRejected", "ReleaseRolledBack"}
_OTHERWISE = re.compile(
    r"an update of the function is in progress already|\S+ is being released already"
    r"|a Rollout runs under the id of its alias"
)
"""The beginnings of rejections that are about no field, but about timing or the workflow id."""

_TOO_LARGE = {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.RESOURCE_EXHAUSTED}
"""How the server refuses a start with more than 2 MiB, and gRPC one with more than 4 MB."""


def _padded(size: int) -> bytes:
    head = (
        b'{"target":{"function":"checkout-fuzz"},"strategy":"AllAtOnce",'
        b'"configuration":{"Environment":{"Variables":{"BIG":"'
    )
    return head + b"x" * (size - len(head) - 5) + b'"}}}}'


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # a cancel or an eviction drops coroutines
@pytest.mark.parametrize(
    ("workflow", "percent"), [("Release", 10), ("Rollback", 5), ("Rollout", 5), ("Plan", 5)]
)
async def test_every_start_ends(
    cleared: FuzzHarness, tallies: list[Tally], workflow: str, percent: int
) -> None:
    reads, shaped = MODELS[workflow]

    async def meet(case: Case[Sent], tally: Tally) -> None:
        await _start(cleared, workflow, case.value, tally)

    huge = [_HUGE] if workflow != "Rollback" else []
    inputs = inputs_around(
        documents_of_model(shaped, KNOWN), lambda data: read_document(reads, data) is not None, huge
    )
    tally = await run_cases(
        f"start {workflow}", draw_cases(inputs, count_share(percent), entry=workflow), meet
    )
    tallies.append(tally)
    tally.check()
    cleared.alive()
    await cleared.nothing_runs()


async def _start(harness: FuzzHarness, workflow: str, one: Sent, tally: Tally) -> None:
    reads, _ = MODELS[workflow]
    name = harness.function()
    payloads = one.about(name)
    request = read_input(reads, payloads)
    clock = Clock()
    tally.kinds[one.kind] += 1
    try:
        handle = await harness.start(
            workflow,
            payloads,
            id=_lock(name, request) if workflow == "Rollout" and request else None,
        )
    except RPCError as error:
        assert_answered(error, *_TOO_LARGE)
        tally.ends["refused by the server for its size"] += 1
        return
    if request is not None and _waits(request):
        await asyncio.sleep(0.2)
        await handle.cancel()
    kind, failure = await wait_for_ending(harness.client, handle)
    tally.ends[f"{kind}{'' if request else ' (input)'}"] += 1
    await assert_no_task_failed(harness.client, handle)
    if request is None:
        tally.refused(clock)
        assert kind == "ReleaseRejected", f"{kind}: {failure}"
        assert failure is not None
        check_refusal(
            failure.message, failure.details, reads, payloads[0].data if payloads else b""
        )
        assert await _length(handle) <= 5
        return
    assert kind in ENDINGS or (kind == "CancelledError" and _waits(request)), f"{kind}: {failure}"
    if kind == "ReleaseRejected" and failure:
        assert names_member(failure.message, reads) or _OTHERWISE.match(failure.message), (
            f"names no field: {failure.message}"
        )


def _lock(function: str, request: Any) -> str:
    return f"lambda:{ACCOUNT}:{REGION}:{function}:{request.root.target.alias}"


def _waits(request: Any) -> bool:
    """Whether a release waits so long that the test cancels it.

    Polls of alarms or metrics take real time, even where timers are skipped.
    """
    request = getattr(request, "root", request)
    steps = request.strategy.steps
    if request.guards.after or is_measured(request.strategy, request.judged_by):
        return True
    baked = sum(
        (
            step.duration if step.kind == "bake" else step.min_duration
            for step in steps
            if step.kind in {"bake", "probe"}
        ),
        timedelta(),
    )
    return any(
        step.kind == "approval" and (step.timeout is None or request.guards.alarms)
        for step in steps
    ) or (bool(request.guards.alarms) and baked > timedelta(minutes=15))


async def _length(handle: WorkflowHandle[Any, Any]) -> int:
    return (await handle.describe()).history_length
