"""The ceiling: workflows of the same shape as a release whose activities do nothing, on the same server, on the SDK's own terms.

Outer and child workflow, ten activities in the same order and side by side where a release has them so, the same timer, upserts, memo, summaries and details; payloads of the same size.
``settle`` (seconds) is how long the one activity waits that waits for AWS in a release: 0, or as long as AWS does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from temporalio import activity, workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

QUEUE: Final = "noop"

FUNCTION = SearchAttributeKey.for_keyword("LambdaFunction")
ALIAS = SearchAttributeKey.for_keyword("LambdaAlias")
BY = SearchAttributeKey.for_keyword("RequestedBy")
PHASE = SearchAttributeKey.for_keyword("ReleasePhase")
VERSION = SearchAttributeKey.for_keyword("ReleaseVersion")
PERCENT = SearchAttributeKey.for_int("TrafficPercent")


@dataclass
class NoopInput:
    """About as large as a request for a release."""

    function: str
    bake: float
    settle: float = 0.0
    padding: str = "x" * 330


@dataclass
class NoopResponse:
    """About as large as what AWS says of a function or an alias."""

    size: int
    padding: str = field(default="")


@dataclass
class NoopRequest:
    """About as large as a request to AWS."""

    size: int
    wait: float = 0.0
    padding: str = "x" * 80


@activity.defn
async def do_nothing(asked: NoopRequest) -> NoopResponse:
    """Return at once, or after so long."""
    if asked.wait:
        await asyncio.sleep(asked.wait)
    return NoopResponse(asked.size, "x" * asked.size)


_CONFIGURATION: Final = 800
_ALIAS: Final = 200


async def _do(size: int, summary: str, wait: float = 0.0) -> NoopResponse:
    return await workflow.execute_activity(
        do_nothing,
        NoopRequest(size, wait),
        start_to_close_timeout=timedelta(seconds=20),
        summary=summary,
    )


@workflow.defn
class NoopRelease:
    """As ``Release``."""

    @workflow.run
    async def run(self, order: NoopInput) -> NoopResponse:
        """Look once, and start the child."""
        upsert({FUNCTION: order.function, ALIAS: "live", BY: "bench"})
        workflow.set_current_details("x" * 100)
        await _do(_CONFIGURATION, f"Find {order.function}")
        pairs: list[Any] = [
            (FUNCTION, order.function),
            (ALIAS, "live"),
            (BY, "bench"),
            (PHASE, "preparing"),
            (PERCENT, 0),
        ]
        answer = await workflow.execute_child_workflow(
            NoopRollout.run,
            order,
            id=f"noop/{order.function}",
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            static_summary="x" * 100,
            static_details="x" * 40,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(key, value) for key, value in pairs]
            ),
        )
        upsert({PHASE: "succeeded"})
        return answer


@workflow.defn
class NoopRollout:
    """As ``Rollout``."""

    @workflow.run
    async def run(self, order: NoopInput) -> NoopResponse:
        """The reads, the writes, a bake between two of them."""
        await asyncio.gather(
            _do(_ALIAS, "Read the alias"), _do(_CONFIGURATION, "Find the function")
        )
        await asyncio.gather(
            _do(_CONFIGURATION, "Read version 1"), _do(_ALIAS, "Read provisioned concurrency")
        )
        self._memo()
        await _do(_CONFIGURATION, "Update code")
        await _do(_CONFIGURATION, "Wait until $LATEST is ready", order.settle)
        await _do(_CONFIGURATION, "Publish a version")
        self._phase("shifting", {VERSION: "2"})
        self._memo()
        await _do(_ALIAS, "10% to version 2")
        self._phase("baking", {PERCENT: 10})
        await workflow.sleep(order.bake, summary="Bake at 10%")
        self._phase("promoting", {})
        await _do(_ALIAS, "All traffic to version 2")
        self._phase("succeeded", {PERCENT: 100})
        return NoopResponse(0, "x" * 330)

    def _phase(self, phase: str, more: dict[Any, Any]) -> None:
        upsert({PHASE: phase, **more})
        workflow.set_current_details("x" * 300)

    def _memo(self) -> None:
        workflow.upsert_memo({"journal": NoopResponse(0, "x" * 250)})


def upsert(values: dict[SearchAttributeKey[Any], Any]) -> None:
    """One event, however many."""
    workflow.upsert_search_attributes([key.value_set(value) for key, value in values.items()])
