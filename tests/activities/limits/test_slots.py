"""When a worker takes an activity: while its calls would get their turns soon."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.worker import FixedSizeSlotSupplier

from activities.limits.priority import ROLLBACK_ANNOUNCEMENTS
from activities.limits.rate import Limits, Rates
from activities.limits.slots import ActivitySlotSupplier, create_worker_tuner
from tests.activities.virtual_time import virtual_time

CONTEXT: Any = SimpleNamespace(task_queue="ours")
"""The core's description of a slot, of which ours reads the task queue."""

SOON = 1.0
"""Seconds within which a slot comes where there is room for it."""


class Held:
    """The core's message that a permit is used, or given back."""

    slot_info: Any = None

    def __init__(self, permit: Any) -> None:
        self.permit: Any = permit


async def reserve(slots: ActivitySlotSupplier) -> Any:
    try:
        async with asyncio.timeout(SOON):
            return await slots.reserve_slot(CONTEXT)
    except TimeoutError:
        pytest.fail(f"no slot within {SOON:g} s: a waiter was not woken, or there is no room")


async def is_full(slots: ActivitySlotSupplier) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await slots.reserve_slot(CONTEXT)
    except TimeoutError:
        return True
    return False


async def fill_queue(limits: Limits, length: int) -> list[asyncio.Task[None]]:
    """Callers that wait in a queue from which none is served for 0.3 s."""
    limits._shared_bucket.pause(0.3)
    waiting = [asyncio.create_task(limits.acquire("update_alias")) for _ in range(length)]
    await asyncio.sleep(0)
    return waiting


async def gather(*waiting: asyncio.Task[Any]) -> None:
    """Wait for tasks; fail where they do not end."""
    _, pending = await asyncio.wait(waiting, timeout=10)
    assert not pending, f"{len(pending)} of {len(waiting)} tasks wait without end"


def call_from_a_thread(method: Callable[[Any], None], argument: Any) -> None:
    """Call as Temporal's core does, from a thread of its own."""
    thread = threading.Thread(target=method, args=(argument,))
    thread.start()
    thread.join()


@virtual_time
async def test_tasks_are_fetched_only_as_far_as_they_are_served_soon() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=6)))
    for _ in range(3):
        await reserve(slots)
    assert await is_full(slots)
    assert slots.try_reserve_slot(CONTEXT) is None


@virtual_time
async def test_waiting_for_something_else_takes_no_room() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=2)))
    for _ in range(1000):
        slots.mark_slot_used(Held(await reserve(slots)))


@virtual_time
async def test_permit_without_a_task_makes_room_and_wakes_a_waiter() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=2)))
    first = await reserve(slots)
    waiting = asyncio.create_task(reserve(slots))
    await asyncio.sleep(0)
    assert not waiting.done()
    call_from_a_thread(slots.release_slot, Held(first))
    await gather(waiting)


@virtual_time
async def test_announced_rollback_has_room_once() -> None:
    limits = Limits(Rates(control_plane=2))
    slots, waiting = ActivitySlotSupplier(limits), await fill_queue(limits, 5)
    assert slots.try_reserve_slot(CONTEXT) is None
    ROLLBACK_ANNOUNCEMENTS.announce("ours")
    assert await is_full(slots)  # for what is fetched from Temporal's queue there is none
    assert slots.try_reserve_slot(CONTEXT) is not None
    assert slots.try_reserve_slot(CONTEXT) is None
    for each in waiting:
        each.cancel()


@virtual_time
async def test_announcement_without_a_waiter_wakes_none() -> None:
    woken: list[None] = []

    class Woken(Limits):
        def notify_waiters(self) -> None:
            woken.append(None)
            super().notify_waiters()

    slots = ActivitySlotSupplier(Woken(Rates(control_plane=2)))
    call_from_a_thread(slots.mark_slot_used, Held(await reserve(slots)))
    await asyncio.sleep(0.02)
    assert woken == []


@virtual_time
async def test_used_permit_makes_no_room_when_it_ends() -> None:
    slots = ActivitySlotSupplier(Limits(Rates(control_plane=2)))
    permit = await reserve(slots)
    slots.mark_slot_used(Held(permit))
    slots.release_slot(Held(permit))
    await reserve(slots)
    assert await is_full(slots)


@virtual_time
async def test_long_queue_lets_one_task_in_with_every_turn() -> None:
    limits = Limits(Rates(control_plane=20))
    slots = ActivitySlotSupplier(limits)
    waiting = await fill_queue(limits, 10)
    assert await is_full(slots)
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await reserve(slots)
    assert slots.try_reserve_slot(CONTEXT) is None
    await gather(*waiting)


@virtual_time
async def test_queue_of_get_function_counts_too() -> None:
    limits = Limits(Rates(get_function=20))
    slots = ActivitySlotSupplier(limits)
    waiting = [asyncio.create_task(limits.acquire("get_function")) for _ in range(13)]
    await asyncio.sleep(0)
    assert await is_full(slots)
    await gather(*waiting)


@virtual_time
async def test_larger_share_makes_room() -> None:
    limits = Limits(Rates(control_plane=20))
    limits.divide_rates(10)
    slots = ActivitySlotSupplier(limits)
    await reserve(slots)
    waiting = asyncio.create_task(reserve(slots))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    limits.divide_rates(1)
    await gather(waiting)


@virtual_time
async def test_supplier_is_used_for_activities_only() -> None:
    made = create_worker_tuner(Limits())
    assert isinstance(made._get_activity_task_slot_supplier(), ActivitySlotSupplier)
    assert not isinstance(made._get_workflow_task_slot_supplier(), ActivitySlotSupplier)


@virtual_time
async def test_workflow_tasks_are_few_at_a_time() -> None:
    supplier = create_worker_tuner(Limits())._get_workflow_task_slot_supplier()
    assert isinstance(supplier, FixedSizeSlotSupplier)
    assert supplier.num_slots < 10
