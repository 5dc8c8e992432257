"""The facts of recorded releases, and values that cannot be read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TypeVar

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from tests.workflows.record import HISTORIES
from workflows.client.facts import (
    ActivityFailed,
    AlarmsRead,
    AliasMoved,
    ControlReceived,
    Fact,
    HookAnswered,
    MetricsRead,
    ReleaseEnded,
    ReleaseRequested,
    TimerEvent,
    VerdictReached,
)
from workflows.client.history import HistoryReader
from workflows.temporal.payloads import make_data_converter

_Fact = TypeVar("_Fact", bound=Fact)

WORKFLOW_ID = "lambda:1:eu-west-1:checkout:live"


def read_recorded(name: str) -> list[HistoryEvent]:
    path: Path = HISTORIES / f"{name}.rollout.json"
    return list(WorkflowHistory.from_json(WORKFLOW_ID, path.read_text()).events)


async def read_facts_of(name: str, kind: type[_Fact]) -> list[_Fact]:
    return [fact for fact in await read_facts(read_recorded(name)) if isinstance(fact, kind)]


async def read_facts(events: Iterable[HistoryEvent]) -> list[Fact]:
    async def stream() -> AsyncIterator[HistoryEvent]:
        for event in events:
            yield event

    reader = HistoryReader(WORKFLOW_ID, make_data_converter(None))
    return [fact async for fact in reader.read_facts(stream())]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("abort", ControlReceived),
        ("alarm", AlarmsRead),
        ("hook_refusal", HookAnswered),
        ("judged", MetricsRead),
    ],
)
async def test_facts_begin_with_the_request_and_end_with_the_ending(
    name: str, kind: type[Fact]
) -> None:
    facts = await read_facts(read_recorded(name))
    assert isinstance(facts[0], ReleaseRequested)
    assert facts[0].request is not None
    assert isinstance(facts[-1], ReleaseEnded)
    assert any(isinstance(fact, kind) for fact in facts)


async def test_alias_moves_have_the_routing_after_them() -> None:
    moves = await read_facts_of("abort", AliasMoved)
    weights = [move.routing.weights for move in moves if move.routing]
    assert bool(weights[0])
    assert weights[-1] == {}


async def test_abort_is_a_stop() -> None:
    controls = await read_facts_of("abort", ControlReceived)
    assert controls[-1].is_stop


async def test_timer_that_fired_was_started_before() -> None:
    facts = await read_facts_of("success", TimerEvent)
    fired = {fact.text for fact in facts if fact.has_fired}
    assert fired
    assert fired <= {fact.text for fact in facts if not fact.has_fired}


async def test_verdict_of_a_release_is_the_one_it_acted_on() -> None:
    [verdict] = await read_facts_of("judged", VerdictReached)
    assert verdict.analysis.verdict == "failed"


async def test_baseline_is_about_stable_alone() -> None:
    reads = await read_facts_of("judged", MetricsRead)
    assert [read.is_baseline for read in reads[:2]] == [True, False]


async def test_request_that_cannot_be_read_is_none() -> None:
    events = read_recorded("abort")
    [payload] = events[0].workflow_execution_started_event_attributes.input.payloads
    payload.data = b'{"a later version": 1}'
    fact = (await read_facts(events))[0]
    assert isinstance(fact, ReleaseRequested)
    assert fact.request is None


async def test_alias_move_that_cannot_be_read_is_reported() -> None:
    events = read_recorded("abort")
    for event in events:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == "update_alias":
            scheduled.input.payloads[0].data = b"[]"
    facts = await read_facts(events)
    assert not any(isinstance(fact, AliasMoved) for fact in facts)
    failed = [fact.text for fact in facts if isinstance(fact, ActivityFailed)]
    assert any("recorded in a form that this version cannot read" in text for text in failed)
