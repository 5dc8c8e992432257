"""CloudWatch alarms: their current state, and a watch that ends when one fires.

A guard of a release names alarms. A watch of a day costs the history of one activity: each poll is
one attempt, and an attempt without an alarm ends in a benign failure, which Temporal retries ten
seconds later. The polls of many releases share calls (:mod:`activities.cloudwatch.batching`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, Self, TypeVar

from pydantic import AfterValidator, Field
from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from activities.call_metric import count_look
from activities.cloudwatch.alarm_history import ALARM_KINDS, AlarmHistory
from activities.cloudwatch.batching import MAX_NAMES_PER_CALL, Batcher
from activities.errors import AwsError
from activities.limits.priority import prioritize_workflow
from activities.operation import READ, Aws, OperationGroup, OperationPolicy, operation
from activities.retry_budget import WATCH_BUDGET
from activities.shapes import Request, Response
from activities.temporal_client import find_client

POLL_INTERVAL: Final = timedelta(seconds=10)
"""Between two polls of a watch.

AWS evaluates an alarm every 10 s at best, mostly every 60 s.
"""

WATCH: Final = OperationPolicy(
    timedelta(seconds=15),
    RetryPolicy(initial_interval=POLL_INTERVAL, backoff_coefficient=1),
    ActivityCancellationType.TRY_CANCEL,
    budget=WATCH_BUDGET,
)
"""The policy of a watch: one poll per attempt, attempts without limit.

A cancel ends it at once.
"""

NO_DATA: Final = "INSUFFICIENT_DATA"
"""AWS's state of an alarm that has nothing to judge by: it guards nothing."""

_MAX_REASON_CHARACTERS: Final = 300

AlarmName = Annotated[str, Field(min_length=1, max_length=255)]
AlarmNames = Annotated[list[AlarmName], Field(min_length=1, max_length=MAX_NAMES_PER_CALL)]
_Reason = Annotated[
    str,
    AfterValidator(
        lambda text: (
            text
            if len(text) <= _MAX_REASON_CHARACTERS
            else text[: _MAX_REASON_CHARACTERS - 1] + "…"
        )
    ),
]


class DescribeAlarmsRequest(Request):
    """Metric and composite alarms by name; at most 100, which is one page of AWS's.

    With ``since``, an alarm counts as firing as well if it was red at any time after it, and no
    look at it could see that (:mod:`activities.cloudwatch.alarm_history`).
    """

    alarm_names: AlarmNames
    since: datetime | None = None


class WatchAlarmsRequest(DescribeAlarmsRequest):
    """The alarms to watch, at most 100."""


class WatchAlarmDataRequest(Request):
    """The alarms to wait for until they have data, at most 100."""

    alarm_names: AlarmNames


class Alarm(Response):
    """An alarm and its state; the reason is truncated to 300 characters.

    ``went_off_at`` is when it was red last, where no look could see that.
    """

    alarm_name: str
    state_value: str = Field(description="OK, ALARM or INSUFFICIENT_DATA.")
    state_reason: _Reason | None = None
    state_updated_timestamp: datetime | None = None
    state_transitioned_timestamp: datetime | None = None
    went_off_at: datetime | None = None

    @property
    def changed_at(self) -> datetime | None:
        """When its state changed last; the other time may move without that."""
        return self.state_transitioned_timestamp or self.state_updated_timestamp


_Alarm = TypeVar("_Alarm", bound=Alarm)


class MetricAlarm(Alarm):
    """An alarm on a metric, or on an expression over several metrics."""


class CompositeAlarm(Alarm):
    """An alarm on other alarms."""


class DescribeAlarmsResponse(Response):
    """The requested alarms that exist; AWS leaves unknown names out."""

    metric_alarms: list[MetricAlarm] = Field(default_factory=list)
    composite_alarms: list[CompositeAlarm] = Field(default_factory=list)

    @property
    def alarms(self) -> list[Alarm]:
        """All of them, metric alarms first."""
        return [*self.metric_alarms, *self.composite_alarms]

    @property
    def firing(self) -> list[Alarm]:
        """The alarms in state ALARM, and those that were in it unnoticed."""
        return [alarm for alarm in self.alarms if alarm.state_value == "ALARM" or alarm.went_off_at]

    @property
    def without_data(self) -> list[str]:
        """The names of the alarms that have nothing to judge by."""
        return [alarm.alarm_name for alarm in self.alarms if alarm.state_value == NO_DATA]

    def find_missing(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that do not exist, in their order."""
        existing = {alarm.alarm_name for alarm in self.alarms}
        return [name for name in names if name not in existing]

    def complete(self, went_off: Mapping[str, datetime]) -> Self:
        """This response with the times at which alarms were red unnoticed."""

        def update(alarm: _Alarm) -> _Alarm:
            return alarm.model_copy(update={"went_off_at": went_off.get(alarm.alarm_name)})

        changes = {
            "metric_alarms": [update(alarm) for alarm in self.metric_alarms],
            "composite_alarms": [update(alarm) for alarm in self.composite_alarms],
        }
        return self.model_copy(update=changes) if went_off else self

    def filter_by_name(self, names: Sequence[str]) -> Self:
        """The part of this response that is about these alarms."""
        return self.model_copy(
            update={
                "metric_alarms": [
                    alarm for alarm in self.metric_alarms if alarm.alarm_name in names
                ],
                "composite_alarms": [
                    alarm for alarm in self.composite_alarms if alarm.alarm_name in names
                ],
            }
        )


class Alarms(OperationGroup):
    """Operations on CloudWatch alarms, all of them reads."""

    def __init__(self, aws: Aws) -> None:
        """Call through ``aws``; all requests of this object share its calls."""
        super().__init__(aws)
        self._batcher = Batcher(self._describe)
        self._history = AlarmHistory(aws)

    @operation(READ)
    async def describe_alarms(self, request: DescribeAlarmsRequest) -> DescribeAlarmsResponse:
        """Read the current state of alarms. Safe to repeat. AWS: DescribeAlarms."""
        return await self._look(request)

    @operation(WATCH)
    async def watch_alarms(self, request: WatchAlarmsRequest) -> DescribeAlarmsResponse:
        """Return as soon as one of the alarms is in state ALARM, or does not exist.

        Until then each attempt ends in NotReady, every 10 seconds. ``INSUFFICIENT_DATA`` does not
        end the watch. Safe to repeat.
        """
        response = await self._look(request)
        if not response.firing and not response.find_missing(request.alarm_names):
            raise _quiet("watch_alarms", f"not red: {', '.join(request.alarm_names)}")
        await _prioritize_own_workflow()
        return response

    @operation(WATCH)
    async def watch_alarm_data(self, request: WatchAlarmDataRequest) -> DescribeAlarmsResponse:
        """Return as soon as none of the alarms is without data.

        Until then each attempt ends in NotReady, every 10 seconds. An alarm that does not exist any
        more is not waited for. Safe to repeat.
        """
        response = await self._batcher.request(request.alarm_names)
        if response.without_data:
            raise _quiet("watch_alarm_data", f"no data: {', '.join(response.without_data)}")
        return response

    async def _look(self, request: DescribeAlarmsRequest) -> DescribeAlarmsResponse:
        """Read alarms, and count what was found."""
        outcome = "failed"
        try:
            response = await self._read(request)
            outcome = _describe_look(response, request.alarm_names)
            return response
        finally:
            count_look("alarms", outcome)

    async def _read(self, request: DescribeAlarmsRequest) -> DescribeAlarmsResponse:
        """Read alarms; find those that were red since ``request.since``, too."""
        if request.since is None:
            return await self._batcher.request(request.alarm_names)
        is_answered = False
        try:
            response = await self._batcher.request(request.alarm_names)
            response = await self._find_unseen(response, request.since)
            is_answered = True
        finally:
            if not is_answered:
                self._history.interrupt(request.alarm_names, request.since)
        return response

    async def _find_unseen(
        self, response: DescribeAlarmsResponse, since: datetime
    ) -> DescribeAlarmsResponse:
        went_off = {
            alarm.alarm_name: await self._history.find_unseen(
                alarm.alarm_name, state=alarm.state_value, changed=alarm.changed_at, since=since
            )
            for alarm in response.alarms
            if alarm.state_value != "ALARM"
        }
        return response.complete({name: at for name, at in went_off.items() if at is not None})

    async def _describe(self, names: list[str]) -> DescribeAlarmsResponse:
        parameters = {
            "AlarmNames": names,
            "AlarmTypes": ALARM_KINDS,
            "MaxRecords": MAX_NAMES_PER_CALL,
        }
        return DescribeAlarmsResponse.model_validate(
            await self.aws.call("cloudwatch", "describe_alarms", parameters)
        )


def _describe_look(response: DescribeAlarmsResponse, names: list[str]) -> str:
    if response.firing:
        return "red"
    if response.find_missing(names):
        return "missing"
    return "no_data" if response.without_data else "ok"


def _quiet(operation: str, what: str) -> AwsError:
    """Return the end of an attempt in which nothing happened."""
    return AwsError(operation, "Quiet", what, retry_after=POLL_INTERVAL.total_seconds())


async def _prioritize_own_workflow() -> None:
    """Have the workflow that waits for this activity served before all others.

    Does nothing outside of a workflow's activity, or where the activity has no Temporal client.
    """
    client = find_client()
    if client is not None and (info := activity.info()).workflow_id:
        await prioritize_workflow(client, info.workflow_id, info.workflow_run_id)
