"""CloudWatch alarms: their current state, and a watch that ends when one fires.

A guard of a release names alarms. A watch of a day costs the history of one activity: each poll is
one attempt, and an attempt without an alarm ends in a benign failure, which Temporal retries ten
seconds later. The polls of many releases share calls (:mod:`activities.cloudwatch.batching`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field
from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from activities.cloudwatch.batching import MAX_NAMES_PER_CALL, Batcher
from activities.errors import AwsError
from activities.limits.priority import prioritize_workflow
from activities.operation import READ, Aws, OperationGroup, OperationPolicy, operation
from activities.retry_budget import WATCH_BUDGET
from activities.shapes import Request, Response

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
    """Metric and composite alarms by name; at most 100, which is one page of AWS's."""

    alarm_names: AlarmNames


class WatchAlarmsRequest(Request):
    """The names of the alarms to watch, at most 100."""

    alarm_names: AlarmNames


class Alarm(Response):
    """An alarm and its state; the reason is truncated to 300 characters."""

    alarm_name: str
    state_value: str = Field(description="OK, ALARM or INSUFFICIENT_DATA.")
    state_reason: _Reason | None = None
    state_updated_timestamp: datetime | None = None


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
        """The alarms in state ALARM."""
        return [alarm for alarm in self.alarms if alarm.state_value == "ALARM"]

    def find_missing(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that do not exist, in their order."""
        existing = {alarm.alarm_name for alarm in self.alarms}
        return [name for name in names if name not in existing]

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

    @operation(READ)
    async def describe_alarms(self, request: DescribeAlarmsRequest) -> DescribeAlarmsResponse:
        """Read the current state of alarms. Safe to repeat. AWS: DescribeAlarms."""
        return await self._batcher.request(request.alarm_names)

    @operation(WATCH)
    async def watch_alarms(self, request: WatchAlarmsRequest) -> DescribeAlarmsResponse:
        """Return as soon as one of the alarms is in state ALARM, or does not exist.

        Until then each attempt ends in NotReady, every 10 seconds. ``INSUFFICIENT_DATA`` does not
        end the watch. Safe to repeat.
        """
        response = await self._batcher.request(request.alarm_names)
        if not response.firing and not response.find_missing(request.alarm_names):
            raise AwsError(
                "watch_alarms",
                "Quiet",
                f"no alarm: {', '.join(request.alarm_names)}",
                retry_after=POLL_INTERVAL.total_seconds(),
            )
        await _prioritize_own_workflow()
        return response

    async def _describe(self, names: list[str]) -> DescribeAlarmsResponse:
        # Without AlarmTypes AWS returns metric alarms only.
        kinds = ["MetricAlarm", "CompositeAlarm"]
        parameters = {"AlarmNames": names, "AlarmTypes": kinds, "MaxRecords": MAX_NAMES_PER_CALL}
        return DescribeAlarmsResponse.model_validate(
            await self.aws.call("cloudwatch", "describe_alarms", parameters)
        )


async def _prioritize_own_workflow() -> None:
    """Have the workflow that waits for this activity served before all others.

    Does nothing outside of a workflow's activity, or where the activity has no Temporal client.
    """
    if not activity.in_activity() or not (info := activity.info()).workflow_id:
        return
    try:
        client = activity.client()
    except RuntimeError:
        return
    await prioritize_workflow(client, info.workflow_id, info.workflow_run_id)
