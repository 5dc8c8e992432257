"""The alarms that guard a release: watched all the time, and read where it goes on.

The watch begins with the first change of traffic, or with the first wait if that comes earlier, and
lasts until the end. The alarms are read once more at the end of each wait, and before all traffic
moves at once: the watch may be seconds behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from activities.cloudwatch.alarms import NO_DATA, DescribeAlarmsResponse
from activities.operation import READ
from workflows import actions
from workflows.call import CallOptions, end_task, root_cause, shield_from_cancel
from workflows.controls import Controls, ReleaseStopped
from workflows.domain.formatting import format_duration
from workflows.domain.status import Phase
from workflows.progress import Progress
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.traffic import Traffic

_WAITING: Final = {Phase.BAKING, Phase.AWAITING_APPROVAL}

_SECOND_LOOK: Final = timedelta(seconds=30)
"""After so long, an alarm that was not found is looked at again: tools replace alarms."""

_ATTEMPTS_IN_TEN_MINUTES: Final = 24
"""1 + 2 + 4 + 8 + 16 s, then every 30 s."""

_PATIENT: Final = CallOptions(retry=replace(READ.retry, maximum_attempts=_ATTEMPTS_IN_TEN_MINUTES))
"""A guard that is denied or away for less than ten minutes stops no release: as in the watch."""


class AlarmState(BaseModel):
    """What is known of the alarms, for the next run of their release: see :class:`AlarmGuard`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ignored: frozenset[str]
    since: datetime | None
    without_data: frozenset[str]


class AlarmGuard:
    """The alarms of one release."""

    def __init__(
        self,
        request: ReleaseRequest | RollbackRequest,
        *,
        traffic: Traffic,
        controls: Controls,
        progress: Progress,
    ) -> None:
        """Guard ``request``; an alarm stops the release through ``controls``."""
        self._settings = request.guards
        self._traffic = traffic
        self._controls = controls
        self._progress = progress
        self._ignored: frozenset[str] = frozenset()
        self._since: datetime | None = None
        self._without_data: frozenset[str] = frozenset()

    def to_state(self) -> AlarmState:
        """Return all that :meth:`resume` needs."""
        return AlarmState(ignored=self._ignored, since=self._since, without_data=self._without_data)

    def resume(self, state: AlarmState) -> None:
        """Go on where another run of this release stopped."""
        self._ignored, self._since = state.ignored, state.since
        self._without_data = state.without_data

    @property
    def names(self) -> tuple[str, ...]:
        """The alarms that count."""
        return tuple(name for name in self._settings.alarm_names if name not in self._ignored)

    @property
    def closing_note(self) -> str | None:
        """What to say at the end: which alarms guarded nothing, at no look."""
        names = [name for name in self.names if name in self._without_data]
        if not names:
            return None
        return (
            f"alarm {', '.join(names)} had no data throughout: "
            f"{'it' if len(names) == 1 else 'they'} guarded nothing"
        )

    def prepare(self, states: Mapping[str, str]) -> None:
        """Take the states before the release."""
        self._without_data = frozenset(name for name, state in states.items() if state == NO_DATA)

    def ignore_red(self, states: Mapping[str, str]) -> list[str]:
        """Ignore and return the alarms that were red before a hotfix began."""
        red = sorted(name for name, state in states.items() if state == "ALARM")
        self._ignored = frozenset(red)
        return red

    async def watch(self) -> None:
        """Stop the release as soon as an alarm goes off, is gone, or cannot be read any more."""
        if not self._settings.alarms:
            return
        await workflow.wait_condition(
            lambda: (
                self._traffic.journal.shifting
                or self._controls.paused
                or self._progress.status.phase in _WAITING
            )
        )
        if not self.names:
            return
        self._since = self._since or workflow.now()
        try:
            problem = None
            while problem is None:
                response = await actions.watch_alarms(self.names, since=self._since)
                problem = await self._find_problem(response)
            self._controls.stop(problem)
        except Exception as error:  # noqa: BLE001 - whatever it is, alarms are not watched any more
            if not is_cancelled_exception(error):
                self._controls.break_off(f"the alarms cannot be read: {root_cause(error)}")

    async def check(self) -> None:
        """Read the alarms now. Raises :class:`ReleaseStopped` if one is red or gone.

        Those without data are dealt with as ``guards.on_no_data`` has it, unless a person promoted.
        """
        if not self.names:
            return
        response = await self._read()
        if problem := await self._find_problem(response):
            raise ReleaseStopped(problem)
        names = response.without_data
        self._without_data &= frozenset(names)
        if not names or self._controls.promoted:
            return
        match self._settings.on_no_data:
            case "note":
                pass
            case "fail":
                raise ReleaseStopped(
                    f"alarm {', '.join(names)} has no data, and guards.on_no_data is fail"
                )
            case "hold":
                await self._hold(tuple(names))

    async def _find_problem(self, response: DescribeAlarmsResponse) -> str | None:
        """Return why the release has to stop; an alarm is gone if it is not found twice."""
        missing = set[str]()
        while True:
            problem = actions.find_alarm_problem(response, self.names)
            found = set(response.find_missing(self.names))
            if problem is None or response.firing or found & missing:
                return problem
            if not workflow.patched("alarm-gone-twice"):
                return problem
            missing |= found
            names, length = ", ".join(sorted(found)), format_duration(_SECOND_LOOK)
            self._progress.report(note=f"Alarm {names} was not found; looking again in {length}")
            await workflow.sleep(_SECOND_LOOK, summary=f"Until a second look at {names}")
            response = await self._read()

    async def _read(self) -> DescribeAlarmsResponse:
        return await actions.read_alarms(self.names, since=self._since, options=_PATIENT)

    async def _hold(self, names: tuple[str, ...]) -> None:
        """Hold the weight until the alarms have data, or a person resumes or promotes.

        A person who pauses meanwhile takes over: data does not end that pause.
        """
        controls, progress = self._controls, self._progress
        await controls.wait_while_paused()
        phase, alarms = progress.status.phase, ", ".join(names)
        controls.hold()
        progress.report(
            Phase.BAKING if phase is Phase.PROMOTING else phase,
            f"Held: alarm {alarms} has no data. Goes on when it has, or when a person resumes or "
            "promotes; abort puts the alias back",
            paused=True,
        )
        has_data = False

        async def watch_data() -> None:
            nonlocal has_data
            await actions.watch_alarm_data(names)
            has_data = True

        watch = asyncio.create_task(watch_data())
        try:
            await workflow.wait_condition(lambda: has_data or not controls.is_held)
        finally:
            await shield_from_cancel(end_task(watch))
        if has_data:
            self._without_data -= frozenset(names)
        if controls.is_held:
            controls.release()
            progress.report(note=f"Alarm {alarms} has data: going on", paused=False)
        await controls.wait_while_paused()
        progress.report(phase)
