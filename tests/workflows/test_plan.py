"""A plan shows what preflight knows: refusals, notes and steps, and changes nothing."""

from __future__ import annotations

from typing import Any

from tests.harness import ALL_AT_ONCE, CANARY, Harness
from tests.workflows.test_concurrency_change import provision, require_signatures
from tests.workflows.test_readiness import start_update
from workflows.plan import ReleasePlan


async def plan(harness: Harness, *, writes: int = 0, invokes: int = 0, **keys: Any) -> ReleasePlan:
    """Plan a release of a package; nothing is written after so many writes and invocations."""
    given = {"artifact": {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}}
    harness.package("three")
    request = harness.request(**(given | ALL_AT_ONCE | keys))
    handle = await harness.client.start_workflow(
        "Plan",
        request,
        id=f"plan/{harness.function}",
        task_queue=harness.queue,
        result_type=ReleasePlan,
    )
    result: ReleasePlan = await handle.result()
    assert len(harness.aws.writes) == writes
    assert len(harness.aws.of("invoke")) == invokes
    return result


async def test_update_in_progress_is_a_note_and_is_not_waited_for(harness: Harness) -> None:
    start_update(harness, 1_000_000)
    found = await plan(harness)
    assert found.refusals == ()
    assert any("the release waits for it" in note for note in found.notes)


async def test_provisioned_concurrency_of_the_live_version_is_in_the_steps(
    harness: Harness,
) -> None:
    provision(harness, "2", 4)
    found = await plan(harness)
    warm = "Provision 4 on the candidate, as the live version has, and wait until it is warm"
    assert warm in found.steps
    assert found.steps[-1] == "Release what is provisioned on version 2"
    assert any("The 4 provisioned on the live version are moved" in note for note in found.notes)


async def test_zero_plans_to_release_it_alone(harness: Harness) -> None:
    provision(harness, "2", 4)
    found = await plan(harness, concurrency={"provisioned": 0})
    assert [step for step in found.steps if step.startswith("Provision ")] == []
    assert found.steps[-1] == "Release what is provisioned on version 2"


async def test_inactive_version_is_a_note_and_stays_inactive(harness: Harness) -> None:
    harness.state.versions["1"]["State"] = "Inactive"
    found = await plan(harness, artifact={"kind": "version", "version": "1"})
    assert any("woken and waited for" in note for note in found.notes)
    assert harness.state.versions["1"]["State"] == "Inactive"


async def test_account_without_room_is_a_refusal(harness: Harness) -> None:
    found = await plan(harness, concurrency={"provisioned": 950})
    [refusal] = found.refusals
    assert "at most 900" in refusal


async def test_unsigned_package_is_a_refusal(harness: Harness) -> None:
    require_signatures(harness, "Enforce")
    [refusal] = (await plan(harness)).refusals
    assert refusal.startswith("artifact: ")
    assert "enforces signatures" in refusal


# --- Beside a release that runs ---


async def test_running_release_is_named_and_nothing_else_advised(harness: Harness) -> None:
    await harness.begin_until("baking", percent=10, configuration={"Timeout": 9}, **CANARY)
    writes = len(harness.aws.writes)
    found = await plan(harness, configuration={"MemorySize": 256}, writes=writes)
    [refusal] = found.refusals
    assert refusal == (
        f"target.alias: {harness.function}:live is being released already: {harness.rollout_id} "
        f"(releases status {harness.function}:live)"
    )


async def test_running_release_hides_no_missing_package(harness: Harness) -> None:
    await harness.begin_until("baking", percent=10, **CANARY)
    missing = {"kind": "s3", "bucket": "artifacts", "key": "typo.zip"}
    found = await plan(harness, artifact=missing, writes=len(harness.aws.writes))
    assert [refusal.partition(":")[0] for refusal in found.refusals] == ["target.alias", "artifact"]


async def test_first_release_of_an_alias_that_runs_is_named(harness: Harness) -> None:
    target = {"function": harness.function, "alias": "beta"}
    keys = {"hooks": {"before_traffic": "slow"}, "target": target}
    hold = harness.aws.hold("invoke")
    harness.aws.hook("slow", lambda _: {"accept": True})
    await harness.begin(artifact=harness.package("three"), **keys)
    await harness.wait_for(hold.reached)
    found = await plan(harness, target=target, writes=len(harness.aws.writes), invokes=1)
    assert [each for each in found.refusals if "is being released already" in each]
    hold.release()


async def test_watched_release_is_a_note_and_the_plan_is_whole(harness: Harness) -> None:
    guards = {"after": "1h"}
    await harness.begin_until("baking", percent=100, guards=guards, **ALL_AT_ONCE)
    artifact = harness.package("four")
    found = await plan(harness, artifact=artifact, writes=len(harness.aws.writes))
    assert found.refusals == ()
    assert any("its watch ends as a newer one begins" in note for note in found.notes)
    assert found.steps[-1] == "All traffic to the candidate"


async def test_weights_that_no_release_has_set_are_named_as_such(harness: Harness) -> None:
    harness.move_alias("1", {"2": 0.25})
    [refusal] = (await plan(harness)).refusals
    assert "of a release that did not finish, or that another program is making" in refusal
    assert f"releases rollback {harness.function}:live --to 1" in refusal
