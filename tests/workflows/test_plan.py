"""A plan shows what preflight knows: refusals, notes and steps, and changes nothing."""

from __future__ import annotations

from typing import Any

from tests.harness import ALL_AT_ONCE, Harness
from tests.workflows.test_concurrency_change import provision, require_signatures
from tests.workflows.test_readiness import start_update
from workflows.plan import ReleasePlan


async def plan(harness: Harness, **keys: Any) -> ReleasePlan:
    """Plan a release of a package; nothing is written."""
    request = harness.request(**({"artifact": harness.package("three")} | ALL_AT_ONCE | keys))
    handle = await harness.client.start_workflow(
        "Plan",
        request,
        id=f"plan/{harness.function}",
        task_queue=harness.queue,
        result_type=ReleasePlan,
    )
    result: ReleasePlan = await handle.result()
    assert harness.aws.writes == []
    assert harness.aws.of("invoke") == []
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
