"""Whatever a workflow is started with, it ends: refused at once with the field's name, or as a release ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowHandle

from tests.fuzz.arena import PATIENCE, PLACE, Arena, Clock, Tally, check_refusal, ended
from tests.fuzz.documents import spoilt, written
from tests.fuzz.everything import LONG, MANY
from tests.fuzz.payloads import Sent, accepted, read, sent
from tests.fuzz.shaped import STRATEGIES, Known, of_model
from tests.fuzz.size import drawn, share
from workflows.request import ReleaseRequest, RollbackRequest, RolloutRequest

KNOWN: Known = {
    ("target", "function"): st.sampled_from([PLACE.decode()] * 9 + ["nobody", "arn:aws:lambda:eu-central-1:123456789012:function:checkout-fuzz"]),
    ("target", "alias"): st.sampled_from(["live"] * 9 + ["next"]),
    ("strategy",): st.one_of(STRATEGIES, st.deferred(lambda: _STEPS)),
    ("hooks", "before_traffic"): st.sampled_from(["hook-yes", "hook-yes", "hook-no", "nobody"]),
    ("hooks", "after_traffic"): st.sampled_from(["hook-yes", "hook-yes", "hook-no", "nobody"]),
    ("guards", "alarms"): st.one_of(st.lists(st.sampled_from(["quiet", "quiet", "quiet", "loud", "gone"]), max_size=2), st.just(MANY)),
    ("requested_by",): st.sampled_from(["", "ci", "🦄" * 200, "a\x00b", "' OR 1=1"]),
    ("reason",): st.sampled_from(["", "PR 12", "🦄" * 1000, "a\x00b", "{0}%s"]),
    ("uri",): st.sampled_from(["123456789012.dkr.ecr.eu-central-1.amazonaws.com/one:1", LONG]),
    ("bucket",): st.just("artifacts"),
    ("artifact", "key"): st.sampled_from(["three.zip", "three.zip", LONG]),
    ("object_version",): st.none(),
    ("artifact", "version"): st.sampled_from(["1", "2", "9"]),
    ("version",): st.sampled_from(["1", "2", "9"]),
    ("Environment", "Variables"): st.dictionaries(st.sampled_from(["MODE", "TOKEN"]), st.sampled_from(["a", "{{resolve:ssm:/known}}", "{{resolve:ssm:/no}}"])),
}  # fmt: skip
_STEPS = of_model(ReleaseRequest.model_fields["strategy"].annotation or BaseModel, {})
MODELS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "Release": (ReleaseRequest, ReleaseRequest),
    "Rollback": (RollbackRequest, RollbackRequest),
    "Rollout": (RolloutRequest, ReleaseRequest),
    "Plan": (ReleaseRequest, ReleaseRequest),
}
ENDINGS = {"Completed", "ReleaseRejected", "ReleaseRolledBack", "CancelledError"}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("workflow", "percent"), [("Release", 22), ("Rollback", 10), ("Rollout", 8), ("Plan", 8)])
async def test_every_start_ends(arena: Arena, workflow: str, percent: int) -> None:
    reads, shaped = MODELS[workflow]

    async def meet(one: Sent, tally: Tally) -> None:
        name = arena.function()
        payloads = one.about(name)
        request = accepted(reads, payloads)
        clock = Clock()
        handle = await arena.start(workflow, payloads, name)
        if request is not None and waits(request):
            await asyncio.sleep(0.2)
            await stop(arena, handle, name)
        kind, failure = await ended(arena.env.client, handle)
        tally.ends[f"{workflow} {kind}{'' if request else ' (input)'}"] += 1
        assert kind in ENDINGS, f"{kind}: {failure}"
        await no_task_failed(handle)
        if request is None:
            tally.slowest = max(tally.slowest, clock.seconds)
            assert kind == "ReleaseRejected", kind
            assert failure is not None
            check_refusal(failure.message, failure.details)
            assert clock.seconds < PATIENCE

    tally = await arena.all(drawn(sent(of_model(shaped, KNOWN), lambda data: read(reads, data) is not None), share(percent)), meet)
    print(tally)  # noqa: T201 - the figures
    tally.check()
    await arena.nothing_runs()
    assert tally.slowest < 2


def waits(request: Any) -> bool:
    """Whether somebody must approve what would otherwise wait without end."""
    steps = getattr(getattr(request, "root", request), "strategy").steps
    return any(step.kind == "approval" and step.timeout is None for step in steps)


async def stop(arena: Arena, handle: WorkflowHandle[Any, Any], name: str) -> None:
    """Cancel what may wait for ever."""
    await handle.cancel()


async def no_task_failed(handle: WorkflowHandle[Any, Any]) -> None:
    """No workflow task failed on the way: a failed one is tried again, for ever if it must."""
    history = await handle.fetch_history()
    for event in history.events:
        if event.HasField("workflow_task_failed_event_attributes"):
            attributes = event.workflow_task_failed_event_attributes
            if attributes.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND:  # our cancel came meanwhile
                continue
            failure = attributes.failure
            raise AssertionError(f"a task failed: {failure.message[:300]} {failure.cause.message[:300]}")
