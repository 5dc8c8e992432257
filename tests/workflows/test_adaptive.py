"""The adaptive ramp: doses of traffic as large as the evidence allows.

While the metrics of the last dose are missing, the candidate gets no traffic.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.harness import Handle, Harness
from tests.workflows.test_live_analysis import (
    BAD_ERROR_RATE,
    USUAL_ERROR_RATE,
    assert_promoted,
    assert_rolled_back,
    read_duration,
    set_traffic,
)
from tests.workflows.test_progress import read_listed

ADAPTIVE = {"strategy": "Adaptive"}


def list_weights(harness: Harness) -> list[float]:
    """The candidate's weights, in order."""
    moves = harness.aws.of("update_alias")
    return [
        sum(move.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).values())
        for move in moves
    ]


def ramp_strategy(**keys: Any) -> dict[str, Any]:
    return {"strategy": {"adaptive": keys}}


async def run_until_hold(harness: Harness) -> tuple[Handle, str]:
    """Run a ramp until its time is over and it waits for an approval.

    Return it and its note.
    """
    handle = await harness.begin(
        artifact=harness.package("three"), **ramp_strategy(max_duration="4m")
    )
    await harness.wait_for_phase("baking", "shifting")
    await harness.fast_forward(timedelta(minutes=5))
    status = await harness.wait_for_phase("awaiting_approval")
    assert status.routing.percent == 0
    return handle, status.note


async def test_bad_version_gets_few_requests(harness: Harness) -> None:
    set_traffic(harness, candidate=BAD_ERROR_RATE)
    assert_rolled_back(
        await harness.release(artifact=harness.package("three"), **ADAPTIVE),
        harness,
        "does worse than it may",
    )
    assert list_weights(harness)[0] <= 0.05
    assert await read_duration(harness) < timedelta(minutes=20)


async def test_good_version_is_promoted_in_minutes_by_growing_doses(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    assert_promoted(await harness.release(artifact=harness.package("three"), **ADAPTIVE), harness)
    assert await read_duration(harness) < timedelta(minutes=12)
    moves = list_weights(harness)
    assert moves[-1] == 0  # all traffic: the candidate is the alias' version now
    doses = [weight for weight in moves[:-1] if weight]
    assert len(doses) <= 6
    # Between two doses there is no traffic until the metrics of the first are there.
    assert moves[1::2][: len(doses) - 1] == [0] * (len(doses) - 1)
    note = (await harness.rollout.result()).analysis
    assert note is not None
    assert note.verdict == "passed"


async def test_dose_has_its_size_and_its_reason_in_the_timeline(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    await harness.release(artifact=harness.package("three"), **ADAPTIVE)
    summaries = [
        str((await harness.client.data_converter.decode([event.user_metadata.summary]))[0])
        async for event in harness.rollout.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
        and event.activity_task_scheduled_event_attributes.activity_type.name == "update_alias"
    ]
    assert "of a minute's requests: no evidence yet" in summaries[0]
    assert summaries[1].startswith("waiting for CloudWatch's metrics of ")


async def test_partial_metrics_get_no_traffic_and_need_an_approval(
    harness: Harness,
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    harness.aws.metrics_status = "PartialData"
    handle, note = await run_until_hold(harness)
    assert "no certainty within 4 min" in note
    assert sum(1 for weight in list_weights(harness) if weight) <= 1
    await harness.send("approve")
    assert_promoted(await harness.finish(handle), harness)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "AccessDeniedException", "InternalFailure"]
)
async def test_failing_cloudwatch_is_no_evidence(harness: Harness, code: str) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    harness.aws.fail("get_metric_data", code, "no", skip=1, times=None)
    handle, _ = await run_until_hold(harness)
    assert sum(1 for weight in list_weights(harness) if weight) <= 1
    await harness.send("abort")
    assert_rolled_back(await harness.finish(handle), harness, "aborted")


async def test_low_traffic_holds_with_none_on_the_candidate(
    harness: Harness,
) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE, per_minute=10)
    handle, note = await run_until_hold(harness)
    assert "A person has to decide: no certainty within 4 min" in note
    await harness.send("abort")
    assert_rolled_back(await harness.finish(handle), harness, "aborted")


async def test_pause_ends_a_dose_and_a_promotion_ends_the_ramp(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    handle = await harness.begin(artifact=harness.package("three"), **ADAPTIVE)

    async def has_traffic() -> bool:
        return (await harness.wait_for_phase("baking", "shifting")).routing.percent > 0

    await harness.wait_until(has_traffic)  # a dose does not begin in the last seconds of a minute
    percent = (await harness.status()).routing.percent
    assert await read_listed(harness) == ("baking", percent)
    await harness.send("pause", reason="looks odd")
    paused = await harness.wait_for_phase("baking", percent=0)
    assert paused.paused
    assert await read_listed(harness) == ("paused", 0)
    await harness.send("resume")
    await harness.send("promote", reason="it is fine")
    assert_promoted(await harness.finish(handle), harness)


async def test_alarm_ends_a_dose(harness: Harness) -> None:
    set_traffic(harness, candidate=USUAL_ERROR_RATE)
    harness.aws.alarms = {"errors": "OK"}
    handle = await harness.begin_until("baking", guards={"alarms": ["errors"]}, **ADAPTIVE)
    harness.aws.alarms["errors"] = "ALARM"
    assert_rolled_back(await harness.finish(handle), harness, "alarm errors went off")
