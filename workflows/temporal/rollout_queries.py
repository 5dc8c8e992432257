"""Queries of a ``Release`` or ``Rollback``, which its ``Rollout`` answers.

A workflow cannot query another one, and the two could keep each other informed only by signals,
which would cost each release events for what hardly anybody looks at. So the worker that answers
the query asks the rollout, outside of the workflow. The answer changes nothing and is in no
history. Where the rollout does not answer in a second, or too many ask, what Temporal lists of it
stands for its answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

from temporalio import workflow
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionDescription, WorkflowHandle
from temporalio.common import TypedSearchAttributes
from temporalio.worker import (
    HandleQueryInput,
    Interceptor,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from workflows import search_attributes
from workflows.domain.status import PAUSED, Phase, ReleaseStatus, TrafficSplit
from workflows.release_handlers import ReleaseHandlers
from workflows.release_page import link_rollout
from workflows.release_state import RolloutAddress
from workflows.run_chain import read_first_run_id

_ASK: Final = "lambda_releases_ask_rollout"
"""The name of the function outside of the sandbox that asks a rollout."""

_LIMIT_SECONDS: Final = 1.0
"""For an answer. Temporal takes a workflow for deadlocked that does not go on for two seconds."""

_MOST_AT_ONCE: Final = 3
"""Each takes a slot of the worker's eight for workflow tasks, and its rollout needs another."""

_METADATA: Final = "__temporal_workflow_metadata"
"""The query by which the Temporal UI reads the current details."""


class _Desk(NamedTuple):
    """A worker that is running, with the event loop and the thread in which it does."""

    worker: Worker
    loop: asyncio.AbstractEventLoop
    thread: int


class RolloutReader:
    """Asks rollouts with the client of a worker, from the threads in which workflows run."""

    def __init__(self) -> None:
        """Begin without a worker."""
        self._free = threading.Semaphore(_MOST_AT_ONCE)
        self._desks: tuple[_Desk, ...] = ()

    @contextmanager
    def serve(self, worker: Worker) -> Generator[None]:
        """Ask with the client of this worker, in the running event loop, until this block ends.

        Workers that run side by side are of the same namespace, so any of them will do.
        """
        desk = _Desk(worker, asyncio.get_running_loop(), threading.get_ident())
        self._desks = (*self._desks, desk)
        try:
            yield
        finally:
            self._desks = tuple(each for each in self._desks if each is not desk)

    def ask(self, address: RolloutAddress, query: str) -> RolloutAnswer | None:
        """Return what a rollout answers; None where nothing is known of it in time."""
        # In Temporal's debug mode workflows run in the thread of the event loop.
        desk = next((each for each in self._desks if each.thread != threading.get_ident()), None)
        if desk is None:
            return None
        answer = RolloutAnswer()
        is_free = self._free.acquire(blocking=False)
        asking = _ask(desk.worker, address, query if is_free else None, answer)
        future = asyncio.run_coroutine_threadsafe(asking, desk.loop)
        try:
            future.result(_LIMIT_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it is, the workflow's own answer stands
            future.cancel()
        finally:
            if is_free:
                self._free.release()
        return answer if answer.found else None


class RolloutAnswer:
    """What a rollout has answered: how Temporal describes it, and its answer to the query."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.found: WorkflowExecutionDescription | None = None
        self.status: ReleaseStatus | None = None
        self.details = ""

    def list_status(self, own: ReleaseStatus) -> ReleaseStatus:
        """Return the status as Temporal lists it, without an answer of the rollout."""
        found = self.found.typed_search_attributes if self.found else TypedSearchAttributes.empty
        phase = found.get(search_attributes.PHASE) or Phase.PREPARING
        version = found.get(search_attributes.VERSION)
        percent = found.get(search_attributes.TRAFFIC_PERCENT) or 0
        routing = TrafficSplit(canary=version if percent else None, percent=percent)
        listed = {"paused": True} if phase == PAUSED else {"phase": Phase(phase)}
        note = f"as Temporal lists it: {own.rollout} has not answered in time"
        return own.model_copy(
            update={**listed, "candidate": version, "routing": routing, "note": note}
        )


async def _ask(
    worker: Worker, address: RolloutAddress, query: str | None, answer: RolloutAnswer
) -> None:
    client = worker.client
    found = await client.get_workflow_handle(address.id).describe()
    if address.first_run_id not in {None, read_first_run_id(found)}:
        return  # another release has the alias by now
    answer.found = found
    if query is None:
        return
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(found.id, run_id=found.run_id)
    if query == _METADATA:
        metadata = await handle.query(query, result_type=WorkflowMetadata)
        answer.details = metadata.current_details
    else:
        answer.status = await handle.query(query, result_type=ReleaseStatus)


class RolloutQueries(Interceptor):
    """Lets rollouts answer the queries of the workflows that have started them."""

    def __init__(self, reader: RolloutReader) -> None:
        """Ask by ``reader``."""
        self._reader = reader

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        """Hand on the queries of ``Release`` and ``Rollback``."""
        input.unsafe_extern_functions[_ASK] = self._reader.ask  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
        return _WorkflowRolloutQueries


class _WorkflowRolloutQueries(WorkflowInboundInterceptor):
    async def handle_query(self, input: HandleQueryInput) -> Any:
        own = await super().handle_query(input)
        release = workflow.instance()
        if not isinstance(release, ReleaseHandlers) or release.rollout is None:
            return own
        ask = cast(
            "Callable[[RolloutAddress, str], RolloutAnswer | None]",
            workflow.extern_functions()[_ASK],  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
        )
        if isinstance(own, ReleaseStatus) and input.query == "status":
            return _join_status(own, ask(release.rollout, input.query))
        if isinstance(own, WorkflowMetadata) and input.query == _METADATA:
            return _join_details(own, ask(release.rollout, input.query))
        return own


def _join_status(own: ReleaseStatus, answer: RolloutAnswer | None) -> ReleaseStatus:
    if answer is None:
        return own
    status = answer.status or answer.list_status(own)
    return status.model_copy(update={"rollout": own.rollout})


def _join_details(own: WorkflowMetadata, answer: RolloutAnswer | None) -> WorkflowMetadata:
    if answer is None or answer.found is None or not answer.details:
        return own
    rollout, namespace = answer.found, workflow.info().namespace
    link = link_rollout(rollout.id, rollout.run_id, namespace=namespace)
    joined = WorkflowMetadata()
    joined.CopyFrom(own)
    joined.current_details = f"{link}\n\n{answer.details}"
    return joined
