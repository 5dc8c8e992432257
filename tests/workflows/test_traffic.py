"""Moves of traffic that are denied while traffic is shared."""

from __future__ import annotations

from tests.harness import CANARY, Harness


async def test_denied_move_waits_for_its_permission(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    denial = harness.aws.fail("update_alias", "AccessDeniedException", "not now", times=20)
    end = await harness.finish(handle)
    assert end.kind == "Completed", end
    assert denial.met == 20
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_move_that_is_denied_for_ten_minutes_stops_the_release(harness: Harness) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    denial = harness.aws.fail("update_alias", "AccessDeniedException", "not now", times=110)
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert "not now" in end.text
    assert denial.met == 110
    harness.assert_restored()
