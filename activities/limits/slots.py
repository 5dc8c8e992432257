"""When a worker takes an activity: while its calls to AWS get their turns soon.

A fixed number of slots is wrong in both directions. If a hundred activities wait for turns at 15
calls per second, they fail after four seconds, and a rollback waits behind their retries. A hundred
hooks of 15 minutes each would keep every rollback out.

So the number of running activities has no limit here: one that waits for a hook, or for AWS to
settle, costs a few kilobytes. Instead, no activity is fetched while a queue of
:mod:`activities.limits.rate` is long. With each turn that is served one more activity is fetched,
the one of the highest priority in Temporal. So no worker hoards work that another could do.
Rollback activities always have room: their workflow announces them
(:mod:`activities.limits.priority`).
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from activities.limits.priority import ROLLBACK_ANNOUNCEMENTS
from activities.limits.rate import Limits

MAX_CONCURRENT_WORKFLOW_TASKS: Final = 8
"""Workflow tasks that a worker holds at a time.

It works on one after the other. More of them (the SDK's default is 100) would only wait here,
where no priority counts.
"""

_OTHER_SLOTS: Final = 100
"""The SDK's default, for local activities and Nexus tasks, which we do not use."""


class _Permit(SlotPermit):
    """A permit to fetch one activity.

    ``fetching`` is true until the activity arrives, if it counts against the room until then.
    """

    def __init__(self, *, fetching: bool = True) -> None:
        super().__init__()
        self.fetching = fetching


class ActivitySlotSupplier(CustomSlotSupplier):
    """Permits to fetch activities: as many at a time as the queues have room for.

    Temporal's core calls all methods but ``reserve_slot`` from its own threads.
    """

    def __init__(self, limits: Limits) -> None:
        """Start with no activity being fetched. Needs a running event loop."""
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._fetching = self._waiting = 0

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:  # noqa: ARG002 - Temporal's signature
        """Wait until there is room for one more, beside those that are being fetched."""
        self._waiting += 1
        try:
            while (permit := self._reserve_if_room()) is None:
                await self._limits.wait_for_change()
        finally:
            self._waiting -= 1
        return permit

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """Reserve a slot for an eager activity, which bypasses Temporal's task queue.

        There is one if the queues have room, or if a rollback activity was announced.
        """
        announced = ROLLBACK_ANNOUNCEMENTS.consume(ctx.task_queue)
        return self._reserve_if_room() or (_Permit(fetching=False) if announced else None)

    def _reserve_if_room(self) -> _Permit | None:
        with self._lock:
            if not self._limits.has_room_for(self._fetching + 1):
                return None
            self._fetching += 1
        return _Permit()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """The activity arrived: from now on it counts in the rate limits' queues."""
        self._end_fetch(ctx.permit)

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """The activity ended, or there was none to fetch."""
        self._end_fetch(ctx.permit)

    def _end_fetch(self, permit: SlotPermit) -> None:
        with self._lock:
            if not isinstance(permit, _Permit) or not permit.fetching:
                return
            permit.fetching = False
            self._fetching -= 1
        # A wake-up of the event loop costs as much as all the rest of this: only if it has a use.
        if self._waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._limits.notify_waiters)


def create_worker_tuner(limits: Limits) -> WorkerTuner:
    """Create a worker's slots: activities as there is room, few workflow tasks."""
    fixed = FixedSizeSlotSupplier(_OTHER_SLOTS)
    return WorkerTuner.create_composite(
        workflow_supplier=FixedSizeSlotSupplier(MAX_CONCURRENT_WORKFLOW_TASKS),
        activity_supplier=ActivitySlotSupplier(limits),
        local_activity_supplier=fixed,
        nexus_supplier=fixed,
    )
