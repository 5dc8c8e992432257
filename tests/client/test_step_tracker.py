"""The step that a release is in, as the facts of its history have it."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.harness import Harness
from tests.workflows.test_live_analysis import USUAL_ERROR_RATE, set_traffic
from workflows.client import ReleaseClient
from workflows.client.facts import AliasMoved, Fact, StepStarted, TimerEvent
from workflows.client.history import read_facts
from workflows.client.step_tracker import StepTracker
from workflows.domain.routing import Routing
from workflows.domain.rules import Rules
from workflows.domain.strategy import Steps
from workflows.domain.target import Target

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
FIRST = Rules.model_validate({"not_worse": [{"margin": 0.2}]})
STEPS = [
    {"kind": "set_weight", "percent": 10},
    {"kind": "analysis", "duration": "10m", "not_worse": [{"margin": 0.01}]},
    {"kind": "analysis", "duration": "10m", "not_worse": [{"margin": 0.1}]},
]
WEIGHT_SET = AliasMoved(AT, "10% to version 3", Routing(version="2", weights={"3": 0.1}))
ANALYSIS_TIMER = TimerEvent(AT, "Analysis for 10 min", has_fired=False)


def margins(*facts: Fact) -> list[float]:
    """The margin that applies after each fact."""
    tracker = StepTracker(Steps.model_validate({"steps": STEPS}).steps, FIRST)
    found: list[float] = []
    for fact in facts:
        tracker.add(fact)
        found.append(tracker.rules.not_worse[0].margin)
    return found


def test_numbered_steps_decide_whatever_timers_look_like() -> None:
    facts = (
        StepStarted(AT, "", 1),
        WEIGHT_SET,
        StepStarted(AT, "", 2),
        ANALYSIS_TIMER,
        ANALYSIS_TIMER,  # the rest of it, after a pause
        StepStarted(AT, "", 3),
        ANALYSIS_TIMER,
        StepStarted(AT, "", 4),
    )
    assert margins(*facts) == [0.2, 0.2, 0.01, 0.01, 0.01, 0.1, 0.1, 0.2]


def test_old_history_is_read_by_the_summaries_of_its_steps() -> None:
    assert margins(WEIGHT_SET, ANALYSIS_TIMER, ANALYSIS_TIMER) == [0.2, 0.01, 0.1]


async def test_analysis_paused_and_resumed_stays_the_same_step(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    handle = await harness.begin_until("baking", strategy={"steps": STEPS})
    await harness.send("pause", reason="lunch")
    await harness.send("resume")
    await harness.finish(handle)
    releases = ReleaseClient(harness.client)
    run = await releases.describe(Target(function=harness.function))
    rollout = harness.client.get_workflow_handle(run.id, run_id=run.run_id)
    tracker = StepTracker(Steps.model_validate({"steps": STEPS}).steps, FIRST)
    of_timers: list[float] = []
    async for fact in read_facts(harness.client, await rollout.describe()):
        tracker.add(fact)
        is_timer = isinstance(fact, TimerEvent) and not fact.has_fired
        if is_timer and fact.text.startswith(ANALYSIS_TIMER.text):  # "…: 9 min left" the second
            of_timers.append(tracker.rules.not_worse[0].margin)
    assert of_timers == [0.01, 0.01, 0.1]
