"""The ramp at work: doses of traffic, as large as the evidence allows, and none while nobody knows how the last one fared."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.workflows.scene import Handle, Scene
from tests.workflows.test_analysis import BAD, USUAL, callers, promoted, rolled_back, took

ADAPTIVE = {"strategy": "Adaptive"}


def weights(scene: Scene) -> list[float]:
    """The candidate's weights, in their order."""
    moves = scene.aws.of("update_alias")
    return [
        sum(move.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).values())
        for move in moves
    ]


def ramp(**keys: Any) -> dict[str, Any]:
    return {"strategy": {"adaptive": keys}}


async def held(scene: Scene) -> tuple[Handle, str]:
    """A ramp whose time is over: it waits for a person, without traffic on the candidate; and why."""
    handle = await scene.begin(artifact=scene.package("three"), **ramp(max_duration="4m"))
    await scene.reaches("baking", "shifting")
    await scene.forward(timedelta(minutes=5))
    status = await scene.reaches("awaiting_approval", patience=30)
    assert status.routing.percent == 0
    return handle, status.note


async def test_a_bad_version_meets_few_requests(scene: Scene) -> None:
    callers(scene, candidate=BAD)
    rolled_back(
        await scene.release(artifact=scene.package("three"), **ADAPTIVE),
        scene,
        "does worse than it may",
    )
    assert weights(scene)[0] <= 0.05
    assert await took(scene) < timedelta(minutes=20)


async def test_a_good_version_is_through_in_minutes_by_doses_that_grow(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    promoted(await scene.release(artifact=scene.package("three"), **ADAPTIVE), scene)
    assert await took(scene) < timedelta(minutes=12)
    sent = weights(scene)
    assert sent[-1] == 0  # all traffic: the candidate is the alias' version now
    doses = [weight for weight in sent[:-1] if weight]
    assert len(doses) <= 6
    assert sent[1::2][: len(doses) - 1] == [0] * (
        len(doses) - 1
    )  # nothing until it is known how the dose fared
    note = (await scene.rollout.result()).analysis
    assert note is not None
    assert note.verdict == "passed"


async def test_every_dose_says_in_the_timeline_what_it_is_and_why(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    await scene.release(artifact=scene.package("three"), **ADAPTIVE)
    summaries = [
        str((await scene.client.data_converter.decode([event.user_metadata.summary]))[0])
        async for event in scene.rollout.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
        and event.activity_task_scheduled_event_attributes.activity_type.name == "update_alias"
    ]
    assert "of a minute's requests: no evidence yet" in summaries[0]
    assert summaries[1].startswith("waiting for what CloudWatch tells of ")


async def test_no_traffic_is_sent_while_cloudwatch_does_not_answer_and_a_person_decides_in_the_end(
    scene: Scene,
) -> None:
    callers(scene, candidate=USUAL)
    scene.aws.metrics_status = "PartialData"
    handle, note = await held(scene)
    assert "no certainty within 4 min" in note
    assert sum(1 for weight in weights(scene) if weight) <= 1
    await scene.say("approve")
    promoted(await scene.finished(handle), scene)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "AccessDeniedException", "InternalFailure"]
)
async def test_a_failing_cloudwatch_is_no_evidence(scene: Scene, code: str) -> None:
    callers(scene, candidate=USUAL)
    scene.aws.fail("get_metric_data", code, "no", skip=1, times=None)
    handle, _ = await held(scene)
    assert sum(1 for weight in weights(scene) if weight) <= 1
    await scene.say("abort")
    rolled_back(await scene.finished(handle), scene, "aborted")


async def test_too_little_traffic_holds_for_a_person_without_any_on_the_candidate(
    scene: Scene,
) -> None:
    callers(scene, candidate=USUAL, per_minute=10)
    handle, note = await held(scene)
    assert "A person has to decide: no certainty within 4 min" in note
    await scene.say("abort")
    rolled_back(await scene.finished(handle), scene, "aborted")


async def test_a_pause_ends_a_dose_and_a_promotion_ends_the_ramp(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    handle = await scene.begin(artifact=scene.package("three"), **ADAPTIVE)
    async with asyncio.timeout(15):  # a dose does not begin in the last seconds of a minute
        while not (await scene.reaches("baking", "shifting")).routing.percent:
            await scene.moment()
    await scene.say("pause", reason="looks odd")
    paused = await scene.reaches("baking", percent=0)
    assert paused.paused
    await scene.say("resume")
    await scene.say("promote", reason="it is fine")
    promoted(await scene.finished(handle), scene)


async def test_an_alarm_ends_a_dose(scene: Scene) -> None:
    callers(scene, candidate=USUAL)
    scene.aws.alarms = {"errors": "OK"}
    handle = await scene.begin(
        artifact=scene.package("three"), guards={"alarms": ["errors"]}, **ADAPTIVE
    )
    await scene.reaches("baking")
    scene.aws.alarms["errors"] = "ALARM"
    rolled_back(await scene.finished(handle), scene, "alarm errors went off")
