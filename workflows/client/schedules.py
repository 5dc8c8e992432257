"""Releases at set times: Temporal Schedules that start ``Release``.

A schedule made in any other way works too (``temporal schedule create --type Release``, the Web
UI). Those made here have three policies:

- A release that is still running when the next one is due is not overlapped: the next is skipped.
  So is one that finds its alias busy with a release that was started in another way
  (:mod:`workflows.scheduled_start`).
- A release that fails pauses its schedule, with the reason as the schedule's note.
- What was missed while Temporal was down is caught up for minutes, not for a year, which is
  Temporal's default.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleState,
    WorkflowExecutionStatus,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from workflows import search_attributes
from workflows.client.errors import BadRequest, Refused, translate_errors
from workflows.client.plain_text import refuse_plain_text
from workflows.client.schedule_outlook import ScheduleOutlook, describe_outlook
from workflows.client.schedule_preview import preview_release
from workflows.client.schedule_times import ScheduleTimes
from workflows.client.schedule_trigger import ScheduleTrigger, read_trigger
from workflows.domain.status import Phase
from workflows.request import ReleaseRequest

_RUNNING: Final = "running"
_WAITING: Final = "waiting for a worker"
_UNDER_WAY: Final = {_RUNNING, _WAITING}
_SUMMARY_KEY: Final = "what"
"""The memo key of a schedule that holds its request in one line."""


class ScheduleStatus(BaseModel):
    """A schedule and its last release.

    ``what`` is the request in one line. ``last`` is how the last release ended, or ``running``.
    ``note`` is the reason where the schedule is paused.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    target: str = ""
    what: str = ""
    next_at: tuple[datetime, ...] = ()
    last_id: str | None = None
    last_at: datetime | None = None
    last: str = ""
    paused: bool = False
    note: str = ""

    @property
    def running_id(self) -> str | None:
        """The id of its release that is under way; None where none is."""
        return self.last_id if self.last in _UNDER_WAY else None


class Schedules:
    """The schedules of releases in one namespace."""

    def __init__(self, client: Client) -> None:
        """``client`` must have the plugin of releases."""
        self._client = client

    async def create(
        self,
        id: str,
        request: ReleaseRequest,
        times: ScheduleTimes,
        *,
        task_queue: str,
        note: str = "",
    ) -> ScheduleOutlook:
        """Start ``Release`` with ``request`` at these times; return when it starts next.

        The artifact is resolved at each start: ``latest`` is what is latest then. ``Refused`` where
        the id is in use; ``BadRequest`` for times that are past or that Temporal cannot read.
        """
        once = times.once_at
        if once and once <= datetime.now(UTC):
            raise BadRequest([f"at: {once:%Y-%m-%d %H:%M:%S} UTC is past"])
        await refuse_plain_text(self._client, request.target)
        target = request.target.bare
        identity = [
            SearchAttributePair(search_attributes.FUNCTION, target.name),
            SearchAttributePair(search_attributes.ALIAS, target.alias),
        ]
        schedule = Schedule(
            action=ScheduleActionStartWorkflow(
                "Release",
                request,
                id=f"release:{target}:{id}",
                task_queue=task_queue,
                static_summary=request.summary[:200],
                static_details=request.reason or None,
                typed_search_attributes=search_attributes.of_start(
                    target, requested_by=request.requested_by
                ),
            ),
            spec=times.spec,
            policy=SchedulePolicy(
                overlap=ScheduleOverlapPolicy.SKIP,
                pause_on_failure=True,
                catchup_window=times.catch_up,
            ),
            state=ScheduleState(
                note=note or request.reason or None,
                limited_actions=once is not None,
                remaining_actions=1 if once else 0,
            ),
        )
        try:
            with translate_errors():
                made = await self._client.create_schedule(
                    id,
                    schedule,
                    memo={_SUMMARY_KEY: request.summary},
                    search_attributes=TypedSearchAttributes(identity),
                )
        except ScheduleAlreadyRunningError:
            raise Refused(
                f"there is a schedule {id} already: delete it first (releases schedule delete "
                f"{id}), or choose another id"
            ) from None
        except BadRequest as refusal:
            given = ", ".join((*times.cron, *(one.cron for one in times.calendars)))
            raise BadRequest([f"cron: Temporal cannot read {given}: {refusal}"]) from refusal
        try:
            return describe_outlook(times, await made.describe())
        except RPCError as error:
            warning = f"Temporal does not say when it starts next: {error.message}"
            return ScheduleOutlook(id=id, time_zone=times.time_zone, warnings=(warning,))

    async def preview(self, request: ReleaseRequest, *, task_queue: str) -> tuple[str, ...]:
        """What a person should know of the release, as things are now; see ``preview_release``."""
        return await preview_release(self._client, request, task_queue=task_queue)

    async def list(self) -> list[ScheduleStatus]:
        """List every schedule that starts ``Release``, however it was made."""
        with translate_errors():
            return [
                await self._read_status(entry)
                async for entry in await self._client.list_schedules()
                if _starts_release(entry)
            ]

    async def pause(self, id: str, *, reason: str) -> ScheduleStatus:
        """Start nothing until :meth:`resume`; a running release goes on.

        ``reason`` becomes the schedule's note.
        """
        with translate_errors(_describe_missing(id)):
            await self._client.get_schedule_handle(id).pause(note=reason)
        return await self.describe(id)

    async def resume(self, id: str, *, reason: str) -> ScheduleStatus:
        """Resume at the next time; releases missed while paused are not caught up."""
        with translate_errors(_describe_missing(id)):
            await self._client.get_schedule_handle(id).unpause(note=reason)
        return await self.describe(id)

    async def trigger(self, id: str) -> ScheduleTrigger:
        """Start the release now, even if the schedule is paused; return its id.

        Skipped while a release of this schedule runs. A failure of this one does not pause it.
        """
        handle = self._client.get_schedule_handle(id)
        with translate_errors(_describe_missing(id)):
            before = (await handle.describe()).info
            await handle.trigger()
            return await read_trigger(handle, before)

    async def delete(self, id: str) -> ScheduleStatus:
        """Delete the schedule; a running release goes on. Returns the status before."""
        status = await self.describe(id)
        with translate_errors(_describe_missing(id)):
            await self._client.get_schedule_handle(id).delete()
        return status

    async def describe(self, id: str) -> ScheduleStatus:
        """The status of one schedule."""
        with translate_errors(_describe_missing(id)):
            return await self._read_status(await self._client.get_schedule_handle(id).describe())

    async def _read_status(
        self, entry: ScheduleListDescription | ScheduleDescription
    ) -> ScheduleStatus:
        info, schedule = entry.info, entry.schedule
        target, what = await self._read_request(entry)
        last = info.recent_actions[-1] if info and info.recent_actions else None
        action = (
            last.action
            if last and isinstance(last.action, ScheduleActionExecutionStartWorkflow)
            else None
        )
        return ScheduleStatus(
            id=entry.id,
            target=target,
            what=what,
            next_at=tuple(info.next_action_times) if info else (),
            last_id=action.workflow_id if action else None,
            last_at=last.started_at if last else None,
            last=await self._read_outcome(action) if action else "",
            paused=bool(schedule and schedule.state.paused),
            note=(schedule.state.note if schedule else None) or "",
        )

    async def _read_request(
        self, entry: ScheduleListDescription | ScheduleDescription
    ) -> tuple[str, str]:
        """Target and request of a schedule, by its search attributes and memo.

        A schedule that was made in another way has neither: then by the input it starts with.
        """
        found = entry.typed_search_attributes
        name, alias = found.get(search_attributes.FUNCTION), found.get(search_attributes.ALIAS)
        summary = str(await entry.memo_value(_SUMMARY_KEY, ""))
        if name and summary:
            return f"{name}:{alias}", summary
        action = (await self._client.get_schedule_handle(entry.id).describe()).schedule.action
        try:
            args: Sequence[Any] = (
                action.args if isinstance(action, ScheduleActionStartWorkflow) else ()
            )
            [request] = await self._client.data_converter.decode(args, [ReleaseRequest])
        except (ApplicationError, ValueError):
            return "", "input that Release refuses"
        return str(request.target), request.summary

    async def _read_outcome(self, action: ScheduleActionExecutionStartWorkflow) -> str:
        """Read how a release ended, by its phase; empty where its history is deleted."""
        handle = self._client.get_workflow_handle(
            action.workflow_id, first_execution_run_id=action.first_execution_run_id
        )
        try:
            described = await handle.describe()
        except RPCError:
            return ""
        phase = described.typed_search_attributes.get(search_attributes.PHASE)
        is_waiting = phase == Phase.WAITING_FOR_WORKER
        if described.status is WorkflowExecutionStatus.RUNNING:
            return _WAITING if is_waiting else _RUNNING
        is_completed = described.status is WorkflowExecutionStatus.COMPLETED
        if is_completed and phase == Phase.REJECTED:
            return "skipped"
        outcome = (not is_waiting and phase) or (described.status.name if described.status else "")
        return str(outcome).lower().replace("_", " ")


def _starts_release(entry: ScheduleListDescription) -> bool:
    action = entry.schedule.action if entry.schedule else None
    return getattr(action, "workflow", None) == "Release"


def _describe_missing(id: str) -> str:
    return f"there is no schedule {id}"
