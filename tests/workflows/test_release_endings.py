"""How a release ends well, ends early, and what it tells on its way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.fake_lambda import FakeLambda
from tests.workflows.scene import ALL_AT_ONCE, CANARY, Handle, Scene, ending
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
    scene: Scene,
) -> None:
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    assert (end.kind, end.text) == ("Completed", "All traffic is on version 3")
    assert end.status is not None
    assert end.status.model_dump(mode="json") == {
        "phase": "succeeded",
        "note": "All traffic is on version 3",
        "target": {"function": scene.function, "alias": "live"},
        "stable": "2",
        "candidate": "3",
        "routing": {"stable": "2", "canary": "3", "percent": 100},
        "step": 2,
        "steps": 2,
        "paused": False,
        "ends_at": None,
    }
    assert scene.aws.routing(scene.function) == ("3", {})


async def test_a_canary_takes_six_calls_besides_looking_at_the_function(scene: Scene) -> None:
    await scene.release(artifact=scene.package("three"), **CANARY)
    assert sorted(controlled(scene.aws)[:2]) == ["get_alias", "get_provisioned_concurrency_config"]
    assert controlled(scene.aws)[2:] == [
        "update_function_code",
        "publish_version",
        "update_alias",
        "update_alias",
    ]


async def test_every_write_of_a_canary_says_what_it_expects_to_find(scene: Scene) -> None:
    await scene.release(artifact=scene.package("three"), **CANARY)
    aws, function = scene.aws, scene.state
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


async def test_all_at_once_is_one_move(scene: Scene) -> None:
    end = await scene.release(artifact=scene.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert scene.aws.writes == ["update_function_code", "publish_version", "update_alias"]
    assert "get_provisioned_concurrency_config" not in scene.aws.operations


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
    scene: Scene, strategy: object, percents: list[int]
) -> None:
    end = await scene.release(
        artifact={"kind": "latest"}, configuration={"Timeout": 7}, strategy=strategy
    )
    assert end.kind == "Completed"
    moved = [
        move["RoutingConfig"]["AdditionalVersionWeights"].get("3")
        for move in scene.aws.of("update_alias")
    ]
    assert moved == [percent / 100 if percent < 100 else None for percent in percents]
    assert scene.aws.routing(scene.function) == ("3", {})


async def test_an_image_is_released_by_its_uri(scene: Scene) -> None:
    scene.aws.create(scene.function, "checkout", image=True)
    uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/checkout:2"
    end = await scene.release(artifact={"kind": "image", "uri": uri}, **CANARY)
    assert end.kind == "Completed"
    assert scene.aws.of("update_function_code")[0]["ImageUri"] == uri
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_a_published_version_is_released_without_touching_the_function(scene: Scene) -> None:
    end = await scene.release(artifact={"kind": "version", "version": "1"}, **CANARY)
    assert end.kind == "Completed"
    assert scene.aws.writes == ["update_alias", "update_alias"]
    assert scene.aws.routing(scene.function) == ("1", {})


async def test_what_latest_holds_is_published_as_it_is(scene: Scene) -> None:
    scene.aws.overwrite(scene.function, "three")
    end = await scene.release(artifact={"kind": "latest"}, **CANARY)
    assert end.kind == "Completed"
    assert scene.aws.writes == ["publish_version", "update_alias", "update_alias"]
    assert scene.aws.routing(scene.function) == ("3", {})


async def test_a_configuration_alone_is_released_with_the_live_code(scene: Scene) -> None:
    end = await scene.release(configuration={"MemorySize": 512, "Timeout": 10}, **CANARY)
    assert end.kind == "Completed"
    assert scene.aws.writes == [
        "update_function_configuration",
        "publish_version",
        "update_alias",
        "update_alias",
    ]
    released = scene.state.versions["3"]
    assert (released["MemorySize"], released["Timeout"]) == (512, 10)
    assert released["CodeSha256"] == scene.state.versions["2"]["CodeSha256"]


async def test_code_and_configuration_become_one_version(scene: Scene) -> None:
    scene.aws.looks = 1
    end = await scene.release(
        artifact=scene.package("three"), configuration={"Timeout": 10}, **ALL_AT_ONCE
    )
    assert end.kind == "Completed"
    assert scene.aws.writes == [
        "update_function_code",
        "update_function_configuration",
        "publish_version",
        "update_alias",
    ]
    assert list(scene.state.versions) == ["1", "2", "3"]
    assert scene.state.versions["3"]["Timeout"] == 10


async def test_an_object_version_in_s3_is_the_one_that_is_released(scene: Scene) -> None:
    scene.aws.upload("app.zip", "old", version="a")
    scene.aws.upload("app.zip", "new", version="b")
    artifact = {"kind": "s3", "bucket": "artifacts", "key": "app.zip", "object_version": "a"}
    await scene.release(artifact=artifact, **ALL_AT_ONCE)
    assert scene.state.versions["3"]["CodeSha256"] == scene.aws.upload("x", "old")


async def test_traffic_waits_until_the_candidate_is_active(scene: Scene) -> None:
    scene.aws.looks = 1
    states = []
    scene.aws.before("update_alias", lambda _: states.append(scene.state.versions["3"]["State"]))
    end = await scene.release(artifact=scene.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert states == ["Active"]


async def test_a_function_is_found_under_its_arn_and_its_partial_arn(scene: Scene) -> None:
    for name in (
        f"arn:aws:lambda:eu-central-1:123456789012:function:{scene.function}",
        f"123456789012:function:{scene.function}",
    ):
        request = {"target": {"function": name}, "artifact": {"kind": "version", "version": "2"}}
        end = await ending(await scene.start("Release", request))
        assert end.kind == "Completed"
        assert end.status is not None
        assert end.status.target.function == scene.function
    assert (await scene.rollout.describe()).id == scene.lock


async def test_concurrency_is_there_before_traffic_and_leaves_the_old_version_after_it(
    scene: Scene,
) -> None:
    scene.aws.somebody(
        "put_provisioned_concurrency_config",
        FunctionName=scene.function,
        Qualifier="2",
        ProvisionedConcurrentExecutions=3,
    )
    end = await scene.release(
        artifact=scene.package("three"), concurrency={"reserved": 50, "provisioned": 5}, **CANARY
    )
    assert end.kind == "Completed"
    assert scene.aws.writes == [
        "update_function_code",
        "publish_version",
        "put_function_concurrency",
        "put_provisioned_concurrency_config",
        "update_alias",
        "update_alias",
        "delete_provisioned_concurrency_config",
    ]
    assert scene.state.reserved == 50
    assert set(scene.state.provisioned) == {"3"}


# --- the first release, and nothing to do --------------------------------------------------------------------------------------


async def test_a_first_release_creates_the_alias_at_the_candidate(scene: Scene) -> None:
    del scene.state.aliases["live"]
    end = await scene.release(artifact=scene.package("three"), **CANARY)
    assert end.kind == "Completed"
    assert scene.aws.writes == ["update_function_code", "publish_version", "create_alias"]
    assert scene.aws.routing(scene.function) == ("3", {})
    assert end.status is not None
    assert (end.status.stable, end.status.candidate) == (None, "3")


@pytest.mark.parametrize("strategy", ["AllAtOnce", "Canary10Percent5Minutes"])
async def test_code_that_is_live_already_is_nothing_to_do(scene: Scene, strategy: str) -> None:
    end = await scene.release(artifact=scene.package("two"), strategy=strategy)
    assert (end.kind, end.text) == ("Completed", "Nothing to do: version 2 is live already")
    assert "update_alias" not in scene.aws.operations
    assert list(scene.state.versions) == ["1", "2"]


async def test_a_version_that_is_live_already_is_nothing_to_do(scene: Scene) -> None:
    end = await scene.release(artifact={"kind": "version", "version": "2"})
    assert (end.kind, scene.aws.writes) == ("Completed", [])


async def test_concurrency_is_set_on_the_live_version_where_nothing_else_is_to_do(
    scene: Scene,
) -> None:
    end = await scene.release(
        artifact={"kind": "version", "version": "2"}, concurrency={"reserved": 50, "provisioned": 5}
    )
    assert end.kind == "Completed"
    assert scene.aws.writes == ["put_function_concurrency", "put_provisioned_concurrency_config"]
    assert (scene.state.reserved, set(scene.state.provisioned)) == (50, {"2"})


# --- one at a time -------------------------------------------------------------------------------------------------------------


async def test_a_second_release_of_the_alias_is_rejected_and_touches_nothing(scene: Scene) -> None:
    first = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    before = len(scene.aws.calls)
    end = await scene.release(artifact=scene.package("four"), **CANARY)
    assert end.kind == "ReleaseRejected"
    assert f"is being released already: {scene.lock}" in end.text
    assert scene.aws.since(before) == ["get_function"]
    assert (await scene.finished(first)).kind == "Completed"


async def test_another_alias_of_the_function_is_not_held(scene: Scene) -> None:
    scene.aws.somebody(
        "create_alias", FunctionName=scene.function, Name="beta", FunctionVersion="2"
    )
    first = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    target = {"function": scene.function, "alias": "beta"}
    end = await ending(
        await scene.start(
            "Release", {"target": target, "artifact": {"kind": "version", "version": "1"}}
        )
    )
    assert end.kind == "Completed"
    assert (await scene.finished(first)).kind == "Completed"


async def test_a_rollout_under_another_id_is_rejected(scene: Scene) -> None:
    end = await ending(
        await scene.start(
            "Rollout", scene.request(artifact=scene.package("three")), id=f"mine-{scene.function}"
        )
    )
    assert end.kind == "ReleaseRejected"
    assert scene.lock in end.text
    assert scene.aws.writes == []


async def test_a_rollout_under_its_own_id_needs_nobody_who_started_it(scene: Scene) -> None:
    end = await ending(
        await scene.start("Rollout", scene.request(artifact=scene.package("three")), id=scene.lock)
    )
    assert end.kind == "Completed"
    assert scene.aws.routing(scene.function) == ("3", {})


# --- what it tells -------------------------------------------------------------------------------------------------------------


async def test_while_it_bakes_the_status_says_how_far_it_is(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    status = await scene.reaches("baking")
    assert status.note == "10% to version 3 for 5 min"
    assert (status.stable, status.candidate, status.step, status.steps, status.paused) == (
        "2",
        "3",
        1,
        2,
        False,
    )
    assert status.routing.model_dump() == {"stable": "2", "canary": "3", "percent": 10}
    started = (await scene.rollout.describe()).start_time
    assert status.ends_at is not None
    assert timedelta(minutes=5) <= status.ends_at - started < timedelta(minutes=5, seconds=10)
    assert scene.aws.routing(scene.function) == ("2", {"3": 0.1})
    await scene.finished(handle)


async def test_the_status_names_every_phase(scene: Scene) -> None:
    steps = [
        {"kind": "set_weight", "percent": 20},
        {"kind": "approval", "timeout": "PT6H"},
        {"kind": "bake", "duration": "30s"},
    ]
    code, weight, promotion = (
        scene.aws.hold("update_function_code"),
        scene.aws.hold("update_alias"),
        scene.aws.hold("update_alias", skip=1),
    )
    handle = await scene.begin(artifact=scene.package("three"), strategy={"steps": steps})
    await code.reached.wait()
    preparing = await scene.status()
    code.release()
    await weight.reached.wait()
    shifting = await scene.status()
    weight.release()
    awaiting = await scene.reaches("awaiting_approval")
    await scene.say("approve")
    baking = await scene.reaches("baking")
    await scene.forward(timedelta(seconds=31))
    await promotion.reached.wait()
    promoting = await scene.status()
    promotion.release()
    succeeded = (await ending(handle)).status
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


async def test_the_columns_of_the_list_tell_the_release(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), requested_by="ci", **CANARY)
    await scene.reaches("baking")
    mine = {"LambdaFunction": scene.function, "LambdaAlias": "live", "RequestedBy": "ci"}
    assert await attributes_of(scene.rollout) == {
        **mine,
        "ReleasePhase": "baking",
        "ReleaseVersion": "3",
        "TrafficPercent": 10,
    }
    assert await attributes_of(handle) == mine
    await scene.finished(handle)
    assert await attributes_of(scene.rollout) == {
        **mine,
        "ReleasePhase": "succeeded",
        "ReleaseVersion": "3",
        "TrafficPercent": 100,
    }
    assert await attributes_of(handle) == {**mine, "ReleasePhase": "succeeded"}


async def test_a_rolled_back_release_fails_with_its_status_and_counts_no_traffic(
    scene: Scene,
) -> None:
    scene.aws.fail("update_alias", "AccessDeniedException", skip=1)
    handle = await scene.start("Release", scene.request(artifact=scene.package("three"), **CANARY))
    end = await ending(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "all traffic is on version 2" in end.text
    assert end.status is not None
    assert (end.status.phase, end.status.candidate, end.status.routing.percent) == (
        "rolled_back",
        "3",
        0,
    )
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
    assert (await attributes_of(scene.rollout))["TrafficPercent"] == 0
    assert (await attributes_of(scene.rollout))["ReleasePhase"] == "rolled_back"
    assert (await attributes_of(handle))["ReleasePhase"] == "rolled_back"


async def test_the_release_ends_as_its_rollout_did(scene: Scene) -> None:
    scene.aws.fail("publish_version", "AccessDeniedException")
    outer = await ending(
        await scene.start("Release", scene.request(artifact=scene.package("three")))
    )
    inner = await ending(scene.rollout)
    assert (outer.kind, outer.text, outer.status) == (inner.kind, inner.text, inner.status)


async def test_a_release_costs_little_history(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    await scene.finished(handle)
    assert await scene.events(handle) <= 30
    assert await scene.events() <= 85


async def test_after_its_end_a_release_writes_nothing(scene: Scene) -> None:
    await scene.release(artifact=scene.package("three"), **CANARY)
    assert scene.aws.calls[-1].operation == "update_alias"
    assert scene.aws.calls[-1].parameters["FunctionVersion"] == "3"
