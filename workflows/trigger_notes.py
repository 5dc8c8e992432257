"""Notes on what invokes a function without its alias, and on an alias that nothing invokes.

A canary sees nothing of traffic that does not go through the alias. Read once for a release, beside
everything else: nothing waits for it, and it takes only those calls that nobody else needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.triggers import FindTriggersRequest, FindTriggersResponse, Trigger, Triggers
from workflows.call import CallOptions, call, end_task
from workflows.domain.target import Target

TRIGGERS_MEMO: Final = "triggers"
"""The memo of a ``Rollout`` that looks at them: whether it does, and when.

It stands in the event that starts it: a rollout of an earlier version of this program has none, and
goes on without. That costs no event, as a patch marker would.
"""

BESIDE_PREFLIGHT: Final = "beside preflight"
"""The value of the memo."""

_MOST_LISTED: Final = 4
_LAST: Final = CallOptions(priority=Priority(priority_key=4))


class TriggerNotes:
    """Looks at the triggers of a function while its release goes on."""

    def __init__(self, add: Callable[[tuple[str, ...]], None]) -> None:
        """Hand the notes to ``add`` as soon as they are known."""
        self._add = add
        self._has_alias: bool | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, target: Target) -> None:
        """Begin to read beside preflight, if this rollout does; ``target`` is located."""
        if workflow.memo_value(TRIGGERS_MEMO, default=None) == BESIDE_PREFLIGHT:
            self._task = asyncio.create_task(self._read(target))

    def publish(self, *, has_alias: bool) -> None:
        """Publish the notes from now on: preflight is over."""
        self._has_alias = has_alias

    async def end(self) -> None:
        """Give up what is still being read."""
        if self._task is not None:
            await end_task(self._task)

    async def _read(self, target: Target) -> None:
        found = await _find_triggers(target)
        await workflow.wait_condition(lambda: self._has_alias is not None)
        if notes := _describe(found, target, has_alias=bool(self._has_alias)):
            self._add(notes)


async def find_trigger_notes(target: Target, *, has_alias: bool) -> tuple[str, ...]:
    """Read the triggers of a located target, and describe them, one sentence each."""
    return _describe(await _find_triggers(target), target, has_alias=has_alias)


async def _find_triggers(target: Target) -> FindTriggersResponse | None:
    """Read the triggers of a located target; None where that failed."""
    request = FindTriggersRequest(function_name=target.function, name=target.alias)
    try:
        return await call(
            Triggers.find_triggers, request, summary=f"Find what invokes {target}", options=_LAST
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return None


def _describe(
    found: FindTriggersResponse | None, target: Target, *, has_alias: bool
) -> tuple[str, ...]:
    if found is None:
        return (f"What invokes {target} could not be read",)
    return tuple(describe_triggers(found, target, has_alias=has_alias))


def describe_triggers(
    found: FindTriggersResponse, target: Target, *, has_alias: bool
) -> Iterator[str]:
    """Describe what does not go through the alias; nothing where everything does."""
    beside = [trigger for trigger in found.triggers if trigger.qualifier is None]
    through = [trigger for trigger in found.triggers if trigger.qualifier is not None]
    if beside:
        yield (
            f"Not through {target}, but on the bare function, which runs new code at once and of "
            f"which a canary sees nothing: {_list(beside)}"
        )
    if found.unread:
        yield f"What invokes {target} could not all be read: {'; '.join(found.unread)}"
    elif has_alias and not through:
        yield (
            f"Nothing is set up to invoke {target} (no event source mapping, permission or "
            "function URL): it serves only callers whose own rights name the alias"
        )


def _list(triggers: Sequence[Trigger]) -> str:
    listed = [f"{trigger.kind} {trigger.source}" for trigger in triggers[:_MOST_LISTED]]
    more = len(triggers) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")
