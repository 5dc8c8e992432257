"""Which version was live before.

From the runs of ``Rollout``, or from the version itself.
"""

from __future__ import annotations

from tests.harness import ALL_AT_ONCE, CANARY, Harness


async def assert_rolls_back_to(harness: Harness, version: str) -> None:
    """A rollback without a version goes to this one."""
    end = await harness.roll_back()
    assert end.kind == "Completed", end
    assert end.status is not None
    assert (end.status.phase, end.status.candidate) == ("succeeded", version)
    assert harness.aws.routing(harness.function) == (version, {})


async def release(harness: Harness, *packages: str) -> None:
    """Release these packages, one after the other."""
    for package in packages:
        end = await harness.release(artifact=harness.package(package), **ALL_AT_ONCE)
        assert end.kind == "Completed", end


async def test_rollback_without_a_version_goes_to_the_previous_live_version(
    harness: Harness,
) -> None:
    assert (await harness.release(artifact=harness.package("three"), **CANARY)).kind == "Completed"
    assert (
        await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    ).kind == "Completed"
    await harness.wait_for_closed_runs(2)
    await assert_rolls_back_to(harness, "3")


async def test_previous_version_is_the_one_that_was_live(
    harness: Harness,
) -> None:
    harness.move_alias("1")
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    await harness.wait_for_closed_runs(1)
    await assert_rolls_back_to(harness, "1")


async def test_rolled_back_releases_do_not_count_as_live(harness: Harness) -> None:
    assert (
        await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    ).kind == "Completed"
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    hooks = {"hooks": {"after_traffic": "smoke"}}
    assert (
        await harness.release(artifact=harness.package("bad"), **hooks, **ALL_AT_ONCE)
    ).kind == "ReleaseRolledBack"
    await harness.wait_for_closed_runs(2)
    await assert_rolls_back_to(harness, "2")


async def test_second_rollback_goes_back_further_and_not_forward(harness: Harness) -> None:
    await release(harness, "three", "four")
    await assert_rolls_back_to(harness, "3")
    await assert_rolls_back_to(harness, "2")
    end = await harness.roll_back(requested_by="bo")
    assert end.kind == "ReleaseRejected"
    assert "nothing says which version was live before 2, and version 3 was rolled back" in end.text
    assert f"name one (releases rollback {harness.function}:live --to VERSION)" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_rollback_can_be_undone_by_a_named_one(harness: Harness) -> None:
    await release(harness, "three", "four")
    await assert_rolls_back_to(harness, "3")
    assert (await harness.roll_back(version="4")).kind == "Completed"
    await assert_rolls_back_to(harness, "3")


async def test_version_of_a_stopped_release_is_not_gone_back_to(harness: Harness) -> None:
    harness.move_alias("1")
    await release(harness, "three")
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "the old one is worse"})
    old = {"artifact": {"kind": "version", "version": "1"}, "hooks": {"after_traffic": "smoke"}}
    assert (await harness.release(**old, **ALL_AT_ONCE)).kind == "ReleaseRolledBack"
    end = await harness.roll_back()
    assert end.kind == "ReleaseRejected", end
    assert "version 1 was rolled back" in end.text
    assert "the old one is worse" in end.text


async def test_rollback_of_weights_goes_to_the_main_version(harness: Harness) -> None:
    await release(harness, "three")
    harness.aws.apply("publish_version", FunctionName=harness.function)
    harness.move_alias("3", {"1": 0.1})
    await assert_rolls_back_to(harness, "3")
    await assert_rolls_back_to(harness, "2")


async def test_rejection_of_weights_names_the_command_that_clears_them(harness: Harness) -> None:
    harness.move_alias("2", {"1": 0.1})
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRejected"
    assert f"releases rollback {harness.function}:live --to 2" in end.text


async def test_description_of_a_version_names_the_previous_version(
    harness: Harness,
) -> None:
    harness.state.versions["2"]["Description"] = "lambda-releases 0199-run, live before: 1"
    await assert_rolls_back_to(harness, "1")


async def test_published_version_names_the_previous_version(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert harness.state.versions["3"]["Description"].endswith("live before: 2")


async def test_rollback_without_a_known_previous_version_is_rejected(harness: Harness) -> None:
    end = await harness.roll_back()
    assert end.kind == "ReleaseRejected"
    assert "nothing says which version was live before 2: name one" in end.text
    assert harness.aws.writes == []
