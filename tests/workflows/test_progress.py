"""How a release reports its progress: the status, and the search attributes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness, read_ending
from workflows import search_attributes
from workflows.domain.status import SkippedSteps


async def read_attributes(handle: Handle) -> dict[str, Any]:
    found = (await handle.describe()).typed_search_attributes
    return {pair.key.name: pair.value for pair in found if pair.key.name in search_attributes.TYPES}


async def test_status_in_a_bake_has_the_step_and_the_routing(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    status = await harness.wait_for_phase("baking")
    assert status.note == "10% to version 3 for 5 min"
    assert (status.stable, status.candidate, status.step, status.steps, status.paused) == (
        "2",
        "3",
        1,
        2,
        False,
    )
    assert status.routing.model_dump() == {"stable": "2", "canary": "3", "percent": 10}
    started = (await harness.rollout.describe()).start_time
    elapsed = datetime.now(UTC) - started
    assert status.ends_at is not None
    assert timedelta(minutes=5) <= status.ends_at - started <= timedelta(minutes=5) + elapsed
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.1})
    await harness.finish(handle)


async def test_status_names_every_phase(harness: Harness) -> None:
    steps = [
        {"kind": "set_weight", "percent": 20},
        {"kind": "approval", "timeout": "PT6H"},
        {"kind": "bake", "duration": "30s"},
    ]
    code, weight, promotion = (
        harness.aws.hold("update_function_code"),
        harness.aws.hold("update_alias"),
        harness.aws.hold("update_alias", skip=1),
    )
    handle = await harness.begin(artifact=harness.package("three"), strategy={"steps": steps})
    await harness.wait_for(code.reached)
    preparing = await harness.status()
    code.release()
    await harness.wait_for(weight.reached)
    shifting = await harness.status()
    weight.release()
    awaiting = await harness.wait_for_phase("awaiting_approval")
    await harness.send("approve")
    baking = await harness.wait_for_phase("baking")
    await harness.fast_forward(timedelta(seconds=31))
    await harness.wait_for(promotion.reached)
    promoting = await harness.status()
    promotion.release()
    succeeded = (await read_ending(handle)).status
    assert succeeded is not None
    statuses = [preparing, shifting, awaiting, baking, promoting, succeeded]
    assert [status.phase for status in statuses] == [
        "preparing",
        "shifting",
        "awaiting_approval",
        "baking",
        "promoting",
        "succeeded",
    ]
    assert [status.step for status in statuses] == [0, 0, 1, 2, 3, 3]
    assert [status.routing.percent for status in statuses] == [0, 0, 20, 20, 20, 100]
    assert [status.candidate for status in statuses] == [None, "3", "3", "3", "3", "3"]
    assert [status.ends_at is not None for status in statuses] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert preparing.stable == "2"


async def test_search_attributes_describe_the_release(harness: Harness) -> None:
    handle = await harness.begin_until("baking", requested_by="ci", **CANARY)
    mine = {"LambdaFunction": harness.function, "LambdaAlias": "live", "RequestedBy": "ci"}
    assert await read_attributes(harness.rollout) == {
        **mine,
        "ReleasePhase": "baking",
        "ReleaseVersion": "3",
        "TrafficPercent": 10,
    }
    assert await read_attributes(handle) == mine
    await harness.finish(handle)
    assert await read_attributes(harness.rollout) == {
        **mine,
        "ReleasePhase": "succeeded",
        "ReleaseVersion": "3",
        "TrafficPercent": 100,
    }
    assert await read_attributes(handle) == {**mine, "ReleasePhase": "succeeded"}


async def read_listed(harness: Harness) -> tuple[str, int]:
    """The phase and the traffic of the function's release, as Temporal lists them."""
    found = await read_attributes(harness.rollout)
    return found["ReleasePhase"], found.get("TrafficPercent", 0)


async def test_pause_stands_in_the_list_while_it_lasts(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    status = await harness.send("pause", reason="p99")
    assert (status.phase, status.paused) == ("baking", True)
    assert await read_listed(harness) == ("paused", 10)
    await harness.send("resume")
    assert await read_listed(harness) == ("baking", 10)
    await harness.send("pause")
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert await read_listed(harness) == ("rolled_back", 0)


async def test_pause_before_a_move_shows_the_traffic_after_it(harness: Harness) -> None:
    steps = [{"kind": "set_weight", "percent": 20}, {"kind": "bake", "duration": "1h"}]
    move = harness.aws.hold("update_alias")
    handle = await harness.begin(artifact=harness.package("three"), strategy={"steps": steps})
    await harness.wait_for(move.reached)
    await harness.send("pause")
    assert await read_listed(harness) == ("paused", 0)
    move.release()

    async def has_moved() -> bool:
        return await read_listed(harness) == ("paused", 20)

    await harness.wait_until(has_moved)
    await harness.send("abort")
    await harness.finish(handle)


async def test_rejection_during_a_pause_is_no_pause(harness: Harness) -> None:
    reading = harness.aws.hold("get_alias")
    handle = await harness.begin(artifact={"kind": "version", "version": "99"})
    await harness.wait_for(reading.reached)
    await harness.send("pause")
    reading.release()
    ending = await harness.finish(handle)
    assert ending.kind == "ReleaseRejected"
    assert ending.status
    assert not ending.status.paused
    assert await read_listed(harness) == ("rejected", 0)


async def test_hook_after_traffic_runs_at_all_traffic_in_the_list(harness: Harness) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": True})
    smoke = harness.aws.hold("invoke")
    hooks = {"after_traffic": "smoke"}
    handle = await harness.begin(artifact=harness.package("three"), hooks=hooks, **ALL_AT_ONCE)
    await harness.wait_for(smoke.reached)
    assert await read_listed(harness) == ("promoting", 100)
    smoke.release()
    assert (await harness.finish(handle)).kind == "Completed"


@pytest.mark.parametrize("kind", ["bake", "approval"])
async def test_promotion_skips_the_step_that_waits(harness: Harness, kind: str) -> None:
    waits = {"bake": {"kind": "bake", "duration": "1h"}, "approval": {"kind": "approval"}}
    steps = [{"kind": "set_weight", "percent": 10}, waits[kind], waits["bake"]]
    phase = {"bake": "baking", "approval": "awaiting_approval"}[kind]
    handle = await harness.begin_until(phase, strategy={"steps": steps})
    await harness.send("promote")
    status = (await harness.finish(handle)).status
    assert status is not None
    assert status.skipped == SkippedSteps(first=2, by="ana")
    assert (status.phase, status.step, status.steps) == ("succeeded", 3, 3)


async def test_approved_step_is_not_skipped_by_a_later_promotion(harness: Harness) -> None:
    steps = [{"kind": "approval"}, {"kind": "bake", "duration": "1h"}]
    handle = await harness.begin_until("awaiting_approval", strategy={"steps": steps})
    await harness.send("approve")
    await harness.wait_for_phase("baking")
    await harness.send("promote")
    status = (await harness.finish(handle)).status
    assert status is not None
    assert status.skipped == SkippedSteps(first=2, by="ana")


async def test_rollback_names_the_step_that_was_stopped(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("abort")
    stopped = (await harness.finish(handle)).status
    assert stopped is not None
    assert (stopped.step, stopped.stopped_step, stopped.steps) == (1, 2, 2)
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "no"})
    for moment, step in {"before_traffic": None, "after_traffic": 1}.items():
        refused = await harness.release(
            artifact=harness.package(moment), hooks={moment: "smoke"}, strategy={"steps": []}
        )
        assert refused.status is not None
        assert refused.status.stopped_step == step
