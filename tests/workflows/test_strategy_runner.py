"""The steps of a strategy: which weights the alias gets, one after the other."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Harness


async def test_all_at_once_is_one_move(harness: Harness) -> None:
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert harness.aws.writes == ["update_function_code", "publish_version", "update_alias"]
    assert "get_provisioned_concurrency_config" not in harness.aws.operations


@pytest.mark.parametrize(
    ("strategy", "percents"),
    [
        ("Linear25PercentEvery1Minute", [25, 50, 75, 100]),
        ("Linear40PercentEvery2Minutes", [40, 80, 100]),
        ({"steps": []}, [100]),
        (
            {
                "steps": [
                    {"kind": "set_weight", "percent": 1},
                    {"kind": "set_weight", "percent": 99},
                ]
            },
            [1, 99, 100],
        ),
        (
            {
                "steps": [
                    {"kind": "set_weight", "percent": 100},
                    {"kind": "bake", "duration": "PT1H"},
                ]
            },
            [100],
        ),
        (
            {"steps": [{"kind": "bake", "duration": "1h"}, {"kind": "set_weight", "percent": 50}]},
            [50, 100],
        ),
    ],
)
async def test_weights_are_exactly_those_of_the_strategy(
    harness: Harness, strategy: object, percents: list[int]
) -> None:
    end = await harness.release(
        artifact={"kind": "latest"}, configuration={"Timeout": 7}, strategy=strategy
    )
    assert end.kind == "Completed"
    moved = [
        move["RoutingConfig"]["AdditionalVersionWeights"].get("3")
        for move in harness.aws.of("update_alias")
    ]
    assert moved == [percent / 100 if percent < 100 else None for percent in percents]
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_bake_after_a_pause_says_what_is_left_of_it(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.fast_forward(timedelta(minutes=2))
    await harness.send("pause")
    await harness.send("resume")
    await harness.finish(handle)
    whole, rest = [
        str((await harness.client.data_converter.decode([event.user_metadata.summary]))[0])
        async for event in harness.rollout.fetch_history_events()
        if event.HasField("timer_started_event_attributes")
    ]
    assert whole == "Bake at 10% for 5 min"
    assert re.fullmatch(r"Bake at 10% for 5 min: (3 min|2 min \d\d s) left", rest)
