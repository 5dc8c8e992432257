"""When a worker takes an activity from Temporal: while the calls to AWS that it would make get their turn soon.

A worker with a fixed number of slots is wrong in both directions. A hundred activities that all wait for a turn at 15 a second give up
after four seconds, and a rollback that comes then waits behind them in Temporal; a hundred hooks of a quarter of an hour each would keep
every rollback from being taken at all. So the number of activities under way has no limit here – one that waits for a hook, or for
AWS to settle, costs a few kilobytes – but nothing is fetched while a line of :mod:`activities.limits.rate` is long. With every turn
that is given one more is fetched, the most urgent that Temporal has, and no worker hoards what another could do. What restores service has
room always: its workflow announces it (:mod:`activities.limits.priority`).
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


class _Permit(SlotPermit):
    """Leave to fetch one activity; ``fetching`` until it is there, if it takes room until then."""

    def __init__(self, *, fetching: bool = True) -> None:
        super().__init__()
        self.fetching = fetching


class ActivitySlotSupplier(CustomSlotSupplier):
    """Leave to fetch activities: as many at a time as the lines have room for. Temporal's core calls all but ``reserve_slot`` from threads of its own."""

    def __init__(self, limits: Limits) -> None:
        """Nothing is being fetched."""
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._fetching = self._looking = 0

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:  # noqa: ARG002 - Temporal's signature
        """Wait until there is room for one more, beside those that are being fetched."""
        self._looking += 1
        try:
            while (permit := self._if_room()) is None:
                await self._limits.wait_for_change()
        finally:
            self._looking -= 1
        return permit

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:  # noqa: ARG002 - Temporal's signature
        """One more if there is room, or if it is announced: for an activity that comes with the answer to a workflow task, past Temporal's queue."""
        announced = ROLLBACK_ANNOUNCEMENTS.consume()
        return self._if_room() or (_Permit(fetching=False) if announced else None)

    def _if_room(self) -> _Permit | None:
        with self._lock:
            if not self._limits.has_room_for(self._fetching + 1):
                return None
            self._fetching += 1
        return _Permit()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """It is there: from now on it is in a line, or needs none."""
        self._fetched(ctx.permit)

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """It has ended, or there was none to fetch."""
        self._fetched(ctx.permit)

    def _fetched(self, permit: SlotPermit) -> None:
        with self._lock:
            if not isinstance(permit, _Permit) or not permit.fetching:
                return
            permit.fetching = False
            self._fetching -= 1
        if (
            self._looking and not self._loop.is_closed()
        ):  # else nobody is to be woken, and a wake-up costs as much as all the rest of this
            self._loop.call_soon_threadsafe(self._limits.notify_waiters)


MAX_CONCURRENT_WORKFLOW_TASKS: Final = 8
"""Workflow tasks that a worker has at a time. It works on one after the other, so more (the SDK: 100) would only wait here, where no priority counts."""


def create_worker_tuner(limits: Limits) -> WorkerTuner:
    """A worker's slots: activities as there is room, few workflow tasks, everything else as the SDK has it."""
    usual = FixedSizeSlotSupplier(100)
    return WorkerTuner.create_composite(
        workflow_supplier=FixedSizeSlotSupplier(MAX_CONCURRENT_WORKFLOW_TASKS),
        activity_supplier=ActivitySlotSupplier(limits),
        local_activity_supplier=usual,
        nexus_supplier=usual,
    )
