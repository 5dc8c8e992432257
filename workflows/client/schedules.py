"""Releases at set times: Temporal Schedules that start ``Release``, made so that a broken release stops the schedule.

Any other way to make such a schedule does as well (``temporal schedule create --type Release``, the Web UI): ours only adds good
terms. A release that is still running when the next is due is not overtaken: the next is skipped. A release that fails pauses
its schedule, with the reason as the schedule's note. What was missed while Temporal was down is caught up for minutes, not for
Temporal's usual year.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    WorkflowExecutionStatus,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from workflows import search_attributes
from workflows.client.errors import BadRequest, Refused, translate_errors
from workflows.domain.inputs import Duration, Input
from workflows.request import ReleaseRequest

_WHAT = "what"


class Calendar(Input):
    """Times by the calendar, in the words of ``temporal schedule create --calendar``: ``{"dayOfWeek": "Mon-Fri", "hour": "9"}``.

    Each is a number, a range, a list or ``*``, as cron has them. What is absent is 0 up to the hour, and every from the day on.
    """

    model_config = ConfigDict(alias_generator=to_camel, coerce_numbers_to_str=True)

    second: str = "0"
    minute: str = "0"
    hour: str = "0"
    day_of_month: str = "*"
    month: str = "*"
    day_of_week: str = "*"
    year: str = "*"

    @property
    def cron(self) -> str:
        """The same as Temporal's cron of seven fields."""
        fields = (
            self.second,
            self.minute,
            self.hour,
            self.day_of_month,
            self.month,
            self.day_of_week,
            self.year,
        )
        return " ".join(field.replace(" ", "") for field in fields)


class Times(Input):
    """When to release: by cron expressions, by calendars, or once. Give exactly one kind.

    ``at`` without an offset is in ``time_zone``, which is UTC unless named. ``jitter`` delays each release by a random time up to it.
    """

    cron: tuple[str, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    at: datetime | None = None
    time_zone: str = "UTC"
    jitter: Duration | None = None
    catch_up: Duration = timedelta(minutes=10)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if [bool(self.cron), bool(self.calendars), self.at is not None].count(True) != 1:
            raise ValueError("give a cron expression, a calendar or a time: exactly one kind")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"time zone: {self.time_zone} is not known here; name one as Europe/Berlin"
            ) from None
        return self

    @property
    def once_at(self) -> datetime | None:
        """The one time, in UTC."""
        if self.at is None:
            return None
        return (
            self.at if self.at.tzinfo else self.at.replace(tzinfo=ZoneInfo(self.time_zone))
        ).astimezone(UTC)

    @property
    def spec(self) -> ScheduleSpec:
        """The same as Temporal takes it."""
        if once := self.once_at:
            return ScheduleSpec(
                cron_expressions=[f"{once:%S %M %H %d %m} * {once:%Y}"],
                jitter=self.jitter,
                time_zone_name="UTC",
            )
        crons = [*self.cron, *(calendar.cron for calendar in self.calendars)]
        return ScheduleSpec(
            cron_expressions=crons, jitter=self.jitter, time_zone_name=self.time_zone
        )


class Scheduled(BaseModel):
    """A schedule as it stands. ``last`` is how the release that it started last ended, or that it runs; ``note`` says why it is paused."""

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


class Schedules:
    """The schedules of releases in one namespace."""

    def __init__(self, client: Client) -> None:
        """Speak through ``client``, which must have the plugin of releases."""
        self._client = client

    async def create(
        self, id: str, request: ReleaseRequest, times: Times, *, task_queue: str, note: str = ""
    ) -> None:
        """Start ``Release`` with ``request`` at these times, in which the artifact is resolved: ``latest`` is what is latest then.

        A second time under the same id is ``Refused``; so are a time that is past, and times that Temporal cannot read.
        """
        if (once := times.once_at) and once <= datetime.now(UTC):
            raise BadRequest([f"at: {once:%Y-%m-%d %H:%M:%S} UTC is past"])
        target = request.target.bare
        place = [
            SearchAttributePair(search_attributes.FUNCTION, target.name),
            SearchAttributePair(search_attributes.ALIAS, target.alias),
        ]
        schedule = Schedule(
            action=ScheduleActionStartWorkflow(
                "Release",
                request,
                id=f"release/{target}/{id}",
                task_queue=task_queue,
                static_summary=request.words[:200],
                static_details=request.reason or None,
                typed_search_attributes=TypedSearchAttributes(
                    [
                        *place,
                        SearchAttributePair(
                            search_attributes.REQUESTED_BY,
                            search_attributes.truncate(request.requested_by),
                        ),
                    ]
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
                await self._client.create_schedule(
                    id,
                    schedule,
                    memo={_WHAT: request.words},
                    search_attributes=TypedSearchAttributes(place),
                )
        except ScheduleAlreadyRunningError:
            raise Refused(
                f"there is a schedule {id} already: delete it first, or choose another id"
            ) from None

    async def list(self) -> list[Scheduled]:
        """Every schedule that starts ``Release``, however it was made, with how its last release ended."""
        with translate_errors():
            return [
                await self._read(entry)
                async for entry in await self._client.list_schedules()
                if _ours(entry)
            ]

    async def pause(self, id: str, *, reason: str) -> None:
        """Start nothing until :meth:`resume`; ``reason`` becomes the schedule's note. What runs goes on."""
        with translate_errors(_missing(id)):
            await self._client.get_schedule_handle(id).pause(note=reason)

    async def resume(self, id: str, *, reason: str) -> None:
        """Start releases again at the next time; those missed while paused are not caught up."""
        with translate_errors(_missing(id)):
            await self._client.get_schedule_handle(id).unpause(note=reason)

    async def trigger(self, id: str) -> None:
        """Start the release now, paused or not, unless one that it started runs. If this one fails the schedule is not paused by it."""
        with translate_errors(_missing(id)):
            await self._client.get_schedule_handle(id).trigger()

    async def delete(self, id: str) -> None:
        """Forget the schedule. What it has started goes on."""
        with translate_errors(_missing(id)):
            await self._client.get_schedule_handle(id).delete()

    async def _read(self, entry: ScheduleListDescription) -> Scheduled:
        info, schedule = entry.info, entry.schedule
        target, what = await self._means(entry)
        last = info.recent_actions[-1] if info and info.recent_actions else None
        action = (
            last.action
            if last and isinstance(last.action, ScheduleActionExecutionStartWorkflow)
            else None
        )
        return Scheduled(
            id=entry.id,
            target=target,
            what=what,
            next_at=tuple(info.next_action_times) if info else (),
            last_id=action.workflow_id if action else None,
            last_at=last.started_at if last else None,
            last=await self._ended(action) if action else "",
            paused=bool(schedule and schedule.state.paused),
            note=(schedule.state.note if schedule else None) or "",
        )

    async def _means(self, entry: ScheduleListDescription) -> tuple[str, str]:
        """Target and words of a schedule: as we noted them, or for one that was made in another way, from the input it starts with."""
        found = entry.typed_search_attributes
        name, alias, what = (
            found.get(search_attributes.FUNCTION),
            found.get(search_attributes.ALIAS),
            str(await entry.memo_value(_WHAT, "")),
        )
        if name and what:
            return f"{name}:{alias}", what
        action = (await self._client.get_schedule_handle(entry.id).describe()).schedule.action
        try:
            args: Sequence[Any] = (
                action.args if isinstance(action, ScheduleActionStartWorkflow) else ()
            )
            [request] = await self._client.data_converter.decode(args, [ReleaseRequest])
        except (ApplicationError, ValueError):
            return "", "input that Release refuses"
        return str(request.target), request.words

    async def _ended(self, action: ScheduleActionExecutionStartWorkflow) -> str:
        """How a release that a schedule started ended, from its phase; empty where Temporal has forgotten it."""
        handle = self._client.get_workflow_handle(
            action.workflow_id, first_execution_run_id=action.first_execution_run_id
        )
        try:
            described = await handle.describe()
        except RPCError:
            return ""
        if described.status is WorkflowExecutionStatus.RUNNING:
            return "running"
        phase = described.typed_search_attributes.get(search_attributes.PHASE)
        return (
            str(phase or (described.status.name if described.status else ""))
            .lower()
            .replace("_", " ")
        )


def _ours(entry: ScheduleListDescription) -> bool:
    action = entry.schedule.action if entry.schedule else None
    return getattr(action, "workflow", None) == "Release"


def _missing(id: str) -> str:
    return f"there is no schedule {id}"
