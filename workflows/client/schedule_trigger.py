"""What came of a schedule that was triggered: its release, or why it was skipped."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio.client import ScheduleActionExecutionStartWorkflow, ScheduleHandle, ScheduleInfo

_MAX_WAIT_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.1


class ScheduleTrigger(BaseModel):
    """A schedule ``id`` that was triggered, and the id of the ``release`` that it has started.

    ``skipped_for`` is its release that still ran, so that no other one was started. Both are None
    where Temporal has not started it within ten seconds.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    release: str | None = None
    skipped_for: str | None = None


async def read_trigger(handle: ScheduleHandle, before: ScheduleInfo) -> ScheduleTrigger:
    """Wait for what a trigger starts; ``before`` is the state in which it was sent."""
    deadline = asyncio.get_running_loop().time() + _MAX_WAIT_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        info = (await handle.describe()).info
        ids = [
            one.action.workflow_id
            for one in info.recent_actions
            if isinstance(one.action, ScheduleActionExecutionStartWorkflow)
        ]
        if info.num_actions > before.num_actions and ids:
            return ScheduleTrigger(id=handle.id, release=ids[-1])
        if info.num_actions_skipped_overlap > before.num_actions_skipped_overlap and ids:
            return ScheduleTrigger(id=handle.id, skipped_for=ids[-1])
        await asyncio.sleep(_POLL_SECONDS)
    return ScheduleTrigger(id=handle.id)
