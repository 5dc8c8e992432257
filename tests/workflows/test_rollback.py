"""``Rollback``: moves an alias to a version when no release is running."""

from __future__ import annotations

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness, read_ending


def assert_live(end: Ending, harness: Harness, version: str) -> None:
    assert end.kind == "Completed", end
    assert end.status is not None
    assert (end.status.phase, end.status.candidate) == ("succeeded", version)
    assert harness.aws.routing(harness.function) == (version, {})


async def test_rollback_moves_all_traffic_in_one_step(
    harness: Harness,
) -> None:
    end = await harness.roll_back(version="1", requested_by="ana", reason="500s")
    assert_live(end, harness, "1")
    assert harness.aws.writes == ["update_alias", "update_function_code"]
    assert end.status is not None
    assert end.status.stable == "2"


async def test_rollback_is_rejected_while_a_release_runs(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    end = await harness.roll_back(version="1")
    assert end.kind == "ReleaseRejected"
    assert f"is being released already: {harness.rollout_id}" in end.text
    assert f"releases abort {harness.function}:live" in end.text
    assert harness.aws.routing(harness.function) == ("2", {"3": 0.1})
    await harness.finish(handle)


async def test_rollback_clears_the_weights_of_the_alias(harness: Harness) -> None:
    harness.move_alias("1", {"2": 0.25})
    assert_live(await harness.roll_back(version="1"), harness, "1")


async def test_rollback_to_the_live_version_is_nothing_to_do(harness: Harness) -> None:
    end = await harness.roll_back(version="2")
    assert end.kind == "Completed"
    assert "Nothing to do" in end.text
    assert harness.aws.writes == []


async def test_rollback_to_a_missing_version_is_rejected(harness: Harness) -> None:
    end = await harness.roll_back(version="9")
    assert end.kind == "ReleaseRejected"
    assert "version: " in end.text
    assert "artifact" not in end.text


async def test_rollback_of_a_missing_alias_is_rejected(harness: Harness) -> None:
    target = {"function": harness.function, "alias": "typo"}
    end = await read_ending(await harness.start("Rollback", {"target": target, "version": "1"}))
    assert end.kind == "ReleaseRejected"
    assert "target.alias: there is no alias typo" in end.text


async def test_rollback_takes_guards_and_hooks(harness: Harness) -> None:
    invoked: list[str] = []
    harness.aws.alarms["errors"] = "OK"
    harness.aws.hook(
        "smoke",
        lambda request: invoked.append(request["hook"]) or {"accept": False, "reason": "worse"},
    )
    end = await harness.roll_back(
        version="1", hooks={"after_traffic": "smoke"}, guards={"alarms": ["errors"]}
    )
    assert end.kind == "ReleaseRolledBack"
    assert invoked == ["after_traffic"]
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_rollback_may_go_to_a_version_with_another_role(harness: Harness) -> None:
    harness.state.versions["1"]["Role"] = "arn:aws:iam::123456789012:role/other"
    assert_live(await harness.roll_back(version="1"), harness, "1")


async def test_rollback_may_be_followed_by_a_release(harness: Harness) -> None:
    assert_live(await harness.roll_back(version="1"), harness, "1")
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"


async def test_rolled_back_rollback_reports_the_restored_weights(
    harness: Harness,
) -> None:
    harness.move_alias("1", {"2": 0.25})
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    end = await harness.roll_back(version="2", hooks={"after_traffic": "smoke"})
    assert end.kind == "ReleaseRolledBack"
    assert harness.aws.routing(harness.function) == ("1", {"2": 0.25})
    assert "all traffic is on version 1" not in end.text
    assert "version 1, 25% to version 2" in end.text
