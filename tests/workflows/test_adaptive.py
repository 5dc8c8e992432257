"""The ramp at work: doses of traffic, as large as the evidence allows, and none while nobody knows how the last one fared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.harness import Handle, Harness
from tests.workflows.test_analysis import BAD, USUAL, callers, promoted, rolled_back, took

ADAPTIVE = {"strategy": "Adaptive"}


def weights(harness: Harness) -> list[float]:
    """The candidate's weights, in their order."""
    moves = harness.aws.of("update_alias")
    return [
        sum(move.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).values())
        for move in moves
    ]


def ramp(**keys: Any) -> dict[str, Any]:
    return {"strategy": {"adaptive": keys}}


async def held(harness: Harness) -> tuple[Handle, str]:
    """A ramp whose time is over: it waits for a person, without traffic on the candidate; and why."""
    handle = await harness.begin(artifact=harness.package("three"), **ramp(max_duration="4m"))
    await harness.wait_for_phase("baking", "shifting")
    await harness.fast_forward(timedelta(minutes=5))
    status = await harness.wait_for_phase("awaiting_approval", seconds=30)
    assert status.routing.percent == 0
    return handle, status.note


async def test_a_bad_version_meets_few_requests(harness: Harness) -> None:
    callers(harness, candidate=BAD)
    rolled_back(
        await harness.release(artifact=harness.package("three"), **ADAPTIVE),
        harness,
        "does worse than it may",
    )
    assert weights(harness)[0] <= 0.05
    assert await took(harness) < timedelta(minutes=20)


async def test_a_good_version_is_through_in_minutes_by_doses_that_grow(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    promoted(await harness.release(artifact=harness.package("three"), **ADAPTIVE), harness)
    assert await took(harness) < timedelta(minutes=12)
    sent = weights(harness)
    assert sent[-1] == 0  # all traffic: the candidate is the alias' version now
    doses = [weight for weight in sent[:-1] if weight]
    assert len(doses) <= 6
    assert sent[1::2][: len(doses) - 1] == [0] * (
        len(doses) - 1
    )  # nothing until it is known how the dose fared
    note = (await harness.rollout.result()).analysis
    assert note is not None
    assert note.verdict == "passed"


async def test_every_dose_says_in_the_timeline_what_it_is_and_why(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    await harness.release(artifact=harness.package("three"), **ADAPTIVE)
    summaries = [
        str((await harness.client.data_converter.decode([event.user_metadata.summary]))[0])
        async for event in harness.rollout.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
        and event.activity_task_scheduled_event_attributes.activity_type.name == "update_alias"
    ]
    assert "of a minute's requests: no evidence yet" in summaries[0]
    assert summaries[1].startswith("waiting for what CloudWatch tells of ")


async def test_no_traffic_is_sent_while_cloudwatch_does_not_answer_and_a_person_decides_in_the_end(
    harness: Harness,
) -> None:
    callers(harness, candidate=USUAL)
    harness.aws.metrics_status = "PartialData"
    handle, note = await held(harness)
    assert "no certainty within 4 min" in note
    assert sum(1 for weight in weights(harness) if weight) <= 1
    await harness.send("approve")
    promoted(await harness.finish(handle), harness)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "AccessDeniedException", "InternalFailure"]
)
async def test_a_failing_cloudwatch_is_no_evidence(harness: Harness, code: str) -> None:
    callers(harness, candidate=USUAL)
    harness.aws.fail("get_metric_data", code, "no", skip=1, times=None)
    handle, _ = await held(harness)
    assert sum(1 for weight in weights(harness) if weight) <= 1
    await harness.send("abort")
    rolled_back(await harness.finish(handle), harness, "aborted")


async def test_too_little_traffic_holds_for_a_person_without_any_on_the_candidate(
    harness: Harness,
) -> None:
    callers(harness, candidate=USUAL, per_minute=10)
    handle, note = await held(harness)
    assert "A person has to decide: no certainty within 4 min" in note
    await harness.send("abort")
    rolled_back(await harness.finish(handle), harness, "aborted")


async def test_a_pause_ends_a_dose_and_a_promotion_ends_the_ramp(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    handle = await harness.begin(artifact=harness.package("three"), **ADAPTIVE)

    async def has_traffic() -> bool:
        return (await harness.wait_for_phase("baking", "shifting")).routing.percent > 0

    await harness.wait_until(has_traffic)  # a dose does not begin in the last seconds of a minute
    await harness.send("pause", reason="looks odd")
    paused = await harness.wait_for_phase("baking", percent=0)
    assert paused.paused
    await harness.send("resume")
    await harness.send("promote", reason="it is fine")
    promoted(await harness.finish(handle), harness)


async def test_an_alarm_ends_a_dose(harness: Harness) -> None:
    callers(harness, candidate=USUAL)
    harness.aws.alarms = {"errors": "OK"}
    handle = await harness.begin(
        artifact=harness.package("three"), guards={"alarms": ["errors"]}, **ADAPTIVE
    )
    await harness.wait_for_phase("baking")
    harness.aws.alarms["errors"] = "ALARM"
    rolled_back(await harness.finish(handle), harness, "alarm errors went off")
