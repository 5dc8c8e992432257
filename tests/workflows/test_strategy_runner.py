"""The steps of a strategy: which weights the alias gets, one after the other."""

from __future__ import annotations

import pytest

from tests.harness import ALL_AT_ONCE, Harness


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
