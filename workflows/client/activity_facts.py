"""Reads the facts that activities left in a history: what they changed, measured or failed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from activities.aliases import CreateAliasRequest, UpdateAliasRequest
from activities.cloudwatch.alarms import DescribeAlarmsRequest, DescribeAlarmsResponse
from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse, WatchMetricsRequest
from activities.errors import Fault
from activities.invocations import InvocationResponse
from activities.probes import ProbeFunctionResponse
from workflows.actions import find_alarm_problem
from workflows.client.facts import (
    ActivityFailed,
    AlarmsRead,
    AliasMoved,
    Fact,
    HookAnswered,
    MetricsRead,
    ProbeAnswered,
    ResourceWritten,
)
from workflows.client.failed_invocation import FailedInvocation
from workflows.client.timeline import METRIC_ACTIVITIES, TimelineEntry
from workflows.domain.hook_answer import parse_hook_answer
from workflows.domain.routing import Routing

_T = TypeVar("_T")

_ALIAS_WRITES: Final = {"update_alias", "create_alias", "delete_alias"}
_ALARM_READS: Final = {"describe_alarms", "watch_alarms"}
_INVOCATIONS: Final = {"invoke", "probe_function"}
_INPUTS_KEPT: Final = _ALIAS_WRITES | METRIC_ACTIVITIES | _ALARM_READS
_READ_PREFIXES: Final = ("compare_", "find_", "get_", "list_", "read_", "resolve_", "settle_")
"""Activities that only read or wait: their success is no fact, their failure is."""

_UNREADABLE: Final = "recorded in a form that this version cannot read"


@dataclass(frozen=True)
class _ScheduledActivity:
    type: str
    input: Payload | None


class ActivityFactReader:
    """Reads the facts of activities, in the order of a run's history."""

    def __init__(self, converter: DataConverter) -> None:
        """``converter`` is the one that the history was written with."""
        self._converter = converter
        self._scheduled: dict[int, _ScheduledActivity] = {}
        self._failed: FailedInvocation | None = None
        """A hook or a probe that failed, as long as it is not known what came of it."""

    def begin_run(self) -> None:
        """Begin with the first event of a run: its events are numbered from 1."""
        self._scheduled.clear()

    def settle(self, event: HistoryEvent, entry: TimelineEntry | None) -> Fact | None:
        """The fact that a failed hook or probe turns out to be by the next events."""
        if self._failed is None or (fact := self._failed.settle(event, entry)) is None:
            return None
        self._failed = None
        return fact

    async def read_fact(self, event: HistoryEvent, entry: TimelineEntry | None) -> Fact | None:
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
        """The fact that an activity's failure is; that of a hook or a probe is known later.

        A release treats metrics that cannot be read as missing metrics, and so does this.
        """
        if activity.type in METRIC_ACTIVITIES and (
            request := await self._read_metrics_request(activity)
        ):
            status = fault if fault in set(Fault) else Fault.UNKNOWN
            response = MetricsResponse(at=entry.at, status=status, digest="")
            return MetricsRead(entry.at, entry.text, request, response)
        if activity.type in _INVOCATIONS:
            self._failed = FailedInvocation(activity.type, fault, entry)
            return None
        return None if entry.kind == "absent" else ActivityFailed(entry.at, entry.text)

    async def _read_metrics_request(self, activity: _ScheduledActivity) -> MetricsRequest | None:
        model: type[MetricsRequest] = (
            WatchMetricsRequest if activity.type == "watch_metrics" else MetricsRequest
        )
        return await self._decode(activity.input, model)

    async def _decode(self, payload: Payload | None, model: type[_T]) -> _T | None:
        return await decode_payload(self._converter, payload, model)


async def decode_payload(
    converter: DataConverter, payload: Payload | None, model: type[_T]
) -> _T | None:
    """A payload as this version's model; None where it does not fit."""
    if payload is None:
        return None
    try:
        [value] = await converter.decode([payload], [model])
    except (ApplicationError, ValidationError, ValueError):
        return None
    return cast("_T", value)


def _report_unreadable(entry: TimelineEntry) -> ActivityFailed:
    return ActivityFailed(entry.at, f"{entry.text}: {_UNREADABLE}")
