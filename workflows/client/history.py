"""What the history of a release holds as facts: what was asked, measured, moved and said, and who spoke against it, in order.

Histories may be long: they are read event by event, and nothing but what has begun and not yet ended is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from activities.aliases import CreateAliasRequest, UpdateAliasRequest
from activities.cloudwatch.alarms import DescribeAlarmsRequest, DescribeAlarmsResponse
from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse, WatchMetricsRequest
from activities.errors import Fault
from activities.invocations import InvocationResponse
from activities.probes import ProbeFunctionResponse
from workflows.actions import DID_NOT_RUN, alarm_in
from workflows.client.errors import translate_errors
from workflows.client.runs import RunEnding, RunOutcome, ending
from workflows.client.timeline import MEASURES, Timeline, TimelineEntry
from workflows.domain.hook_answer import HookAnswer, parse_hook_answer
from workflows.domain.routing import Routing
from workflows.domain.status import AnalysisStatus
from workflows.past_rollouts import VERDICT
from workflows.request import ReleaseRequest, RollbackRequest, RolloutRequest

_T = TypeVar("_T")


@dataclass(frozen=True)
class Fact:
    """Something that happened, and the words of the story for it."""

    at: datetime
    text: str


@dataclass(frozen=True)
class ReleaseRequested(Fact):
    """What the release was started with; None where this version cannot read it."""

    request: ReleaseRequest | RollbackRequest | None


@dataclass(frozen=True)
class MetricsRead(Fact):
    """An answer of CloudWatch's, and what it was asked."""

    asked: MetricsRequest
    told: MetricsResponse

    @property
    def before(self) -> bool:
        """Whether it is about stable alone: how it did before the release."""
        return len(self.asked.versions) == 1


@dataclass(frozen=True)
class VerdictReached(Fact):
    """A verdict that the release acted on."""

    assessed: AnalysisStatus


@dataclass(frozen=True)
class AliasMoved(Fact):
    """The alias routes like this now; None: there is no alias any more."""

    routing: Routing | None


@dataclass(frozen=True)
class AlarmsRead(Fact):
    """A look at alarms: which of them are red, and what they have against the release, if anything."""

    red: frozenset[str]
    against: str | None


@dataclass(frozen=True)
class HookAnswered(Fact):
    """What a hook said."""

    answer: HookAnswer


@dataclass(frozen=True)
class ProbeAnswered(Fact):
    """What is wrong with the candidate's answer to a probe; None if nothing is."""

    failure: str | None


@dataclass(frozen=True)
class ControlReceived(Fact):
    """What a person said; ``stop`` where that was to stop the release."""

    stop: bool


@dataclass(frozen=True)
class TimerEvent(Fact):
    """A wait that began, or that is over because its time was."""

    over: bool


@dataclass(frozen=True)
class ResourceWritten(Fact):
    """Something was changed in AWS, other than the alias."""


@dataclass(frozen=True)
class ActivityFailed(Fact):
    """AWS, or a hook, could not do what was asked."""


@dataclass(frozen=True)
class ReleaseEnded(Fact):
    """The end."""

    ending: RunEnding


_MOVES: Final = {"update_alias", "create_alias", "delete_alias"}
_ALARMS: Final = {"describe_alarms", "watch_alarms"}
_ANSWERS: Final = {"invoke", "probe_function"}
_READ_ON: Final = _MOVES | MEASURES | _ALARMS
_READS: Final = ("get_", "list_", "settle_", "read_")
"""What is looked up or waited for is no part of the reasons. What fails is, whatever it is."""


@dataclass(frozen=True)
class _Begun:
    kind: str
    input: Payload | None


class HistoryReader:
    """Reads the history of one workflow."""

    def __init__(self, workflow_id: str, converter: DataConverter) -> None:
        """Read with the converter that the history was written with."""
        self._workflow_id = workflow_id
        self._converter = converter
        self._teller = Timeline(converter)
        self._begun: dict[int, _Begun] = {}

    async def facts(self, events: AsyncIterable[HistoryEvent]) -> AsyncIterator[Fact]:
        """The facts, in the order of the history."""
        async for event in events:
            moment = await self._teller.tell(self._workflow_id, event)
            async for fact in self._facts(event, moment):
                yield fact

    async def _facts(
        self, event: HistoryEvent, moment: TimelineEntry | None
    ) -> AsyncIterator[Fact]:
        at = event.event_time.ToDatetime(tzinfo=UTC)
        if (ended := await ending(event, self._converter)) is not None:
            yield ReleaseEnded(at, ended.note, ended)
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                yield await self._asked(event, moment, at)
            case "workflow_properties_modified_event_attributes":
                fields = event.workflow_properties_modified_event_attributes.upserted_memo.fields
                if VERDICT in fields and (
                    assessed := await self._read(fields[VERDICT], AnalysisStatus)
                ):
                    yield VerdictReached(at, assessed.reason, assessed)
            case "workflow_execution_update_accepted_event_attributes" if moment:
                said = event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
                yield ControlReceived(at, moment.text, stop=said == "abort")
            case "workflow_execution_cancel_requested_event_attributes" if moment:
                yield ControlReceived(at, moment.text, stop=True)
            case "timer_started_event_attributes" | "timer_fired_event_attributes" if moment:
                yield TimerEvent(at, moment.text, over=moment.sign == "done")
            case _:
                if (fact := await self._of_activity(event, moment)) is not None:
                    yield fact

    async def _of_activity(self, event: HistoryEvent, moment: TimelineEntry | None) -> Fact | None:
        """What the end of an activity comes to; nothing, yet, at its beginning."""
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                kind, payloads = scheduled.activity_type.name, scheduled.input.payloads
                self._begun[event.event_id] = _Begun(
                    kind, payloads[0] if kind in _READ_ON and payloads else None
                )
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                begun = self._begun.pop(completed.scheduled_event_id, None)
                return (
                    await self._done(begun, completed.result.payloads, moment)
                    if begun and moment
                    else None
                )
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                begun = self._begun.pop(failed.scheduled_event_id, None)
                return (
                    await self._failed(begun, failed.failure.application_failure_info.type, moment)
                    if begun and moment
                    else None
                )
            case "activity_task_timed_out_event_attributes":
                begun = self._begun.pop(
                    event.activity_task_timed_out_event_attributes.scheduled_event_id, None
                )
                return (
                    await self._failed(begun, Fault.UNKNOWN, moment) if begun and moment else None
                )
            case "activity_task_canceled_event_attributes":
                self._begun.pop(
                    event.activity_task_canceled_event_attributes.scheduled_event_id, None
                )
            case _:
                pass
        return None

    async def _asked(
        self, event: HistoryEvent, moment: TimelineEntry | None, at: datetime
    ) -> ReleaseRequested:
        started = event.workflow_execution_started_event_attributes
        kinds: dict[str, type[ReleaseRequest | RollbackRequest]] = {
            "Release": ReleaseRequest,
            "Rollback": RollbackRequest,
        }
        kind: type[ReleaseRequest | RollbackRequest | RolloutRequest] = kinds.get(
            started.workflow_type.name, RolloutRequest
        )
        given = (
            await self._read(started.input.payloads[0], kind) if started.input.payloads else None
        )
        request = given.root if isinstance(given, RolloutRequest) else given
        return ReleaseRequested(at, moment.text if moment else "", request)

    async def _done(self, begun: _Begun, results: Any, moment: TimelineEntry) -> Fact | None:
        """What an activity that was carried out comes to; None where it was only looked at, or this version cannot read it."""
        at, text = moment.at, moment.text
        if begun.kind in _MOVES:
            return await self._moved(begun, moment)
        if begun.kind in MEASURES:
            asked, told = (
                await self._metrics_asked(begun),
                await self._read(results[0], MetricsResponse),
            )
            return (
                MetricsRead(at, text, asked, told)
                if asked and told
                else ActivityFailed(at, f"{text}: {_UNREADABLE}")
            )
        if begun.kind in _ALARMS:
            alarms, seen = (
                await self._read(begun.input, DescribeAlarmsRequest),
                await self._read(results[0], DescribeAlarmsResponse),
            )
            if alarms is None or seen is None:
                return ActivityFailed(at, f"{text}: {_UNREADABLE}")
            red = frozenset(alarm.alarm_name for alarm in seen.firing)
            return AlarmsRead(at, text, red, alarm_in(seen, tuple(alarms.alarm_names)))
        if begun.kind in _ANSWERS:
            return await self._answered(begun, results[0], moment)
        return None if begun.kind.startswith(_READS) else ResourceWritten(at, text)

    async def _answered(self, begun: _Begun, result: Payload, moment: TimelineEntry) -> Fact:
        at, text = moment.at, moment.text
        if begun.kind == "invoke" and (answer := await self._read(result, InvocationResponse)):
            return HookAnswered(
                at, text, parse_hook_answer(answer.payload, function_error=answer.function_error)
            )
        if begun.kind == "probe_function" and (
            probed := await self._read(result, ProbeFunctionResponse)
        ):
            return ProbeAnswered(at, text, probed.failure)
        return ActivityFailed(at, f"{text}: {_UNREADABLE}")

    async def _moved(self, begun: _Begun, moment: TimelineEntry) -> Fact:
        at, text = moment.at, moment.text
        if begun.kind == "delete_alias":
            return AliasMoved(at, text, None)
        kind: type[UpdateAliasRequest | CreateAliasRequest] = (
            UpdateAliasRequest if begun.kind == "update_alias" else CreateAliasRequest
        )
        asked: UpdateAliasRequest | CreateAliasRequest | None = await self._read(begun.input, kind)
        if asked is None or asked.function_version is None:
            return ActivityFailed(at, f"{text}: {_UNREADABLE}")
        weights = asked.routing_config.additional_version_weights if asked.routing_config else None
        return AliasMoved(at, text, Routing(version=asked.function_version, weights=weights or {}))

    async def _failed(self, begun: _Begun, fault: str, moment: TimelineEntry) -> Fact | None:
        """What a failure comes to. CloudWatch that cannot be asked at all is silence for a release, and so it is here."""
        if begun.kind in MEASURES and (asked := await self._metrics_asked(begun)):
            known = fault if fault in set(Fault) else Fault.UNKNOWN
            return MetricsRead(
                moment.at,
                moment.text,
                asked,
                MetricsResponse(at=moment.at, status=known, digest=""),
            )
        if begun.kind == "invoke" and fault not in DID_NOT_RUN:
            return HookAnswered(
                moment.at, moment.text, HookAnswer(accept=False, reason="it could not be asked")
            )
        if begun.kind == "probe_function" and fault not in DID_NOT_RUN:
            return ProbeAnswered(moment.at, moment.text, "it could not be asked")
        return None if moment.sign == "done" else ActivityFailed(moment.at, moment.text)

    async def _metrics_asked(self, begun: _Begun) -> MetricsRequest | None:
        kind: type[MetricsRequest] = (
            WatchMetricsRequest if begun.kind == "watch_metrics" else MetricsRequest
        )
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


async def facts_of(client: Client, found: WorkflowExecutionDescription) -> AsyncIterator[Fact]:
    """What the history of a workflow tells; of a rollout that was killed, and then what was done by the workflow that mended it."""
    handle = client.get_workflow_handle(found.id, run_id=found.run_id)
    with translate_errors(f"the history of {found.id} has expired"):
        async for fact in HistoryReader(found.id, client.data_converter).facts(
            handle.fetch_history_events()
        ):
            yield fact
            if (
                isinstance(fact, ReleaseEnded)
                and fact.ending.outcome is RunOutcome.KILLED
                and found.parent_id
            ):
                parent = client.get_workflow_handle(found.parent_id, run_id=found.parent_run_id)
                async for done in facts_of(client, await parent.describe()):
                    if done.at >= fact.at and not isinstance(done, ReleaseRequested):
                        yield done
