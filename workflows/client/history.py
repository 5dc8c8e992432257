"""Reads the facts of a release from its history.

Histories may be long. They are read event by event; only what was started and has not ended is
kept in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.converter import DataConverter

from workflows.client.activity_facts import ActivityFactReader, decode_payload
from workflows.client.errors import translate_errors
from workflows.client.facts import (
    AliasMoved,
    ControlReceived,
    Fact,
    ReleaseEnded,
    ReleaseRequested,
    StepStarted,
    TimerEvent,
    VerdictReached,
)
from workflows.client.runs import RunOutcome, read_ending
from workflows.client.timeline import Timeline, TimelineEntry
from workflows.domain.routing import Routing
from workflows.domain.status import AnalysisStatus, ReleaseStatus
from workflows.past_rollouts import STEP_MEMO, VERDICT_MEMO
from workflows.request import (
    Carried,
    ContinuedRelease,
    ContinuedRollback,
    ReleaseRequest,
    RollbackRequest,
)
from workflows.rollout_request import RolloutRequest
from workflows.run_chain import fetch_events, find_last_run

_T = TypeVar("_T")


class HistoryReader:
    """Reads the history of one workflow, in all the runs that it continues in."""

    def __init__(self, workflow_id: str, converter: DataConverter) -> None:
        """``converter`` is the one that the history was written with."""
        self._workflow_id = workflow_id
        self._converter = converter
        self._timeline = Timeline(converter)
        self._activities = ActivityFactReader(converter)
        self._has_request = False

    async def read_facts(self, events: AsyncIterable[HistoryEvent]) -> AsyncIterator[Fact]:
        """Yield the facts in the order of the history."""
        async for event in events:
            entry = await self._timeline.read_entry(self._workflow_id, event)
            if (settled := self._activities.settle(event, entry)) is not None:
                yield settled
            async for fact in self._read_event(event, entry):
                yield fact

    async def _read_event(
        self, event: HistoryEvent, entry: TimelineEntry | None
    ) -> AsyncIterator[Fact]:
        at = event.event_time.ToDatetime(tzinfo=UTC)
        if (ending := await read_ending(event, self._converter)) is not None:
            yield ReleaseEnded(at, ending.note, ending)
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                async for fact in self._begin_run(event, entry, at):
                    yield fact
            case "workflow_properties_modified_event_attributes":
                fields = event.workflow_properties_modified_event_attributes.upserted_memo.fields
                async for fact in self._read_memo(fields, at):
                    yield fact
            case "workflow_execution_update_accepted_event_attributes" if entry:
                accepted = event.workflow_execution_update_accepted_event_attributes
                name = accepted.accepted_request.input.name
                yield ControlReceived(at, entry.text, is_stop=name == "abort")
            case "workflow_execution_cancel_requested_event_attributes" if entry:
                yield ControlReceived(at, entry.text, is_stop=True)
            case "timer_started_event_attributes" | "timer_fired_event_attributes" if entry:
                yield TimerEvent(at, entry.text, has_fired=entry.kind == "done")
            case _:
                if (read := await self._activities.read_fact(event, entry)) is not None:
                    yield read

    async def _begin_run(
        self, event: HistoryEvent, entry: TimelineEntry | None, at: datetime
    ) -> AsyncIterator[Fact]:
        """Yield the request at the first run. Each run numbers its events from 1.

        If the runs before it have expired, also the step and the routing that it begins with.
        """
        self._activities.begin_run()
        if self._has_request:
            return
        self._has_request = True
        requested = await self._read_request(event, entry, at)
        yield requested
        if isinstance(requested.request, ContinuedRelease | ContinuedRollback):
            fields = event.workflow_execution_started_event_attributes.memo.fields
            if number := await self._decode(fields.get(STEP_MEMO), int):
                yield StepStarted(at, "", number)
            yield AliasMoved(at, "", _read_routing(requested.request.carried))

    async def _read_memo(self, memo: Mapping[str, Payload], at: datetime) -> AsyncIterator[Fact]:
        if analysis := await self._decode(memo.get(VERDICT_MEMO), AnalysisStatus):
            yield VerdictReached(at, analysis.reason, analysis)
        if number := await self._decode(memo.get(STEP_MEMO), int):
            yield StepStarted(at, "", number)

    async def _read_request(
        self, event: HistoryEvent, entry: TimelineEntry | None, at: datetime
    ) -> ReleaseRequested:
        started = event.workflow_execution_started_event_attributes
        models: dict[str, type[ReleaseRequest | RollbackRequest]] = {
            "Release": ReleaseRequest,
            "Rollback": RollbackRequest,
        }
        model: type[ReleaseRequest | RollbackRequest | RolloutRequest] = models.get(
            started.workflow_type.name, RolloutRequest
        )
        payloads = started.input.payloads
        request = await self._decode(payloads[0], model) if payloads else None
        return ReleaseRequested(
            at,
            entry.text if entry else "",
            request.root if isinstance(request, RolloutRequest) else request,
        )

    async def _decode(self, payload: Payload | None, model: type[_T]) -> _T | None:
        return await decode_payload(self._converter, payload, model)


async def read_facts(
    client: Client, execution: WorkflowExecutionDescription
) -> AsyncIterator[Fact]:
    """Yield the facts of a workflow, from its first run on that Temporal still has.

    A rollout that was killed is followed by the facts of its parent, which put the alias back.
    """
    events = fetch_events(client, execution.id, execution.run_id)
    with translate_errors(f"the history of {execution.id} has expired"):
        reader = HistoryReader(execution.id, client.data_converter)
        async for fact in reader.read_facts(events):
            yield fact
            if (
                isinstance(fact, ReleaseEnded)
                and fact.ending.outcome is RunOutcome.KILLED
                and execution.parent_id
            ):
                parent_run_id = execution.parent_run_id or ""
                parent = await find_last_run(client, execution.parent_id, parent_run_id)
                async for later in read_facts(client, parent):
                    if later.at >= fact.at and not isinstance(later, ReleaseRequested):
                        yield later


def _read_routing(carried: Carried) -> Routing | None:
    """The routing that a run was handed; None where this version cannot read it."""
    try:
        split = ReleaseStatus.model_validate(carried.get("status")).routing
    except ValidationError:
        return None
    candidate = split.canary or split.stable
    if candidate is None:
        return None
    return Routing.split(stable=split.stable, candidate=candidate, percent=split.percent)
