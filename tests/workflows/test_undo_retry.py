"""The retries of an undo: without end for what time or a person mends, until somebody gives up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Handle, Harness, read_ending

PASSING = [
    ("ExpiredTokenException", "The security token included in the request is expired"),
    ("AccessDeniedException", "no lambda:UpdateAlias"),
    ("InvalidSignatureException", "Signature expired"),
    ("NoCredentialsError", "Unable to locate credentials"),
    ("Http407", "HTTP 407 without an error code of AWS's"),
    ("RequestTimeTooSkewed", "The difference between the request time and the current time"),
    ("UnheardOfException", "what is this"),
]


async def begin_undo(harness: Harness, **keys: Any) -> Handle:
    """Begin a release whose undo begins at once: the hook after its move refuses."""
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    keys = {"hooks": {"after_traffic": "smoke"}, **ALL_AT_ONCE, **keys}
    return await harness.start(
        "Release", harness.request(artifact=harness.package("three"), **keys)
    )


@pytest.mark.parametrize(("code", "message"), PASSING)
async def test_undo_outlasts_a_fault_that_passes(harness: Harness, code: str, message: str) -> None:
    outage = harness.aws.fail("update_alias", code, message, skip=1, times=40)
    handle = await begin_undo(harness)
    end = await read_ending(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert outage.met == 40
    harness.assert_restored()


async def test_undo_reports_what_it_waits_for(harness: Harness) -> None:
    outage = harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", skip=1, times=None
    )
    handle = await begin_undo(harness)
    await harness.wait_for_note("Cannot put back yet: update_alias: no lambda:UpdateAlias")
    status = await harness.status()
    assert status.phase == "rolling_back"
    assert "hook smoke (after_traffic) refused version 3: 500" in status.note
    outage.stop()
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    harness.assert_restored()


async def test_undo_that_is_given_up_leaves_the_alias(harness: Harness) -> None:
    harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", skip=1, times=None
    )
    handle = await begin_undo(harness)
    await harness.wait_for_note("Cannot put back yet")
    await harness.send("give_up", reason="the account is closed")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert "no lambda:UpdateAlias" in end.text
    assert "given up by" in end.text
    assert "the account is closed" in end.text
    assert f"releases rollback {harness.function}:live --to" in end.text
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_rest_of_an_undo_that_is_given_up_is_named(harness: Harness) -> None:
    harness.aws.fail(
        "put_function_concurrency", "AccessDeniedException", "no concurrency", skip=1, times=None
    )
    harness.aws.apply(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=20
    )
    handle = await begin_undo(harness, concurrency={"reserved": 50})
    await harness.wait_for_note("Cannot put back yet")
    assert harness.aws.routing(harness.function) == ("2", {})
    await harness.send("give_up")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "reserved concurrency could not be put back" in end.text
    assert "no concurrency" in end.text


async def test_give_up_is_refused_while_nothing_fails(harness: Harness) -> None:
    await harness.begin_until("baking", **CANARY)
    assert "nothing to give up" in await harness.expect_refusal("give_up", {"by": "ana"})


async def test_undo_ends_where_stable_is_gone(harness: Harness) -> None:
    handle = await harness.begin_until("baking", percent=10, **CANARY)
    harness.aws.fail(
        "update_alias", "ResourceNotFoundException", "Function not found: checkout:2", times=None
    )
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "RollbackFailed"
    assert "could not be put back on version 2" in end.text
    assert f"releases rollback {harness.function}:live --to" in end.text


async def test_reserved_concurrency_of_another_writer_stays(harness: Harness) -> None:
    handle = await harness.begin_until("baking", concurrency={"reserved": 50}, **CANARY)
    harness.aws.apply(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=80
    )
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "reserved concurrency stays at 80, which another writer has set" in end.text
    assert harness.state.reserved == 80


async def test_provisioned_concurrency_of_another_writer_stays(harness: Harness) -> None:
    handle = await harness.begin_until("baking", concurrency={"provisioned": 5}, **CANARY)
    harness.aws.apply(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="3",
        ProvisionedConcurrentExecutions=9,
    )
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack"
    assert "provisioned concurrency of version 3 stays at 9" in end.text


async def test_undo_that_is_given_up_between_two_rounds_ends_at_once(harness: Harness) -> None:
    harness.aws.fail(
        "update_alias", "AccessDeniedException", "no lambda:UpdateAlias", skip=1, times=None
    )
    handle = await harness.begin_until("baking", **CANARY)
    await harness.send("abort")
    await harness.wait_for_note("Cannot put back yet")  # at the end of the first round
    await harness.send("give_up")
    assert (await read_ending(handle, seconds=20)).kind == "RollbackFailed"


async def test_reserved_concurrency_of_another_alias_release_stays(harness: Harness) -> None:
    alias = {"FunctionName": harness.function, "Name": "beta", "FunctionVersion": "1"}
    harness.aws.apply("create_alias", **alias)
    harness.aws.apply(
        "put_function_concurrency", FunctionName=harness.function, ReservedConcurrentExecutions=10
    )
    handle = await harness.begin_until("baking", concurrency={"reserved": 50}, **CANARY)
    beta = await harness.release(
        target={"function": harness.function, "alias": "beta"},
        artifact={"kind": "version", "version": "2"},
        concurrency={"reserved": 80},
        **ALL_AT_ONCE,
    )
    assert beta.kind == "Completed", beta
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert harness.state.reserved == 80
