"""Releases for tests of the client: waiting ones, and ones without a worker."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from tests.harness import Harness
from workflows import search_attributes
from workflows.client import ReleaseClient
from workflows.client.errors import NoSuchRelease
from workflows.domain.status import Phase
from workflows.domain.target import Target
from workflows.request import ReleaseRequest

APPROVAL = {"steps": [{"kind": "set_weight", "percent": 10}, {"kind": "approval"}]}
HERE, THERE = "lambda:111111111111:eu-central-1", "lambda:222222222222:us-east-1"
NUMBERS = itertools.count(1)


def make_request(harness: Harness, package: str = "three", **keys: Any) -> ReleaseRequest:
    keys = {
        "artifact": harness.package(package),
        "strategy": "AllAtOnce",
        "requested_by": "ana",
        **keys,
    }
    return ReleaseRequest.model_validate({"target": {"function": harness.function}, **keys})


async def start_waiting_release(
    releases: ReleaseClient, harness: Harness, phase: Phase = Phase.AWAITING_APPROVAL, **keys: Any
) -> str:
    """Start a release, and wait until it waits for approval; return its workflow id."""
    handle = await releases.start(
        make_request(harness, **{"strategy": APPROVAL, **keys}), task_queue=harness.queue
    )
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NoSuchRelease):
                if (await releases.status(handle.id)).phase == phase:
                    return handle.id
            await asyncio.sleep(0.02)


async def create_unserved_rollout(
    releases: ReleaseClient, rollout_id: str, *, closed: bool = False
) -> WorkflowHandle[Any, Any]:
    """Start a rollout on a queue without a worker; ``closed``: and terminate it.

    Returns once visibility lists it so.
    """
    function, alias = rollout_id.replace("/", ":").split(":")[-2:]
    found = [
        SearchAttributePair(search_attributes.FUNCTION, function),
        SearchAttributePair(search_attributes.ALIAS, alias),
    ]
    handle: WorkflowHandle[Any, Any] = await releases.temporal.start_workflow(
        "Rollout",
        {"target": {"function": function}, "artifact": {"kind": "latest"}},
        id=rollout_id,
        task_queue="unserved",
        search_attributes=TypedSearchAttributes(found),
    )
    if closed:
        await handle.terminate()
    async with asyncio.timeout(60):
        state = "ExecutionStatus != 'Running'" if closed else "ExecutionStatus = 'Running'"
        while True:
            if [
                run
                async for run in releases.temporal.list_workflows(
                    f"WorkflowId = '{rollout_id}' AND {state}"
                )
            ]:
                return handle
            await asyncio.sleep(0.05)


def make_target(harness: Harness) -> Target:
    return Target(function=harness.function)
