"""When a worker takes an activity: while its calls would get their turn soon, however much else is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.worker import FixedSizeSlotSupplier

from activities.limits import priority
from activities.limits.priority import ROLLBACK_ANNOUNCEMENTS
from activities.limits.rate import Limits, Rates
from activities.limits.slots import ActivitySlotSupplier, create_worker_tuner

CONTEXT: Any = None
"""What the core says about a slot, at which ours does not look."""


class Held:
    """The core's word that a permit is used, or given back."""

    slot_info: Any = None

    def __init__(self, permit: Any) -> None:
        self.permit: Any = permit


async def reserved(slots: ActivitySlotSupplier, seconds: float = 1) -> Any:
    async with asyncio.timeout(seconds):
        return await slots.reserve_slot(CONTEXT)


async def full(slots: ActivitySlotSupplier) -> bool:
    try:
        await reserved(slots, 0.05)
    except TimeoutError:
        return True
    return False


async def line(limits: Limits, length: int) -> list[asyncio.Task[None]]:
    """So many who wait for a turn in a line that nobody is served from for a while."""
    limits._shared_bucket.pause(0.3)
    waiting = [asyncio.create_task(limits.acquire("update_alias")) for _ in range(length)]
    await asyncio.sleep(0)
    return waiting


async def test_tasks_are_fetched_only_as_far_as_they_are_served_soon() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=6)))
    for _ in range(3):
        await reserved(slots)
    assert await full(slots)
    assert slots.try_reserve_slot(CONTEXT) is None


async def test_waiting_for_something_else_takes_no_room() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=2)))
    for _ in range(1000):
        slots.mark_slot_used(Held(await reserved(slots)))


async def test_permit_without_a_task_makes_room_and_wakes_a_waiter() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=2)))
    first = await reserved(slots)
    waiting = asyncio.create_task(reserved(slots))
    await asyncio.sleep(0.02)
    await asyncio.to_thread(
        slots.release_slot, Held(first)
    )  # the core calls from threads of its own
    await waiting


async def test_announced_rollback_has_room_once() -> None:
    limits = Limits(Rates(control_plane=2))
    slots, waiting = ActivitySlotSupplier(limits), await line(limits, 5)
    assert slots.try_reserve_slot(CONTEXT) is None
    ROLLBACK_ANNOUNCEMENTS.announce()
    assert await full(slots)  # for what is fetched from Temporal's queue there is none
    assert slots.try_reserve_slot(CONTEXT) is not None
    assert slots.try_reserve_slot(CONTEXT) is None
    for each in waiting:
        each.cancel()


async def test_announcement_without_a_task_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(priority, "_ANNOUNCEMENT_SECONDS", 0.02)
    ROLLBACK_ANNOUNCEMENTS.announce()
    await asyncio.sleep(0.03)
    assert not ROLLBACK_ANNOUNCEMENTS.consume()


async def test_announcement_without_a_waiter_wakes_none() -> None:
    woken: list[None] = []

    class Woken(Limits):
        def notify_waiters(self) -> None:
            woken.append(None)
            super().notify_waiters()

    slots = ActivitySlotSupplier(Woken(Rates(control_plane=2)))
    await asyncio.to_thread(slots.mark_slot_used, Held(await reserved(slots)))
    await asyncio.sleep(0.02)
    assert woken == []


async def test_used_permit_makes_no_room_when_it_ends() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=2)))
    permit = await reserved(slots)
    slots.mark_slot_used(Held(permit))
    slots.release_slot(Held(permit))
    await reserved(slots)
    assert await full(slots)


async def test_long_queue_lets_one_task_in_with_every_turn() -> None:
    limits = Limits(Rates(control_plane=20))
    slots = ActivitySlotSupplier(limits)
    waiting = await line(limits, 10)
    assert await full(slots)
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await reserved(slots)
    assert slots.try_reserve_slot(CONTEXT) is None
    await asyncio.gather(*waiting)


async def test_queue_of_get_function_counts_too() -> None:
    limits = Limits(Rates(get_function=20))
    slots = ActivitySlotSupplier(limits)
    waiting = [asyncio.create_task(limits.acquire("get_function")) for _ in range(13)]
    await asyncio.sleep(0)
    assert await full(slots)
    await asyncio.gather(*waiting)


async def test_larger_share_makes_room() -> None:
    limits = Limits(Rates(control_plane=20))
    limits.divide_rates(10)
    slots = ActivitySlotSupplier(limits)
    await reserved(slots)
    waiting = asyncio.create_task(reserved(slots))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    limits.divide_rates(1)
    await waiting


async def test_supplier_is_used_for_activities_only() -> None:
    made = create_worker_tuner(Limits())
    assert isinstance(made._get_activity_task_slot_supplier(), ActivitySlotSupplier)
    assert not isinstance(made._get_workflow_task_slot_supplier(), ActivitySlotSupplier)


async def test_workflow_tasks_are_few_at_a_time() -> None:
    supplier = create_worker_tuner(Limits())._get_workflow_task_slot_supplier()
    assert isinstance(supplier, FixedSizeSlotSupplier)
    assert supplier.num_slots < 10
