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
    harness.aws.fail("update_alias", "AccessDeniedException")
    assert (
        await harness.release(artifact=harness.package("bad"), **ALL_AT_ONCE)
    ).kind == "ReleaseRolledBack"
    await harness.wait_for_closed_runs(2)
    await assert_rolls_back_to(harness, "2")


async def test_rollback_can_be_undone_by_another_one(harness: Harness) -> None:
    for package in ("three", "four"):
        assert (
            await harness.release(artifact=harness.package(package), **ALL_AT_ONCE)
        ).kind == "Completed"
    await harness.wait_for_closed_runs(2)
    await assert_rolls_back_to(harness, "3")
    await harness.wait_for_closed_runs(3)
    await assert_rolls_back_to(harness, "4")


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
