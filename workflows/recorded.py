"""What the history of a release holds as facts: what was asked, measured, moved and said, and who spoke against it, in order.

Histories may be long: they are read event by event, and nothing but what has begun and not yet ended is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from activities.aliases import CreateAliasRequest, UpdateAliasRequest
from activities.cloudwatch import DescribeAlarmsRequest, DescribeAlarmsResponse
from activities.errors import Fault
from activities.invocations import InvocationResponse
from activities.metrics import MetricsRequest, MetricsResponse, WatchMetricsRequest
from workflows.domain.judgement import Outcome as Judged
from workflows.domain.routing import Routing
from workflows.domain.status import Assessed
from workflows.domain.verdict import Verdict, verdict
from workflows.record import VERDICT
from workflows.request import ReleaseRequest, RollbackRequest, RolloutRequest
from workflows.runs import Ending, ending
from workflows.steps import alarm_in
from workflows.telling import Moment, Teller

_T = TypeVar("_T")


@dataclass(frozen=True)
class Fact:
    """Something that happened, and the words of the story for it."""

    at: datetime
    text: str


@dataclass(frozen=True)
class Asked(Fact):
    """What the release was started with; None where this version cannot read it."""

    request: ReleaseRequest | RollbackRequest | None


@dataclass(frozen=True)
class Measured(Fact):
    """An answer of CloudWatch's, and what it was asked."""

    asked: MetricsRequest
    told: MetricsResponse

    @property
    def before(self) -> bool:
        """Whether it is about stable alone: how it did before the release."""
        return len(self.asked.versions) == 1


@dataclass(frozen=True)
class Ruled(Fact):
    """A verdict that the release acted on."""

    assessed: Assessed


@dataclass(frozen=True)
class Moved(Fact):
    """The alias routes like this now; None: there is no alias any more."""

    routing: Routing | None


@dataclass(frozen=True)
class AlarmsSeen(Fact):
    """A look at alarms: which of them are red, and what they have against the release, if anything."""

    red: frozenset[str]
    against: str | None


@dataclass(frozen=True)
class HookAnswered(Fact):
    """What a hook said."""

    verdict: Verdict


@dataclass(frozen=True)
class Said(Fact):
    """What a person said; ``stop`` where that was to stop the release."""

    stop: bool


@dataclass(frozen=True)
class Waited(Fact):
    """A wait that began, or that is over because its time was."""

    over: bool


@dataclass(frozen=True)
class Wrote(Fact):
    """Something was changed in AWS, other than the alias."""


@dataclass(frozen=True)
class Failed(Fact):
    """AWS, or a hook, could not do what was asked."""


@dataclass(frozen=True)
class Ended(Fact):
    """The end."""

    ending: Ending


_MOVES: Final = {"update_alias", "create_alias", "delete_alias"}
_MEASURES: Final = {"get_metrics", "watch_metrics"}
_ALARMS: Final = {"describe_alarms", "watch_alarms"}
_READ_ON: Final = _MOVES | _MEASURES | _ALARMS | {"invoke"}
_READS: Final = ("get_", "list_", "settle_", "read_")
"""What is looked up or waited for is no part of the reasons. What fails is, whatever it is."""


@dataclass(frozen=True)
class _Begun:
    kind: str
    input: Payload | None


class Recorded:
    """Reads the history of one workflow."""

    def __init__(self, workflow_id: str, converter: DataConverter) -> None:
        """Read with the converter that the history was written with."""
        self._workflow_id = workflow_id
        self._converter = converter
        self._teller = Teller(converter)
        self._begun: dict[int, _Begun] = {}

    async def facts(self, events: AsyncIterable[HistoryEvent]) -> AsyncIterator[Fact]:
        """The facts, in the order of the history."""
        async for event in events:
            moment = await self._teller.tell(self._workflow_id, event)
            async for fact in self._facts(event, moment):
                yield fact

    async def _facts(self, event: HistoryEvent, moment: Moment | None) -> AsyncIterator[Fact]:
        at = event.event_time.ToDatetime(tzinfo=UTC)
        if (ended := await ending(event, self._converter)) is not None:
            yield Ended(at, ended.note, ended)
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                yield await self._asked(event, moment, at)
            case "workflow_properties_modified_event_attributes":
                fields = event.workflow_properties_modified_event_attributes.upserted_memo.fields
                if VERDICT in fields and (assessed := await self._read(fields[VERDICT], Assessed)):
                    yield Ruled(at, assessed.reason, assessed)
            case "workflow_execution_update_accepted_event_attributes" if moment:
                said = event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
                yield Said(at, moment.text, stop=said == "abort")
            case "workflow_execution_cancel_requested_event_attributes" if moment:
                yield Said(at, moment.text, stop=True)
            case "timer_started_event_attributes" | "timer_fired_event_attributes" if moment:
                yield Waited(at, moment.text, over=moment.sign == "done")
            case _:
                if (fact := await self._of_activity(event, moment)) is not None:
                    yield fact

    async def _of_activity(self, event: HistoryEvent, moment: Moment | None) -> Fact | None:
        """What the end of an activity comes to; nothing, yet, at its beginning."""
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                kind, payloads = scheduled.activity_type.name, scheduled.input.payloads
                self._begun[event.event_id] = _Begun(kind, payloads[0] if kind in _READ_ON and payloads else None)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                begun = self._begun.pop(completed.scheduled_event_id, None)
                return await self._done(begun, completed.result.payloads, moment) if begun and moment else None
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                begun = self._begun.pop(failed.scheduled_event_id, None)
                return await self._failed(begun, failed.failure.application_failure_info.type, moment) if begun and moment else None
            case "activity_task_timed_out_event_attributes":
                begun = self._begun.pop(event.activity_task_timed_out_event_attributes.scheduled_event_id, None)
                return await self._failed(begun, Fault.UNKNOWN, moment) if begun and moment else None
            case "activity_task_canceled_event_attributes":
                self._begun.pop(event.activity_task_canceled_event_attributes.scheduled_event_id, None)
            case _:
                pass
        return None

    async def _asked(self, event: HistoryEvent, moment: Moment | None, at: datetime) -> Asked:
        started = event.workflow_execution_started_event_attributes
        kinds: dict[str, type[ReleaseRequest | RollbackRequest]] = {"Release": ReleaseRequest, "Rollback": RollbackRequest}
        kind: type[ReleaseRequest | RollbackRequest | RolloutRequest] = kinds.get(started.workflow_type.name, RolloutRequest)
        given = await self._read(started.input.payloads[0], kind) if started.input.payloads else None
        request = given.root if isinstance(given, RolloutRequest) else given
        return Asked(at, moment.text if moment else "", request)

    async def _done(self, begun: _Begun, results: Any, moment: Moment) -> Fact | None:
        """What an activity that was carried out comes to; None where it was only looked at, or this version cannot read it."""
        at, text = moment.at, moment.text
        if begun.kind in _MOVES:
            return await self._moved(begun, moment)
        if begun.kind in _MEASURES:
            asked, told = await self._metrics_asked(begun), await self._read(results[0], MetricsResponse)
            return Measured(at, text, asked, told) if asked and told else Failed(at, f"{text}: {_UNREADABLE}")
        if begun.kind in _ALARMS:
            alarms, seen = await self._read(begun.input, DescribeAlarmsRequest), await self._read(results[0], DescribeAlarmsResponse)
            if alarms is None or seen is None:
                return Failed(at, f"{text}: {_UNREADABLE}")
            red = frozenset(alarm.alarm_name for alarm in seen.firing)
            return AlarmsSeen(at, text, red, alarm_in(seen, tuple(alarms.alarm_names)))
        if begun.kind == "invoke":
            answer = await self._read(results[0], InvocationResponse)
            return HookAnswered(at, text, verdict(answer.payload, function_error=answer.function_error)) if answer else None
        return None if begun.kind.startswith(_READS) else Wrote(at, text)

    async def _moved(self, begun: _Begun, moment: Moment) -> Fact:
        at, text = moment.at, moment.text
        if begun.kind == "delete_alias":
            return Moved(at, text, None)
        kind: type[UpdateAliasRequest | CreateAliasRequest] = UpdateAliasRequest if begun.kind == "update_alias" else CreateAliasRequest
        asked: UpdateAliasRequest | CreateAliasRequest | None = await self._read(begun.input, kind)
        if asked is None or asked.function_version is None:
            return Failed(at, f"{text}: {_UNREADABLE}")
        weights = asked.routing_config.additional_version_weights if asked.routing_config else None
        return Moved(at, text, Routing(version=asked.function_version, weights=weights or {}))

    async def _failed(self, begun: _Begun, fault: str, moment: Moment) -> Fact | None:
        """What a failure comes to. CloudWatch that cannot be asked at all is silence for a release, and so it is here."""
        if begun.kind in _MEASURES and (asked := await self._metrics_asked(begun)):
            known = fault if fault in set(Fault) else Fault.UNKNOWN
            return Measured(moment.at, moment.text, asked, MetricsResponse(at=moment.at, status=known, digest=""))
        return None if moment.sign == "done" else Failed(moment.at, moment.text)

    async def _metrics_asked(self, begun: _Begun) -> MetricsRequest | None:
        kind: type[MetricsRequest] = WatchMetricsRequest if begun.kind == "watch_metrics" else MetricsRequest
        return await self._read(begun.input, kind)

    async def _read(self, payload: Payload | None, kind: type[_T]) -> _T | None:
        """A value as this version understands it; None if it does not."""
        if payload is None:
            return None
        try:
            [value] = await self._converter.decode([payload], [kind])
        except (ApplicationError, ValidationError, ValueError):
            return None
        return cast("_T", value)


_UNREADABLE: Final = "recorded in a form that this version cannot read"


class Cause(StrEnum):
    """Who or what stopped a release. ``other``: an error of AWS's, somebody else's change, silence, an approval that did not come."""

    METRICS = "metrics"
    ALARM = "alarm"
    HOOK = "hook"
    PERSON = "person"
    OTHER = "other"


class Against:
    """Who spoke against a release first: that is who stopped it, if it was stopped."""

    def __init__(self) -> None:
        """Nobody has, yet."""
        self.cause = Cause.OTHER
        self._ignored: frozenset[str] | None = None
        self._hotfix = False

    def hear(self, fact: Fact) -> None:
        """Take a fact, in order."""
        if isinstance(fact, Asked):
            self._hotfix = bool(fact.request and fact.request.hotfix)
        found = self._who(fact)
        if self.cause is Cause.OTHER and found:
            self.cause = found

    def _who(self, fact: Fact) -> Cause | None:
        match fact:
            case Ruled(assessed=assessed) if assessed.verdict is Judged.FAILED:
                return Cause.METRICS
            case AlarmsSeen(red=red):
                if self._ignored is None:
                    self._ignored = red if self._hotfix else frozenset()
                return Cause.ALARM if red - self._ignored else None
            case HookAnswered(verdict=answer) if not answer.accept:
                return Cause.HOOK
            case Said(stop=True):
                return Cause.PERSON
            case _:
                return None
