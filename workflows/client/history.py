"""Reads the facts of a release from its history.

Histories may be long. They are read event by event; only what was started and has not ended is
kept in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

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
from workflows.actions import find_alarm_problem
from workflows.client.errors import translate_errors
from workflows.client.facts import (
    ActivityFailed,
    AlarmsRead,
    AliasMoved,
    ControlReceived,
    Fact,
    HookAnswered,
    MetricsRead,
    ProbeAnswered,
    ReleaseEnded,
    ReleaseRequested,
    ResourceWritten,
    StepStarted,
    TimerEvent,
    VerdictReached,
)
from workflows.client.runs import RunOutcome, read_ending
from workflows.client.timeline import METRIC_ACTIVITIES, Timeline, TimelineEntry
from workflows.domain.hook_answer import HookAnswer, parse_hook_answer
from workflows.domain.routing import Routing
from workflows.domain.status import AnalysisStatus
from workflows.invocations import DID_NOT_RUN
from workflows.past_rollouts import STEP_MEMO, VERDICT_MEMO
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.rollout_request import RolloutRequest

_T = TypeVar("_T")

_ALIAS_WRITES: Final = {"update_alias", "create_alias", "delete_alias"}
_ALARM_READS: Final = {"describe_alarms", "watch_alarms"}
_INVOCATIONS: Final = {"invoke", "probe_function"}
_INPUTS_KEPT: Final = _ALIAS_WRITES | METRIC_ACTIVITIES | _ALARM_READS
_READ_PREFIXES: Final = ("compare_", "find_", "get_", "list_", "read_", "resolve_", "settle_")
"""Activities that only read or wait: their success is no fact, their failure is."""

_UNREADABLE: Final = "recorded in a form that this version cannot read"
_NOT_INVOKED: Final = "it could not be invoked"


@dataclass(frozen=True)
class _ScheduledActivity:
    type: str
    input: Payload | None


class HistoryReader:
    """Reads the history of one workflow."""

    def __init__(self, workflow_id: str, converter: DataConverter) -> None:
        """``converter`` is the one that the history was written with."""
        self._workflow_id = workflow_id
        self._converter = converter
        self._timeline = Timeline(converter)
        self._scheduled: dict[int, _ScheduledActivity] = {}

    async def read_facts(self, events: AsyncIterable[HistoryEvent]) -> AsyncIterator[Fact]:
        """Yield the facts in the order of the history."""
        async for event in events:
            entry = await self._timeline.read_entry(self._workflow_id, event)
            async for fact in self._read_event(event, entry):
                yield fact

    async def _read_event(
        self, event: HistoryEvent, entry: TimelineEntry | None
    ) -> AsyncIterator[Fact]:
        at = event.event_time.ToDatetime(tzinfo=UTC)
        if (ending := await read_ending(event, self._converter)) is not None:
            yield ReleaseEnded(at, ending.note, ending)
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                yield await self._read_request(event, entry, at)
            case "workflow_properties_modified_event_attributes":
                fields = event.workflow_properties_modified_event_attributes.upserted_memo.fields
                if analysis := await self._decode(fields.get(VERDICT_MEMO), AnalysisStatus):
                    yield VerdictReached(at, analysis.reason, analysis)
                if number := await self._decode(fields.get(STEP_MEMO), int):
                    yield StepStarted(at, "", number)
            case "workflow_execution_update_accepted_event_attributes" if entry:
                accepted = event.workflow_execution_update_accepted_event_attributes
                name = accepted.accepted_request.input.name
                yield ControlReceived(at, entry.text, is_stop=name == "abort")
            case "workflow_execution_cancel_requested_event_attributes" if entry:
                yield ControlReceived(at, entry.text, is_stop=True)
            case "timer_started_event_attributes" | "timer_fired_event_attributes" if entry:
                yield TimerEvent(at, entry.text, has_fired=entry.kind == "done")
            case _:
                if (fact := await self._read_activity(event, entry)) is not None:
                    yield fact

    async def _read_request(
        self, event: HistoryEvent, entry: TimelineEntry | None, at: datetime
    ) -> ReleaseRequested:
        started = event.workflow_execution_started_event_attributes
        models: dict[str, type[ReleaseRequest | RollbackRequest]] = {
            "Release": ReleaseRequest,
            "Rollback": RollbackRequest,
        }
        model: type[ReleaseRequest | RollbackRequest | RolloutRequest] = models.get(
            started.workflow_type.name, RolloutRequest
        )
        payloads = started.input.payloads
        request = await self._decode(payloads[0], model) if payloads else None
        return ReleaseRequested(
            at,
            entry.text if entry else "",
            request.root if isinstance(request, RolloutRequest) else request,
        )

    async def _read_activity(self, event: HistoryEvent, entry: TimelineEntry | None) -> Fact | None:
        """The fact that the end of an activity is; None at its beginning."""
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                name, payloads = scheduled.activity_type.name, scheduled.input.payloads
                self._scheduled[event.event_id] = _ScheduledActivity(
                    name, payloads[0] if name in _INPUTS_KEPT and payloads else None
                )
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                activity = self._scheduled.pop(completed.scheduled_event_id, None)
                if activity and entry:
                    return await self._read_result(activity, completed.result.payloads, entry)
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                activity = self._scheduled.pop(failed.scheduled_event_id, None)
                fault = failed.failure.application_failure_info.type
                if activity and entry:
                    return await self._read_failure(activity, fault, entry)
            case "activity_task_timed_out_event_attributes":
                timed_out = event.activity_task_timed_out_event_attributes
                activity = self._scheduled.pop(timed_out.scheduled_event_id, None)
                if activity and entry:
                    return await self._read_failure(activity, Fault.UNKNOWN, entry)
            case "activity_task_canceled_event_attributes":
                canceled = event.activity_task_canceled_event_attributes
                self._scheduled.pop(canceled.scheduled_event_id, None)
            case _:
                pass
        return None

    async def _read_result(
        self, activity: _ScheduledActivity, results: Sequence[Payload], entry: TimelineEntry
    ) -> Fact | None:
        """The fact that an activity's success is; None where it only read something."""
        if activity.type in _ALIAS_WRITES:
            return await self._read_alias_write(activity, entry)
        if activity.type in METRIC_ACTIVITIES:
            return await self._read_metrics(activity, results[0], entry)
        if activity.type in _ALARM_READS:
            return await self._read_alarms(activity, results[0], entry)
        if activity.type in _INVOCATIONS:
            return await self._read_answer(activity, results[0], entry)
        is_read = activity.type.startswith(_READ_PREFIXES)
        return None if is_read else ResourceWritten(entry.at, entry.text)

    async def _read_metrics(
        self, activity: _ScheduledActivity, result: Payload, entry: TimelineEntry
    ) -> Fact:
        request = await self._read_metrics_request(activity)
        response = await self._decode(result, MetricsResponse)
        if request is None or response is None:
            return _report_unreadable(entry)
        return MetricsRead(entry.at, entry.text, request, response)

    async def _read_alarms(
        self, activity: _ScheduledActivity, result: Payload, entry: TimelineEntry
    ) -> Fact:
        request = await self._decode(activity.input, DescribeAlarmsRequest)
        response = await self._decode(result, DescribeAlarmsResponse)
        if request is None or response is None:
            return _report_unreadable(entry)
        firing = frozenset(alarm.alarm_name for alarm in response.firing)
        reason = find_alarm_problem(response, tuple(request.alarm_names))
        return AlarmsRead(entry.at, entry.text, firing, reason)

    async def _read_answer(
        self, activity: _ScheduledActivity, result: Payload, entry: TimelineEntry
    ) -> Fact:
        if activity.type == "invoke" and (
            invoked := await self._decode(result, InvocationResponse)
        ):
            answer = parse_hook_answer(invoked.payload, function_error=invoked.function_error)
            return HookAnswered(entry.at, entry.text, answer)
        if activity.type == "probe_function" and (
            probed := await self._decode(result, ProbeFunctionResponse)
        ):
            return ProbeAnswered(entry.at, entry.text, probed.failure)
        return _report_unreadable(entry)

    async def _read_alias_write(self, activity: _ScheduledActivity, entry: TimelineEntry) -> Fact:
        if activity.type == "delete_alias":
            return AliasMoved(entry.at, entry.text, None)
        model: type[UpdateAliasRequest | CreateAliasRequest] = (
            UpdateAliasRequest if activity.type == "update_alias" else CreateAliasRequest
        )
        request: UpdateAliasRequest | CreateAliasRequest | None = await self._decode(
            activity.input, model
        )
        if request is None or request.function_version is None:
            return _report_unreadable(entry)
        config = request.routing_config
        weights = (config.additional_version_weights if config else None) or {}
        routing = Routing(version=request.function_version, weights=weights)
        return AliasMoved(entry.at, entry.text, routing)

    async def _read_failure(
        self, activity: _ScheduledActivity, fault: str, entry: TimelineEntry
    ) -> Fact | None:
        """The fact that an activity's failure is.

        A release treats metrics that cannot be read as missing metrics, and so does this.
        """
        if activity.type in METRIC_ACTIVITIES and (
            request := await self._read_metrics_request(activity)
        ):
            status = fault if fault in set(Fault) else Fault.UNKNOWN
            response = MetricsResponse(at=entry.at, status=status, digest="")
            return MetricsRead(entry.at, entry.text, request, response)
        if activity.type == "invoke" and fault not in DID_NOT_RUN:
            answer = HookAnswer(accept=False, reason=_NOT_INVOKED)
            return HookAnswered(entry.at, entry.text, answer)
        if activity.type == "probe_function" and fault not in DID_NOT_RUN:
            return ProbeAnswered(entry.at, entry.text, _NOT_INVOKED)
        return None if entry.kind == "done" else ActivityFailed(entry.at, entry.text)

    async def _read_metrics_request(self, activity: _ScheduledActivity) -> MetricsRequest | None:
        model: type[MetricsRequest] = (
            WatchMetricsRequest if activity.type == "watch_metrics" else MetricsRequest
        )
        return await self._decode(activity.input, model)

    async def _decode(self, payload: Payload | None, model: type[_T]) -> _T | None:
        """A payload as this version's model; None where it does not fit."""
        if payload is None:
            return None
        try:
            [value] = await self._converter.decode([payload], [model])
        except (ApplicationError, ValidationError, ValueError):
            return None
        return cast("_T", value)


async def read_facts(
    client: Client, execution: WorkflowExecutionDescription
) -> AsyncIterator[Fact]:
    """Yield the facts of a workflow.

    A rollout that was killed is followed by the facts of its parent, which put the alias back.
    """
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    with translate_errors(f"the history of {execution.id} has expired"):
        reader = HistoryReader(execution.id, client.data_converter)
        async for fact in reader.read_facts(handle.fetch_history_events()):
            yield fact
            if (
                isinstance(fact, ReleaseEnded)
                and fact.ending.outcome is RunOutcome.KILLED
                and execution.parent_id
            ):
                parent = client.get_workflow_handle(
                    execution.parent_id, run_id=execution.parent_run_id
                )
                async for later in read_facts(client, await parent.describe()):
                    if later.at >= fact.at and not isinstance(later, ReleaseRequested):
                        yield later


def _report_unreadable(entry: TimelineEntry) -> ActivityFailed:
    return ActivityFailed(entry.at, f"{entry.text}: {_UNREADABLE}")
