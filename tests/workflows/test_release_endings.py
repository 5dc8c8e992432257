"""How a release ends well, ends early, and what it tells on its way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.fake_lambda import FakeLambda
from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness, read_ending
from workflows import search_attributes

MINUTE = timedelta(minutes=1)


def controlled(aws: FakeLambda) -> list[str]:
    """The calls that count against AWS's limit of 15 a second."""
    return [name for name in aws.operations if name != "get_function"]


async def attributes_of(handle: Handle) -> dict[str, Any]:
    found = (await handle.describe()).typed_search_attributes
    return {pair.key.name: pair.value for pair in found if pair.key.name in search_attributes.TYPES}


# --- success -------------------------------------------------------------------------------------------------------------------


async def test_a_canary_goes_through_its_steps_and_ends_with_all_traffic_on_the_candidate(
    harness: Harness,
) -> None:
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert (end.kind, end.text) == ("Completed", "All traffic is on version 3")
    assert end.status is not None
    assert end.status.model_dump(mode="json") == {
        "phase": "succeeded",
        "note": "All traffic is on version 3",
        "target": {"function": harness.function, "alias": "live"},
        "stable": "2",
        "candidate": "3",
        "routing": {"stable": "2", "canary": "3", "percent": 100},
        "step": 2,
        "steps": 2,
        "paused": False,
        "ends_at": None,
    }
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_a_canary_takes_six_calls_besides_looking_at_the_function(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    assert sorted(controlled(harness.aws)[:2]) == [
        "get_alias",
        "get_provisioned_concurrency_config",
    ]
    assert controlled(harness.aws)[2:] == [
        "update_function_code",
        "publish_version",
        "update_alias",
        "update_alias",
    ]


async def test_every_write_of_a_canary_says_what_it_expects_to_find(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    aws, function = harness.aws, harness.state
    (code,), (published,) = aws.of("update_function_code"), aws.of("publish_version")
    assert code["RevisionId"]
    assert published["CodeSha256"] == function.versions["3"]["CodeSha256"]
    assert published["RevisionId"] != code["RevisionId"]
    weighted, promoted = aws.of("update_alias")
    assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {"3": 0.1}}
    assert weighted["FunctionVersion"] == "2"
    assert promoted["RoutingConfig"] == {"AdditionalVersionWeights": {}}
    assert promoted["FunctionVersion"] == "3"
    assert (
        weighted["RevisionId"] != promoted["RevisionId"] != function.aliases["live"]["RevisionId"]
    )


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
async def test_a_strategy_moves_exactly_these_weights(
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


async def test_an_image_is_released_by_its_uri(harness: Harness) -> None:
    harness.aws.create(harness.function, "checkout", image=True)
    uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/checkout:2"
    end = await harness.release(artifact={"kind": "image", "uri": uri}, **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.of("update_function_code")[0]["ImageUri"] == uri
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_a_published_version_is_released_without_touching_the_function(
    harness: Harness,
) -> None:
    end = await harness.release(artifact={"kind": "version", "version": "1"}, **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == ["update_alias", "update_alias"]
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_what_latest_holds_is_published_as_it_is(harness: Harness) -> None:
    harness.aws.overwrite(harness.function, "three")
    end = await harness.release(artifact={"kind": "latest"}, **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == ["publish_version", "update_alias", "update_alias"]
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_a_configuration_alone_is_released_with_the_live_code(harness: Harness) -> None:
    end = await harness.release(configuration={"MemorySize": 512, "Timeout": 10}, **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == [
        "update_function_configuration",
        "publish_version",
        "update_alias",
        "update_alias",
    ]
    released = harness.state.versions["3"]
    assert (released["MemorySize"], released["Timeout"]) == (512, 10)
    assert released["CodeSha256"] == harness.state.versions["2"]["CodeSha256"]


async def test_code_and_configuration_become_one_version(harness: Harness) -> None:
    harness.aws.looks = 1
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Timeout": 10}, **ALL_AT_ONCE
    )
    assert end.kind == "Completed"
    assert harness.aws.writes == [
        "update_function_code",
        "update_function_configuration",
        "publish_version",
        "update_alias",
    ]
    assert list(harness.state.versions) == ["1", "2", "3"]
    assert harness.state.versions["3"]["Timeout"] == 10


async def test_an_object_version_in_s3_is_the_one_that_is_released(harness: Harness) -> None:
    harness.aws.upload("app.zip", "old", version="a")
    harness.aws.upload("app.zip", "new", version="b")
    artifact = {"kind": "s3", "bucket": "artifacts", "key": "app.zip", "object_version": "a"}
    await harness.release(artifact=artifact, **ALL_AT_ONCE)
    assert harness.state.versions["3"]["CodeSha256"] == harness.aws.upload("x", "old")


async def test_traffic_waits_until_the_candidate_is_active(harness: Harness) -> None:
    harness.aws.looks = 1
    states = []
    harness.aws.before(
        "update_alias", lambda _: states.append(harness.state.versions["3"]["State"])
    )
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert states == ["Active"]


async def test_a_function_is_found_under_its_arn_and_its_partial_arn(harness: Harness) -> None:
    for name in (
        f"arn:aws:lambda:eu-central-1:123456789012:function:{harness.function}",
        f"123456789012:function:{harness.function}",
    ):
        request = {"target": {"function": name}, "artifact": {"kind": "version", "version": "2"}}
        end = await read_ending(await harness.start("Release", request))
        assert end.kind == "Completed"
        assert end.status is not None
        assert end.status.target.function == harness.function
    assert (await harness.rollout.describe()).id == harness.rollout_id


async def test_concurrency_is_there_before_traffic_and_leaves_the_old_version_after_it(
    harness: Harness,
) -> None:
    harness.aws.somebody(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="2",
        ProvisionedConcurrentExecutions=3,
    )
    end = await harness.release(
        artifact=harness.package("three"), concurrency={"reserved": 50, "provisioned": 5}, **CANARY
    )
    assert end.kind == "Completed"
    assert harness.aws.writes == [
        "update_function_code",
        "publish_version",
        "put_function_concurrency",
        "put_provisioned_concurrency_config",
        "update_alias",
        "update_alias",
        "delete_provisioned_concurrency_config",
    ]
    assert harness.state.reserved == 50
    assert set(harness.state.provisioned) == {"3"}


# --- the first release, and nothing to do --------------------------------------------------------------------------------------


async def test_a_first_release_creates_the_alias_at_the_candidate(harness: Harness) -> None:
    del harness.state.aliases["live"]
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == ["update_function_code", "publish_version", "create_alias"]
    assert harness.aws.routing(harness.function) == ("3", {})
    assert end.status is not None
    assert (end.status.stable, end.status.candidate) == (None, "3")


@pytest.mark.parametrize("strategy", ["AllAtOnce", "Canary10Percent5Minutes"])
async def test_code_that_is_live_already_is_nothing_to_do(harness: Harness, strategy: str) -> None:
    end = await harness.release(artifact=harness.package("two"), strategy=strategy)
    assert (end.kind, end.text) == ("Completed", "Nothing to do: version 2 is live already")
    assert "update_alias" not in harness.aws.operations
    assert list(harness.state.versions) == ["1", "2"]


async def test_a_version_that_is_live_already_is_nothing_to_do(harness: Harness) -> None:
    end = await harness.release(artifact={"kind": "version", "version": "2"})
    assert (end.kind, harness.aws.writes) == ("Completed", [])


async def test_concurrency_is_set_on_the_live_version_where_nothing_else_is_to_do(
    harness: Harness,
) -> None:
    end = await harness.release(
        artifact={"kind": "version", "version": "2"}, concurrency={"reserved": 50, "provisioned": 5}
    )
    assert end.kind == "Completed"
    assert harness.aws.writes == ["put_function_concurrency", "put_provisioned_concurrency_config"]
    assert (harness.state.reserved, set(harness.state.provisioned)) == (50, {"2"})


# --- one at a time -------------------------------------------------------------------------------------------------------------


async def test_a_second_release_of_the_alias_is_rejected_and_touches_nothing(
    harness: Harness,
) -> None:
    first = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    before = len(harness.aws.calls)
    end = await harness.release(artifact=harness.package("four"), **CANARY)
    assert end.kind == "ReleaseRejected"
    assert f"is being released already: {harness.rollout_id}" in end.text
    assert harness.aws.since(before) == ["get_function"]
    assert (await harness.finish(first)).kind == "Completed"


async def test_another_alias_of_the_function_is_not_held(harness: Harness) -> None:
    harness.aws.somebody(
        "create_alias", FunctionName=harness.function, Name="beta", FunctionVersion="2"
    )
    first = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    target = {"function": harness.function, "alias": "beta"}
    end = await read_ending(
        await harness.start(
            "Release", {"target": target, "artifact": {"kind": "version", "version": "1"}}
        )
    )
    assert end.kind == "Completed"
    assert (await harness.finish(first)).kind == "Completed"


async def test_a_rollout_under_another_id_is_rejected(harness: Harness) -> None:
    end = await read_ending(
        await harness.start(
            "Rollout",
            harness.request(artifact=harness.package("three")),
            id=f"mine-{harness.function}",
        )
    )
    assert end.kind == "ReleaseRejected"
    assert harness.rollout_id in end.text
    assert harness.aws.writes == []


async def test_a_rollout_under_its_own_id_needs_nobody_who_started_it(harness: Harness) -> None:
    end = await read_ending(
        await harness.start(
            "Rollout", harness.request(artifact=harness.package("three")), id=harness.rollout_id
        )
    )
    assert end.kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})


# --- what it tells -------------------------------------------------------------------------------------------------------------


async def test_while_it_bakes_the_status_says_how_far_it_is(harness: Harness) -> None:
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
    assert status.ends_at is not None
    assert timedelta(minutes=5) <= status.ends_at - started < timedelta(minutes=5, seconds=10)
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.1})
    await harness.finish(handle)


async def test_the_status_names_every_phase(harness: Harness) -> None:
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
    await code.reached.wait()
    preparing = await harness.status()
    code.release()
    await weight.reached.wait()
    shifting = await harness.status()
    weight.release()
    awaiting = await harness.wait_for_phase("awaiting_approval")
    await harness.send("approve")
    baking = await harness.wait_for_phase("baking")
    await harness.fast_forward(timedelta(seconds=31))
    await promotion.reached.wait()
    promoting = await harness.status()
    promotion.release()
    succeeded = (await read_ending(handle)).status
    assert succeeded is not None
    seen = [preparing, shifting, awaiting, baking, promoting, succeeded]
    assert [status.phase for status in seen] == [
        "preparing",
        "shifting",
        "awaiting_approval",
        "baking",
        "promoting",
        "succeeded",
    ]
    assert [status.step for status in seen] == [0, 0, 1, 2, 3, 3]
    assert [status.routing.percent for status in seen] == [0, 0, 20, 20, 20, 100]
    assert [status.candidate for status in seen] == [None, "3", "3", "3", "3", "3"]
    assert [status.ends_at is not None for status in seen] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert preparing.stable == "2"


async def test_the_columns_of_the_list_tell_the_release(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), requested_by="ci", **CANARY)
    await harness.wait_for_phase("baking")
    mine = {"LambdaFunction": harness.function, "LambdaAlias": "live", "RequestedBy": "ci"}
    assert await attributes_of(harness.rollout) == {
        **mine,
        "ReleasePhase": "baking",
        "ReleaseVersion": "3",
        "TrafficPercent": 10,
    }
    assert await attributes_of(handle) == mine
    await harness.finish(handle)
    assert await attributes_of(harness.rollout) == {
        **mine,
        "ReleasePhase": "succeeded",
        "ReleaseVersion": "3",
        "TrafficPercent": 100,
    }
    assert await attributes_of(handle) == {**mine, "ReleasePhase": "succeeded"}


async def test_a_rolled_back_release_fails_with_its_status_and_counts_no_traffic(
    harness: Harness,
) -> None:
    harness.aws.fail("update_alias", "AccessDeniedException", skip=1)
    handle = await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **CANARY)
    )
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "all traffic is on version 2" in end.text
    assert end.status is not None
    assert (end.status.phase, end.status.candidate, end.status.routing.percent) == (
        "rolled_back",
        "3",
        0,
    )
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
    assert (await attributes_of(harness.rollout))["TrafficPercent"] == 0
    assert (await attributes_of(harness.rollout))["ReleasePhase"] == "rolled_back"
    assert (await attributes_of(handle))["ReleasePhase"] == "rolled_back"


async def test_the_release_ends_as_its_rollout_did(harness: Harness) -> None:
    harness.aws.fail("publish_version", "AccessDeniedException")
    outer = await read_ending(
        await harness.start("Release", harness.request(artifact=harness.package("three")))
    )
    inner = await read_ending(harness.rollout)
    assert (outer.kind, outer.text, outer.status) == (inner.kind, inner.text, inner.status)


async def test_a_release_costs_little_history(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    await harness.finish(handle)
    assert await harness.history_length(handle) <= 30
    assert await harness.history_length() <= 85


async def test_after_its_end_a_release_writes_nothing(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    assert harness.aws.calls[-1].operation == "update_alias"
    assert harness.aws.calls[-1].parameters["FunctionVersion"] == "3"
