"""``Rollback``: puts an alias on a named version, or on the one that was live before, when no release is running."""

from __future__ import annotations

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness, read_ending


def rolled_back(end: Ending, harness: Harness, version: str) -> None:
    assert end.kind == "Completed", end
    assert end.status is not None
    assert (end.status.phase, end.status.candidate) == ("succeeded", version)
    assert harness.aws.routing(harness.function) == (version, {})


async def test_a_rollback_moves_all_traffic_to_the_named_version_in_one_step(
    harness: Harness,
) -> None:
    end = await harness.roll_back(version="1", requested_by="ana", reason="500s")
    rolled_back(end, harness, "1")
    assert harness.aws.writes == ["update_alias"]
    assert end.status is not None
    assert end.status.stable == "2"


async def test_a_rollback_without_a_version_goes_to_the_one_that_was_live_before(
    harness: Harness,
) -> None:
    assert (await harness.release(artifact=harness.package("three"), **CANARY)).kind == "Completed"
    assert (
        await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    ).kind == "Completed"
    await harness.wait_for_closed_runs(2)
    rolled_back(await harness.roll_back(), harness, "3")


async def test_the_version_before_is_what_was_live_and_not_the_number_before(
    harness: Harness,
) -> None:
    harness.aws.somebody(
        "update_alias", FunctionName=harness.function, Name="live", FunctionVersion="1"
    )
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    await harness.wait_for_closed_runs(1)
    rolled_back(await harness.roll_back(), harness, "1")


async def test_releases_that_were_rolled_back_do_not_count_as_live(harness: Harness) -> None:
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    harness.aws.fail("update_alias", "AccessDeniedException")
    assert (
        await harness.release(artifact=harness.package("bad"), **ALL_AT_ONCE)
    ).kind == "ReleaseRolledBack"
    await harness.wait_for_closed_runs(2)
    rolled_back(await harness.roll_back(), harness, "2")


async def test_a_rollback_can_be_undone_by_another_one(harness: Harness) -> None:
    for package in ("three", "four"):
        assert (
            await harness.release(artifact=harness.package(package), **ALL_AT_ONCE)
        ).kind == "Completed"
    await harness.wait_for_closed_runs(2)
    rolled_back(await harness.roll_back(), harness, "3")
    await harness.wait_for_closed_runs(3)
    rolled_back(await harness.roll_back(), harness, "4")


async def test_without_a_history_the_version_itself_says_what_was_live_before(
    harness: Harness,
) -> None:
    harness.state.versions["2"]["Description"] = "lambda-releases 0199-run, live before: 1"
    rolled_back(await harness.roll_back(), harness, "1")


async def test_every_published_version_says_what_was_live_before(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert harness.state.versions["3"]["Description"].endswith("live before: 2")


async def test_where_nothing_tells_a_version_has_to_be_named(harness: Harness) -> None:
    end = await harness.roll_back()
    assert end.kind == "ReleaseRejected"
    assert "nothing says which version was live before 2: name one" in end.text
    assert harness.aws.writes == []


async def test_a_rollback_is_rejected_while_a_release_runs(harness: Harness) -> None:
    handle = await harness.begin(artifact=harness.package("three"), **CANARY)
    await harness.wait_for_phase("baking")
    end = await harness.roll_back(version="1")
    assert end.kind == "ReleaseRejected"
    assert f"is being released already: {harness.rollout_id}" in end.text
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.1})
    await harness.finish(handle)


async def test_a_rollback_clears_weights_that_something_left_on_the_alias(harness: Harness) -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    harness.aws.somebody(
        "update_alias",
        FunctionName=harness.function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig=routing,
    )
    rolled_back(await harness.roll_back(version="1"), harness, "1")


async def test_a_rollback_to_the_live_version_is_nothing_to_do(harness: Harness) -> None:
    end = await harness.roll_back(version="2")
    assert end.kind == "Completed"
    assert "Nothing to do" in end.text
    assert harness.aws.writes == []


async def test_a_rollback_to_a_version_that_does_not_exist_is_rejected(harness: Harness) -> None:
    end = await harness.roll_back(version="9")
    assert end.kind == "ReleaseRejected"
    assert "version: " in end.text
    assert "artifact" not in end.text


async def test_a_rollback_of_an_alias_that_does_not_exist_is_rejected(harness: Harness) -> None:
    target = {"function": harness.function, "alias": "typo"}
    end = await read_ending(await harness.start("Rollback", {"target": target, "version": "1"}))
    assert end.kind == "ReleaseRejected"
    assert "target.alias: there is no alias typo" in end.text


async def test_a_rollback_takes_guards_and_hooks(harness: Harness) -> None:
    asked: list[str] = []
    harness.aws.alarms["errors"] = "OK"
    harness.aws.hook(
        "smoke",
        lambda question: asked.append(question["hook"]) or {"accept": False, "reason": "worse"},
    )
    end = await harness.roll_back(
        version="1", hooks={"after_traffic": "smoke"}, guards={"alarms": ["errors"]}
    )
    assert end.kind == "ReleaseRolledBack"
    assert asked == ["after_traffic"]
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_a_rollback_may_go_to_a_version_with_another_role(harness: Harness) -> None:
    harness.state.versions["1"]["Role"] = "arn:aws:iam::123456789012:role/other"
    rolled_back(await harness.roll_back(version="1"), harness, "1")


async def test_a_rollback_may_be_followed_by_a_release(harness: Harness) -> None:
    rolled_back(await harness.roll_back(version="1"), harness, "1")
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
