"""Notes on what invokes a function without its alias, and on an alias that nothing invokes."""

from __future__ import annotations

from typing import Any

from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness

ORDERS = "arn:aws:sqs:eu-central-1:123456789012:orders"


def notes_of(end: Ending) -> str:
    assert end.status is not None
    return "\n".join(end.status.notes)


def poll_bare_function(harness: Harness) -> None:
    harness.aws.apply(
        "create_event_source_mapping", FunctionName=harness.function, EventSourceArn=ORDERS
    )


def permit_alias(harness: Harness) -> None:
    harness.aws.apply(
        "add_permission",
        FunctionName=harness.function,
        Qualifier="live",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )


async def test_trigger_of_the_bare_function_is_noted(harness: Harness) -> None:
    poll_bare_function(harness)
    permit_alias(harness)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "Completed"
    assert f"Not through {harness.function}:live" in notes_of(end)
    assert f"event source mapping {ORDERS}" in notes_of(end)
    assert "Nothing is set up to invoke" not in notes_of(end)


async def test_note_stands_in_the_details_of_the_run(harness: Harness) -> None:
    poll_bare_function(harness)
    handle = await harness.begin_until("baking", **CANARY)
    await harness.wait_until(lambda: has_note(harness))
    details = await harness.rollout.query("__temporal_workflow_metadata")
    assert ORDERS in str(details)
    await harness.send("abort", reason="seen")
    await harness.finish(handle)


async def has_note(harness: Harness) -> bool:
    return ORDERS in "".join((await harness.status()).notes)


async def test_alias_that_nothing_invokes_is_noted(harness: Harness) -> None:
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert f"Nothing is set up to invoke {harness.function}:live" in notes_of(end)


async def test_alias_that_is_invoked_needs_no_note(harness: Harness) -> None:
    permit_alias(harness)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert "invoke" not in notes_of(end)


async def test_triggers_that_cannot_be_read_are_a_note(harness: Harness) -> None:
    harness.aws.fail("get_policy", "AccessDeniedException", "not authorized", times=None)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "Completed"
    assert "could not all be read: get_policy: not authorized" in notes_of(end)


async def test_rollback_and_hotfix_do_not_look(harness: Harness) -> None:
    assert (await harness.roll_back(version="1")).kind == "Completed"
    end = await harness.release(
        artifact=harness.package("three"), hotfix=True, reason="an incident", **ALL_AT_ONCE
    )
    assert end.kind == "Completed"
    assert harness.aws.of("list_event_source_mappings") == []


async def test_release_does_not_wait_for_its_triggers(harness: Harness) -> None:
    hold = harness.aws.hold("list_function_url_configs")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    hold.release()
    assert end.kind == "Completed"


async def test_plan_notes_triggers_and_names_the_account(harness: Harness) -> None:
    poll_bare_function(harness)
    document = harness.request(artifact={"kind": "latest"})
    plan: Any = await harness.client.execute_workflow(
        "Plan", document, id=f"plan-of-triggers/{harness.function}", task_queue=harness.queue
    )
    assert any(ORDERS in note for note in plan["notes"])
    assert plan["account"] == "123456789012"
