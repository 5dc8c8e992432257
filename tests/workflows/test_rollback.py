"""``Rollback``: puts an alias on a named version, or on the one that was live before, when no release is running."""

from __future__ import annotations

from tests.workflows.scene import ALL_AT_ONCE, CANARY, Ending, Scene, ending


def rolled_back(end: Ending, scene: Scene, version: str) -> None:
    assert end.kind == "Completed", end
    assert end.status is not None
    assert (end.status.phase, end.status.candidate) == ("succeeded", version)
    assert scene.aws.routing(scene.function) == (version, {})


async def test_a_rollback_moves_all_traffic_to_the_named_version_in_one_step(scene: Scene) -> None:
    end = await scene.roll_back(version="1", requested_by="ana", reason="500s")
    rolled_back(end, scene, "1")
    assert scene.aws.writes == ["update_alias"]
    assert end.status is not None
    assert end.status.stable == "2"


async def test_a_rollback_without_a_version_goes_to_the_one_that_was_live_before(
    scene: Scene,
) -> None:
    assert (await scene.release(artifact=scene.package("three"), **CANARY)).kind == "Completed"
    assert (await scene.release(artifact=scene.package("four"), **ALL_AT_ONCE)).kind == "Completed"
    await scene.seen(2)
    rolled_back(await scene.roll_back(), scene, "3")


async def test_the_version_before_is_what_was_live_and_not_the_number_before(scene: Scene) -> None:
    scene.aws.somebody(
        "update_alias", FunctionName=scene.function, Name="live", FunctionVersion="1"
    )
    assert (await scene.release(artifact=scene.package("three"), **ALL_AT_ONCE)).kind == "Completed"
    await scene.seen(1)
    rolled_back(await scene.roll_back(), scene, "1")


async def test_releases_that_were_rolled_back_do_not_count_as_live(scene: Scene) -> None:
    assert (await scene.release(artifact=scene.package("three"), **ALL_AT_ONCE)).kind == "Completed"
    scene.aws.fail("update_alias", "AccessDeniedException")
    assert (
        await scene.release(artifact=scene.package("bad"), **ALL_AT_ONCE)
    ).kind == "ReleaseRolledBack"
    await scene.seen(2)
    rolled_back(await scene.roll_back(), scene, "2")


async def test_a_rollback_can_be_undone_by_another_one(scene: Scene) -> None:
    for package in ("three", "four"):
        assert (
            await scene.release(artifact=scene.package(package), **ALL_AT_ONCE)
        ).kind == "Completed"
    await scene.seen(2)
    rolled_back(await scene.roll_back(), scene, "3")
    await scene.seen(3)
    rolled_back(await scene.roll_back(), scene, "4")


async def test_without_a_history_the_version_itself_says_what_was_live_before(scene: Scene) -> None:
    scene.state.versions["2"]["Description"] = "lambda-releases 0199-run, live before: 1"
    rolled_back(await scene.roll_back(), scene, "1")


async def test_every_published_version_says_what_was_live_before(scene: Scene) -> None:
    await scene.release(artifact=scene.package("three"), **ALL_AT_ONCE)
    assert scene.state.versions["3"]["Description"].endswith("live before: 2")


async def test_where_nothing_tells_a_version_has_to_be_named(scene: Scene) -> None:
    end = await scene.roll_back()
    assert end.kind == "ReleaseRejected"
    assert "nothing says which version was live before 2: name one" in end.text
    assert scene.aws.writes == []


async def test_a_rollback_is_rejected_while_a_release_runs(scene: Scene) -> None:
    handle = await scene.begin(artifact=scene.package("three"), **CANARY)
    await scene.reaches("baking")
    end = await scene.roll_back(version="1")
    assert end.kind == "ReleaseRejected"
    assert f"is being released already: {scene.lock}" in end.text
    assert scene.aws.routing(scene.function) == ("2", {"3": 0.1})
    await scene.finished(handle)


async def test_a_rollback_clears_weights_that_something_left_on_the_alias(scene: Scene) -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    scene.aws.somebody(
        "update_alias",
        FunctionName=scene.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig=routing,
    )
    rolled_back(await scene.roll_back(version="1"), scene, "1")


async def test_a_rollback_to_the_live_version_is_nothing_to_do(scene: Scene) -> None:
    end = await scene.roll_back(version="2")
    assert end.kind == "Completed"
    assert "Nothing to do" in end.text
    assert scene.aws.writes == []


async def test_a_rollback_to_a_version_that_does_not_exist_is_rejected(scene: Scene) -> None:
    end = await scene.roll_back(version="9")
    assert end.kind == "ReleaseRejected"
    assert "version: " in end.text
    assert "artifact" not in end.text


async def test_a_rollback_of_an_alias_that_does_not_exist_is_rejected(scene: Scene) -> None:
    target = {"function": scene.function, "alias": "typo"}
    end = await ending(await scene.start("Rollback", {"target": target, "version": "1"}))
    assert end.kind == "ReleaseRejected"
    assert "target.alias: there is no alias typo" in end.text


async def test_a_rollback_takes_guards_and_hooks(scene: Scene) -> None:
    asked: list[str] = []
    scene.aws.alarms["errors"] = "OK"
    scene.aws.hook(
        "smoke",
        lambda question: asked.append(question["hook"]) or {"accept": False, "reason": "worse"},
    )
    end = await scene.roll_back(
        version="1", hooks={"after_traffic": "smoke"}, guards={"alarms": ["errors"]}
    )
    assert end.kind == "ReleaseRolledBack"
    assert asked == ["after_traffic"]
    assert scene.aws.routing(scene.function) == ("2", {})


async def test_a_rollback_may_go_to_a_version_with_another_role(scene: Scene) -> None:
    scene.state.versions["1"]["Role"] = "arn:aws:iam::123456789012:role/other"
    rolled_back(await scene.roll_back(version="1"), scene, "1")


async def test_a_rollback_may_be_followed_by_a_release(scene: Scene) -> None:
    rolled_back(await scene.roll_back(version="1"), scene, "1")
    assert (await scene.release(artifact=scene.package("three"), **ALL_AT_ONCE)).kind == "Completed"
