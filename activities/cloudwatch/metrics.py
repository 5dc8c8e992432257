"""CloudWatch metrics of two versions behind an alias: read now, or watched.

One poll is one GetMetricData, however many metrics it requests. A number that CloudWatch does not
return is None, never zero. When nothing can be measured, because CloudWatch does not respond,
denies access, or has only part of the data, that is a response as well: a release must not take
missing data for health.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, Field, PlainSerializer, model_validator
from temporalio import activity

from activities.call_metric import count_look
from activities.cloudwatch.alarms import WATCH
from activities.cloudwatch.metric_data import COMPLETE, MetricData, fetch_metric_data
from activities.cloudwatch.metric_digest import compute_digest, has_new_data
from activities.cloudwatch.metric_queries import CustomMetric, Metric, build_queries, build_query
from activities.errors import AwsError
from activities.operation import READ, Aws, OperationGroup, operation
from activities.shapes import (
    AliasName,
    Double,
    FunctionName,
    Request,
    Response,
    Version,
    parse_function_name,
)

MAX_MINUTES: Final = 180
"""Minutes in a response: the newest ones."""

MAX_CUSTOM_METRICS: Final = 20
"""Custom metrics in one request."""

_MINUTE: Final = timedelta(minutes=1)
_MIN_UNROUNDED: Final = 1e15
"""Numbers from here on are sent unchanged: a float has no more digits than that."""

_LAMBDA_METRICS: Final = {
    "invocations": ("Invocations", "Sum"),
    "errors": ("Errors", "Sum"),
    "throttles": ("Throttles", "Sum"),
    "timed": ("Duration", "SampleCount"),
    "slow": ("Duration", None),
    "p50": ("Duration", "p50"),
    "p90": ("Duration", "p90"),
    "p99": ("Duration", "p99"),
}
"""CloudWatch's metric and statistic for each field of :class:`Series`.

None stands for a trimmed count.
"""

_Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))
]
_Seconds = Annotated[Double, Field(ge=0, le=86_400, allow_inf_nan=False)]


class MetricsRequest(Request):
    """The versions and the minutes to read.

    ``name`` is the alias that receives the traffic. ``since`` is in the first requested minute; of
    more than 180 minutes the newest are returned. Minutes that ended less than ``settle`` seconds
    ago are left out, as they may be incomplete. ``slow_above`` (ms) also counts the invocations
    that took longer. ``others`` are custom metrics.
    """

    function_name: FunctionName
    name: AliasName
    versions: Annotated[list[Version], Field(min_length=1, max_length=2)]
    since: _Moment
    settle: _Seconds
    slow_above: Annotated[Double, Field(gt=0, le=900_000, allow_inf_nan=False)] | None = None
    others: Annotated[list[CustomMetric], Field(max_length=MAX_CUSTOM_METRICS)] = Field(
        default_factory=list
    )

    @model_validator(mode="after")
    def _validate_unique_names(self) -> Self:
        if len({*self.versions}) < len(self.versions):
            raise ValueError("Versions names one twice")
        ids = [other.id for other in self.others]
        if duplicates := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"Others has {', '.join(duplicates)} twice")
        return self


class WatchMetricsRequest(MetricsRequest):
    """Metrics to poll every ``every`` seconds until there is new data.

    ``known`` is the ``digest`` of the last response. Data that it contains is not new.
    """

    every: Annotated[Double, Field(ge=5, le=300, allow_inf_nan=False)]
    known: Annotated[str, Field(max_length=2_000)] | None = None


def _round_number(number: float) -> int | float:
    """Round to six significant digits, but never a count; whole numbers as integers."""
    if abs(number) >= _MIN_UNROUNDED:
        return number
    rounded = number if number == round(number) else float(f"{number:.6g}")
    return int(rounded) if rounded == round(rounded) else rounded


Number = Annotated[
    float, Field(allow_inf_nan=False), PlainSerializer(_round_number, return_type=int | float)
]
Numbers = list[Number | None]


class Series(Response):
    """The numbers of one version, minute by minute.

    Each list is as long as ``minutes`` of the response; None where a metric has no data at all.
    ``timed`` is how many durations were recorded, ``slow`` how many of them were above
    ``slow_above``. ``p50``, ``p90`` and ``p99`` are durations in milliseconds.
    """

    invocations: Numbers | None = None
    errors: Numbers | None = None
    throttles: Numbers | None = None
    timed: Numbers | None = None
    slow: Numbers | None = None
    p50: Numbers | None = None
    p90: Numbers | None = None
    p99: Numbers | None = None


class MetricsResponse(Response):
    """The metrics of one request.

    ``at`` is the time of the request. ``status`` is Complete; or the first other StatusCode
    (PartialData, InternalError, Forbidden); or the :class:`~activities.errors.Fault` of a call that
    failed. Unless it is Complete, ``reason`` explains it and there are no minutes. ``minutes`` are
    those in which any series has a point, by their beginnings, ascending. ``digest`` covers all but
    ``at`` and ``reason``. Where no requested minute has settled yet, CloudWatch is not called: the
    response is Complete, without minutes.
    """

    at: AwareDatetime
    status: str
    reason: str | None = None
    minutes: list[AwareDatetime] = Field(default_factory=list)
    versions: dict[str, Series] = Field(default_factory=dict)
    others: dict[str, Numbers] = Field(default_factory=dict)
    digest: str


def read_clock() -> datetime:
    """The time of this attempt.

    In an activity it is when Temporal started the attempt: the clock of the waiting workflow.
    Elsewhere it is this machine's clock.
    """
    return activity.info().started_time if activity.in_activity() else datetime.now(UTC)


class Metrics(OperationGroup):
    """Operations on CloudWatch metrics, all of them reads."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime] = read_clock) -> None:
        """Call through ``aws``; ``clock`` decides which minutes have settled."""
        super().__init__(aws)
        self._clock = clock

    @operation(READ)
    async def get_metrics(self, request: MetricsRequest) -> MetricsResponse:
        """Read the metrics now. A failed call is a response with its fault as status.

        Safe to repeat. AWS: GetMetricData, usually one call: a page holds all points.
        """
        return await self._read_metrics(request)

    @operation(WATCH)
    async def watch_metrics(self, request: WatchMetricsRequest) -> MetricsResponse:
        """Return as soon as there is data that ``known`` does not contain.

        Until then each attempt ends in NotReady, every ``every`` seconds. New data is a minute, a
        number in a known minute (late data), or another status. A failed call is new once: while
        the same failure goes on, the watch goes on. A minute before ``since`` counts no longer.
        Safe to repeat.
        """
        response = await self._read_metrics(request)
        if not has_new_data(known=request.known, current=response.digest):
            message = f"nothing new: {response.status}"
            raise AwsError("watch_metrics", "Quiet", message, retry_after=request.every)
        return response

    async def _read_metrics(self, request: MetricsRequest) -> MetricsResponse:
        """Read the metrics, and count what was found."""
        outcome = "failed"
        try:
            response = await self._fetch(request)
            if response.status == COMPLETE:
                outcome = "ok" if response.minutes else "no_data"
            return response
        finally:
            count_look("metrics", outcome)

    async def _fetch(self, request: MetricsRequest) -> MetricsResponse:
        at = self._clock().astimezone(UTC)
        end = _floor_minute(at - timedelta(seconds=request.settle))
        begin = max(_floor_minute(request.since), end - MAX_MINUTES * _MINUTE)
        columns = _build_columns(request)
        data = (
            await fetch_metric_data(
                self.aws, [query for column in columns for query in column.queries], begin, end
            )
            if begin < end
            else MetricData(COMPLETE)
        )
        if data.status != COMPLETE:
            return MetricsResponse(
                at=at, status=data.status, reason=data.reason, digest=data.status
            )
        return _build_response(at, columns, data)


def _floor_minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


@dataclass(frozen=True)
class _Column:
    """One series of numbers: a version's, or a custom metric (``version`` is None).

    The first of its queries returns the data.
    """

    version: str | None
    name: str
    queries: tuple[dict[str, Any], ...]

    def read_number(self, data: MetricData, minute: datetime) -> float | None:
        """The rounded number of a minute. A negative count or duration is no number."""
        value = data.points.get(self.queries[0]["Id"], {}).get(minute)
        if value is None or (self.version is not None and value < 0):
            return None
        return _round_number(value)


def _build_columns(request: MetricsRequest) -> list[_Column]:
    columns: list[_Column] = []
    function = parse_function_name(request.function_name).name
    for index, version in enumerate(request.versions):
        dimensions = {
            "FunctionName": function,
            "Resource": f"{function}:{request.name}",
            "ExecutedVersion": version,
        }
        for name, (metric_name, stat) in _LAMBDA_METRICS.items():
            if name != "slow" or request.slow_above is not None:
                metric = Metric(
                    namespace="AWS/Lambda",
                    metric_name=metric_name,
                    dimensions=dimensions,
                    stat=stat or _format_trimmed_count(request.slow_above or 0),
                )
                columns.append(_Column(version, name, (build_query(f"v{index}_{name}", metric),)))
    for index, other in enumerate(request.others):
        columns.append(_Column(None, other.id, tuple(build_queries(f"o{index}", other))))
    return columns


def _format_trimmed_count(milliseconds: float) -> str:
    """The statistic that counts the durations above a threshold."""
    return f"TC({milliseconds:.3f}".rstrip("0").rstrip(".") + ":)"


def _build_response(at: datetime, columns: Sequence[_Column], data: MetricData) -> MetricsResponse:
    minutes = sorted({minute for points in data.points.values() for minute in points})
    versions: dict[str, dict[str, Numbers]] = {
        column.version: {} for column in columns if column.version is not None
    }
    others: dict[str, Numbers] = {}
    digested: dict[str, Numbers] = {}
    for column in columns:
        numbers = [column.read_number(data, minute) for minute in minutes]
        digested[f"{column.version}/{column.name}"] = numbers
        if column.version is None:
            others[column.name] = numbers
        elif any(number is not None for number in numbers):
            versions[column.version][column.name] = numbers
    series = {version: Series.model_validate(values) for version, values in versions.items()}
    return MetricsResponse(
        at=at,
        status=COMPLETE,
        minutes=minutes,
        versions=series,
        others=others,
        digest=compute_digest(minutes, digested),
    )
