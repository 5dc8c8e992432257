"""Contender: workflows of a release's shape that do nothing, the ceiling.

They run on the same server with the SDK's defaults. Equal to a release are: an outer and a child
workflow, ten activities in the same order and with the same concurrency, the timer, upserts, memos,
summaries, details, and the size of payloads. ``settle`` is how many seconds the activity waits that
waits for AWS in a release: 0, or as long as AWS takes.
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
    """About as large as the input of a release."""

    function: str
    bake: float
    settle: float = 0.0
    padding: str = "x" * 330


@dataclass
class NoopResponse:
    """About as large as AWS's response for a function or an alias."""

    size: int
    padding: str = field(default="")


@dataclass
class NoopRequest:
    """About as large as a request to AWS."""

    size: int
    wait: float = 0.0
    padding: str = "x" * 80


@activity.defn
async def do_nothing(request: NoopRequest) -> NoopResponse:
    """Return at once, or after ``wait`` seconds."""
    if request.wait:
        await asyncio.sleep(request.wait)
    return NoopResponse(request.size, "x" * request.size)


_CONFIGURATION_SIZE: Final = 800
_ALIAS_SIZE: Final = 200


async def _call(size: int, summary: str, wait: float = 0.0) -> NoopResponse:
    return await workflow.execute_activity(
        do_nothing,
        NoopRequest(size, wait),
        start_to_close_timeout=timedelta(seconds=20),
        summary=summary,
    )


@workflow.defn
class NoopRelease:
    """The counterpart of ``Release``."""

    @workflow.run
    async def run(self, order: NoopInput) -> NoopResponse:
        """Read once, and start the child."""
        upsert({FUNCTION: order.function, ALIAS: "live", BY: "bench"})
        workflow.set_current_details("x" * 100)
        await _call(_CONFIGURATION_SIZE, f"Find {order.function}")
        pairs: list[Any] = [
            (FUNCTION, order.function),
            (ALIAS, "live"),
            (BY, "bench"),
            (PHASE, "preparing"),
            (PERCENT, 0),
        ]
        response = await workflow.execute_child_workflow(
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
        return response


@workflow.defn
class NoopRollout:
    """The counterpart of ``Rollout``."""

    @workflow.run
    async def run(self, order: NoopInput) -> NoopResponse:
        """Run the reads and the writes, with a bake between two of them."""
        await asyncio.gather(
            _call(_ALIAS_SIZE, "Read the alias"), _call(_CONFIGURATION_SIZE, "Find the function")
        )
        await asyncio.gather(
            _call(_CONFIGURATION_SIZE, "Read version 1"),
            _call(_ALIAS_SIZE, "Read provisioned concurrency"),
        )
        self._upsert_memo()
        await _call(_CONFIGURATION_SIZE, "Update code")
        await _call(_CONFIGURATION_SIZE, "Wait until $LATEST is ready", order.settle)
        await _call(_CONFIGURATION_SIZE, "Publish a version")
        self._set_phase("shifting", {VERSION: "2"})
        self._upsert_memo()
        await _call(_ALIAS_SIZE, "10% to version 2")
        self._set_phase("baking", {PERCENT: 10})
        await workflow.sleep(order.bake, summary="Bake at 10%")
        self._set_phase("promoting", {})
        await _call(_ALIAS_SIZE, "All traffic to version 2")
        self._set_phase("succeeded", {PERCENT: 100})
        return NoopResponse(0, "x" * 330)

    def _set_phase(self, phase: str, more: dict[Any, Any]) -> None:
        upsert({PHASE: phase, **more})
        workflow.set_current_details("x" * 300)

    def _upsert_memo(self) -> None:
        workflow.upsert_memo({"journal": NoopResponse(0, "x" * 250)})


def upsert(values: dict[SearchAttributeKey[Any], Any]) -> None:
    """Upsert search attributes, in one event."""
    workflow.upsert_search_attributes([key.value_set(value) for key, value in values.items()])
