"""CloudWatch alarms: what they say now, and a watch over them that ends when one goes off.

A guard of a release names alarms. Watching them for a day costs the history of one activity: each look is one attempt, and the
answer "all quiet" is a benign failure that Temporal repeats ten seconds later. The looks of many releases share calls (:mod:`activities.cloudwatch.batching`).
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
from activities.shapes import Request, Response

POLL_INTERVAL: Final = timedelta(seconds=10)
"""Between two looks of a watch: AWS evaluates an alarm every 10 s at best, mostly every 60 s."""

WATCH: Final = OperationPolicy(
    timedelta(seconds=15),
    RetryPolicy(initial_interval=POLL_INTERVAL, backoff_coefficient=1),
    ActivityCancellationType.TRY_CANCEL,
)
"""One look an attempt, as many attempts as it takes. A cancel ends it at once."""

_REASON_LENGTH: Final = 300

AlarmName = Annotated[str, Field(min_length=1, max_length=255)]
AlarmNames = Annotated[list[AlarmName], Field(min_length=1, max_length=MAX_NAMES_PER_CALL)]
_Reason = Annotated[
    str,
    AfterValidator(
        lambda text: text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 1] + "…"
    ),
]


class DescribeAlarmsRequest(Request):
    """Alarms by their names, metric and composite alarms alike; at most 100, which is one page of AWS's."""

    alarm_names: AlarmNames


class WatchAlarmsRequest(Request):
    """The alarms to watch, at most 100."""

    alarm_names: AlarmNames


class Alarm(Response):
    """An alarm and its state; the reason is cut to 300 characters."""

    alarm_name: str
    state_value: str = Field(description="OK, ALARM or INSUFFICIENT_DATA.")
    state_reason: _Reason | None = None
    state_updated_timestamp: datetime | None = None


class MetricAlarm(Alarm):
    """An alarm on a metric, or on an expression of several."""


class CompositeAlarm(Alarm):
    """An alarm on other alarms."""


class DescribeAlarmsResponse(Response):
    """The alarms that exist, of those that were asked for: AWS says nothing about a name that it does not know."""

    metric_alarms: list[MetricAlarm] = Field(default_factory=list)
    composite_alarms: list[CompositeAlarm] = Field(default_factory=list)

    @property
    def alarms(self) -> list[Alarm]:
        """All of them, of whatever kind."""
        return [*self.metric_alarms, *self.composite_alarms]

    @property
    def firing(self) -> list[Alarm]:
        """Those in state ALARM."""
        return [alarm for alarm in self.alarms if alarm.state_value == "ALARM"]

    def find_missing(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that do not exist, in their order."""
        there = {alarm.alarm_name for alarm in self.alarms}
        return [name for name in names if name not in there]

    def filter_by_name(self, names: Sequence[str]) -> Self:
        """The part of it that is about these alarms."""
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
    """CloudWatch's alarms, which we read and never change."""

    def __init__(self, aws: Aws) -> None:
        """Look through ``aws``, for all who ask."""
        super().__init__(aws)
        self._looks = Batcher(self._look)

    @operation(READ)
    async def describe_alarms(self, request: DescribeAlarmsRequest) -> DescribeAlarmsResponse:
        """What the alarms say now. Safe at any time."""
        return await self._looks.ask(request.alarm_names)

    @operation(WATCH)
    async def watch_alarms(self, request: WatchAlarmsRequest) -> DescribeAlarmsResponse:
        """Return as soon as one of the alarms is in ALARM, or is not there (any more); until then NotReady, every 10 seconds.

        Too little data is no alarm: ``INSUFFICIENT_DATA`` is watched on. Safe at any time.
        """
        seen = await self._looks.ask(request.alarm_names)
        if not seen.firing and not seen.find_missing(request.alarm_names):
            raise AwsError(
                "watch_alarms",
                "Quiet",
                f"no alarm: {', '.join(request.alarm_names)}",
                retry_after=POLL_INTERVAL.total_seconds(),
            )
        await _come_first()
        return seen

    async def _look(self, names: list[str]) -> DescribeAlarmsResponse:
        kinds = ["MetricAlarm", "CompositeAlarm"]  # without this AWS answers metric alarms only
        parameters = {"AlarmNames": names, "AlarmTypes": kinds, "MaxRecords": MAX_NAMES_PER_CALL}
        return DescribeAlarmsResponse.model_validate(
            await self.aws.call("cloudwatch", "describe_alarms", parameters)
        )


async def _come_first() -> None:
    """The workflow that is to hear of an alarm comes before all others. Where there is none, or no Temporal to tell, the alarm is told all the same."""
    if not activity.in_activity() or not (watching := activity.info()).workflow_id:
        return
    try:
        client = activity.client()
    except RuntimeError:
        return
    await prioritize_workflow(client, watching.workflow_id, watching.workflow_run_id)
