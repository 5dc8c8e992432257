"""How a release reports its progress: the status, and the search attributes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.harness import CANARY, Handle, Harness, read_ending
from workflows import search_attributes


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
