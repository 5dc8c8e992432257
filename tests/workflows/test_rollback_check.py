"""What was rolled back is not shipped again without being requested again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness, read_ending
from workflows import past_rollouts

AGAIN = {"again": True, "reason": "it was the database"}


async def release(harness: Harness, package: str = "three", **keys: Any) -> Ending:
    artifact = keys.pop("artifact", None) or harness.package(package)
    return await harness.release(artifact=artifact, **{**ALL_AT_ONCE, **keys})


async def roll_back(harness: Harness) -> None:
    """Release version 3 and roll it back: ``$LATEST`` holds it still."""
    assert (await release(harness)).kind == "Completed"
    harness.aws.fail("update_function_code", "InvalidParameterValueException", times=1)
    end = await harness.roll_back(requested_by="ana", reason="500s")
    assert end.kind == "Completed", end
    assert "$LATEST could not be put back" in end.text


async def stop(harness: Harness) -> None:
    """Release version 3, and have a hook refuse it."""
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    end = await release(harness, hooks={"after_traffic": "smoke"})
    assert end.kind == "ReleaseRolledBack", end


def assert_rejected(end: Ending, harness: Harness, *texts: str) -> None:
    assert end.kind == "ReleaseRejected", end
    for text in texts:
        assert text in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_latest_that_was_rolled_back_is_not_shipped_again(harness: Harness) -> None:
    await roll_back(harness)
    writes = len(harness.aws.writes)
    end = await release(harness, artifact={"kind": "latest"})
    assert_rejected(end, harness, "version 3 was rolled back from by ana", "500s", '"again": true')
    assert "(Rollback rollback-" in end.text
    assert len(harness.aws.writes) == writes


async def test_version_that_was_rolled_back_is_not_shipped_again(harness: Harness) -> None:
    await roll_back(harness)
    version = {"artifact": {"kind": "version", "version": "3"}}
    assert_rejected(await release(harness, **version), harness, "version 3 was rolled back")
    assert (await release(harness, **version, **AGAIN)).kind == "Completed"
    assert harness.aws.routing(harness.function) == ("3", {})
    await harness.roll_back(version="1")
    assert (
        await release(harness, artifact={"kind": "version", "version": "2"})
    ).kind == "Completed"


async def test_package_that_was_rolled_back_is_not_shipped_again(harness: Harness) -> None:
    await roll_back(harness)
    writes = len(harness.aws.writes)
    end = await release(harness)
    assert_rejected(end, harness, "it is the same as version 3", "rolled back from by ana")
    assert len(harness.aws.writes) == writes
    assert (await release(harness, "four")).kind == "Completed"


async def test_package_that_was_refused_is_not_shipped_again(harness: Harness) -> None:
    await stop(harness)
    end = await release(harness)
    assert_rejected(end, harness, "version 3 was rolled back", "hook smoke (after_traffic) refused")
    assert (await release(harness, **AGAIN)).kind == "Completed"


async def test_package_with_other_settings_may_be_shipped(harness: Harness) -> None:
    await stop(harness)
    assert (await release(harness, configuration={"MemorySize": 512})).kind == "Completed"


async def test_settings_that_were_refused_are_not_shipped_again(harness: Harness) -> None:
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    change = {"configuration": {"Timeout": 20}, **ALL_AT_ONCE}
    end = await harness.release(**change, hooks={"before_traffic": "smoke"})
    assert end.kind == "ReleaseRolledBack"
    assert_rejected(await harness.release(**change), harness, "it is the same as version 3")
    assert (await harness.release(configuration={"Timeout": 21}, **ALL_AT_ONCE)).kind == "Completed"


async def test_copy_of_what_was_rolled_back_is_not_shipped(harness: Harness) -> None:
    await roll_back(harness)
    state = harness.state
    state.versions["4"] = state.versions["3"] | {"Version": "4"}
    state.packages["4"] = state.packages["3"]
    end = await release(harness, artifact={"kind": "version", "version": "4"})
    assert_rejected(end, harness, "it is the same as version 3")


async def test_release_that_an_error_stopped_may_be_repeated(harness: Harness) -> None:
    harness.aws.fail("update_alias", "InvalidParameterValueException", times=1)
    assert (await release(harness)).kind == "ReleaseRolledBack"
    assert (await release(harness)).kind == "Completed"


async def test_release_that_was_canceled_may_be_repeated(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.cancel(handle)
    assert (await harness.finish(handle)).kind == "Canceled"
    assert (await release(harness)).kind == "Completed"


async def test_candidate_that_preflight_could_not_know_is_refused(harness: Harness) -> None:
    await stop(harness)
    for package in ("four", "two"):  # version 3 is not the last one published
        harness.aws.overwrite(harness.function, package)
        harness.aws.settle(harness.function)
        harness.aws.publish(harness.function)
    for _ in range(2):  # the second names the same cause
        harness.aws.fail("update_function_code", "AccessDeniedException", times=1)
        end = await release(harness)
        assert end.kind == "ReleaseRolledBack", end
        assert "it is the same as version 3: version 3 was rolled back" in end.text
        assert "hook smoke (after_traffic) refused" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_live_version_is_nothing_to_do_whatever_was_rolled_back(harness: Harness) -> None:
    await stop(harness)
    assert (await release(harness, **AGAIN)).kind == "Completed"
    end = await release(harness)
    assert (end.kind, "Nothing to do" in end.text) == ("Completed", True), end


async def test_plan_shows_that_a_version_was_rolled_back(harness: Harness) -> None:
    await stop(harness)
    request = harness.request(artifact=harness.package("three"))
    handle = await harness.client.start_workflow(
        "Plan", request, id=f"plan/{harness.function}", task_queue=harness.queue
    )
    planned = await handle.result()
    assert "version 3 was rolled back" in planned["refusals"][0]


async def test_again_needs_a_reason(harness: Harness) -> None:
    end = await release(harness, again=True)
    assert end.kind == "ReleaseRejected"
    assert "reason: " in end.text


@pytest.mark.parametrize("by", ["abort", "alarm"])
async def test_release_that_was_stopped_is_not_shipped_again(harness: Harness, by: str) -> None:
    harness.aws.alarms["errors"] = "OK"
    handle = await harness.begin_until("baking", guards={"alarms": ["errors"]}, **CANARY)
    if by == "abort":
        await harness.send("abort", reason="wrong build")
    else:
        harness.aws.alarms["errors"] = "ALARM"
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    reason = "aborted by ana: wrong build" if by == "abort" else "alarm errors went off"
    assert_rejected(await release(harness), harness, "version 3 was rolled back", reason)


async def test_rollback_takes_latest_back(harness: Harness) -> None:
    keys = {"configuration": {"MemorySize": 512}}
    assert (await release(harness, **keys)).kind == "Completed"
    end = await harness.roll_back()
    assert end.text == "All traffic is on version 2; $LATEST is version 2 again, too"
    harness.assert_restored()
    assert harness.state.latest["MemorySize"] == harness.state.versions["2"]["MemorySize"]
    end = await release(harness, artifact={"kind": "latest"})
    assert "Nothing to do" in end.text


async def test_rollback_leaves_the_work_of_others_in_latest(harness: Harness) -> None:
    assert (await release(harness)).kind == "Completed"
    harness.aws.overwrite(harness.function, "theirs")
    theirs = harness.state.latest["CodeSha256"]
    end = await harness.roll_back()
    assert "$LATEST stays as it is: it is not what version 3 was made of" in end.text
    assert harness.state.latest["CodeSha256"] == theirs


async def test_rollback_of_weights_takes_latest_back(harness: Harness) -> None:
    assert (await release(harness)).kind == "Completed"
    harness.move_alias("2", {"3": 0.1})
    end = await harness.roll_back()
    assert end.text == "All traffic is on version 2; $LATEST is version 2 again, too"
    harness.assert_restored()


async def test_rollback_says_why_latest_stays(harness: Harness) -> None:
    await roll_back(harness)
    assert harness.state.latest["CodeSha256"] == harness.state.versions["3"]["CodeSha256"]


async def test_canceled_rollback_leaves_latest_as_it_was(harness: Harness) -> None:
    assert (await release(harness)).kind == "Completed"
    code = harness.state.versions["3"]["CodeSha256"]
    hold = harness.aws.hold("update_function_code", moment="after")
    handle = await harness.begin("Rollback")
    await harness.wait_for(hold.reached)
    assert harness.state.latest["CodeSha256"] != code
    await harness.cancel(handle)
    hold.release()
    assert (await read_ending(handle)).kind == "Canceled"
    assert harness.aws.routing(harness.function) == ("3", {})
    assert harness.state.latest["CodeSha256"] == code


async def test_runs_without_a_memo_for_their_kind_count_too(harness: Harness) -> None:
    inputs: list[dict[str, Any]] = [
        {"artifact": harness.package("three"), **ALL_AT_ONCE},
        {"version": "2", "requested_by": "ana", "reason": "500s"},
    ]
    for keys in inputs:
        handle = await harness.start("Rollout", harness.request(**keys), id=harness.rollout_id)
        assert (await read_ending(handle)).kind == "Completed"
    end = await release(harness, artifact={"kind": "version", "version": "3"})
    assert_rejected(end, harness, "by ana on 20", f"(Rollback {harness.rollout_id}: 500s)")


async def test_rejections_do_not_make_what_was_rolled_back_forgotten(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_rollouts, "MAX_RUNS", 3)  # the two, and the one that reads
    await roll_back(harness)
    for _ in range(3):  # a nightly schedule
        end = await release(harness, artifact={"kind": "latest"})
        assert_rejected(end, harness, "version 3 was rolled back from by ana")
    end = await harness.roll_back()
    assert "and version 3 was rolled back from by ana" in end.text
