"""What CloudWatch measured of two versions of a function behind an alias, minute by minute: one look now, and a watch that ends with news.

One look is one GetMetricData, however many metrics it asks for. A number that CloudWatch does not tell is None and never zero. That nothing can be
measured – CloudWatch does not answer, forbids it, or has only a part – is an answer as well: a release must not take silence for health.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, Field, PlainSerializer, model_validator
from temporalio import activity

from activities.cloudwatch.alarms import WATCH
from activities.cloudwatch.metric_data import COMPLETE, MetricData, fetch_metric_data
from activities.cloudwatch.metric_digest import compute_digest, said
from activities.cloudwatch.metric_queries import Metric, CustomMetric, build_queries, build_query
from activities.errors import AwsError
from activities.operation import READ, Aws, OperationGroup, operation
from activities.shapes import AliasName, FunctionName, Double, Request, Response, Version, parse_function_name

MAX_MINUTES: Final = 180
"""Minutes in an answer: the newest ones."""

MAX_CUSTOM_METRICS: Final = 20
"""Metrics of the caller's own that one look can ask for."""

_Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))
]
_Seconds = Annotated[Double, Field(ge=0, le=86_400, allow_inf_nan=False)]


class MetricsRequest(Request):
    """Which minutes of which versions.

    ``name`` is the alias that the traffic comes through. ``since`` is the first minute wanted; of more than 180 minutes the newest are answered.
    Minutes that ended less than ``settle`` seconds ago are left out: numbers of theirs may still be missing. ``slow_above`` (ms) also counts the
    invocations that took longer.
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
    def _names_each_once(self) -> Self:
        if len({*self.versions}) < len(self.versions):
            raise ValueError("Versions names one twice")
        ids = [other.id for other in self.others]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"Others has {', '.join(twice)} twice")
        return self


class WatchMetricsRequest(MetricsRequest):
    """The same, every so many seconds, until there is something that the answer whose ``digest`` is ``known`` did not say."""

    every: Annotated[Double, Field(ge=5, le=300, allow_inf_nan=False)]
    known: Annotated[str, Field(max_length=2_000)] | None = None


def _compact(number: float) -> int | float:
    """Six significant digits, but a count is never rounded; a whole number as one."""
    if abs(number) >= _HUGE:
        return number
    rounded = number if number == round(number) else float(f"{number:.6g}")
    return int(rounded) if rounded == round(rounded) else rounded


_HUGE: Final = 1e15


Number = Annotated[
    float, Field(allow_inf_nan=False), PlainSerializer(_compact, return_type=int | float)
]
Numbers = list[Number | None]


class Series(Response):
    """One version, minute by minute: each list is as long as ``minutes`` of the answer, and None where there is nothing at all.

    ``timed`` is how many durations were recorded, ``slow`` how many of them were above ``slow_above``; ``p50`` … are durations in milliseconds.
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
    """What CloudWatch told.

    ``at`` is when it was asked. ``status`` is Complete, or else the first StatusCode that was not (PartialData, InternalError, Forbidden) or the
    :class:`~activities.errors.Fault` of a call that failed; then ``reason`` says what was said, and there are no minutes. ``minutes`` are those for
    which any series has a point, by their beginnings, ascending. ``digest`` stands for all but ``at`` and ``reason``. Where no minute that was
    asked for has settled yet, CloudWatch is not asked at all: that is Complete, without minutes.
    """

    at: AwareDatetime
    status: str
    reason: str | None = None
    minutes: list[AwareDatetime] = Field(default_factory=list)
    versions: dict[str, Series] = Field(default_factory=dict)
    others: dict[str, Numbers] = Field(default_factory=dict)
    digest: str


def read_clock() -> datetime:
    """In an activity the time at which Temporal let this attempt begin, which is the clock of the workflow that waits for it; else this machine's."""
    return activity.info().started_time if activity.in_activity() else datetime.now(UTC)


class Metrics(OperationGroup):
    """CloudWatch's numbers, which we read and never write."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime] = read_clock) -> None:
        """Ask ``aws``; what has settled is told by ``clock``."""
        super().__init__(aws)
        self._clock = clock

    @operation(READ)
    async def get_metrics(self, request: MetricsRequest) -> MetricsResponse:
        """One look, now. A call that fails is an answer, whose status is its fault. Safe at any time.

        AWS: GetMetricData, once (and once for each further page, which so few points do not have).
        """
        return await self._look(request)

    @operation(WATCH)
    async def watch_metrics(self, request: WatchMetricsRequest) -> MetricsResponse:
        """Return as soon as there is something that ``known`` did not say; until then NotReady, every so many seconds.

        News is a minute, a number in a minute (late data), or another status; a minute that ``since`` no longer asks for is none. So a call that fails is
        news once, and as long as it fails in the same way all is quiet. Safe at any time.
        """
        seen = await self._look(request)
        if said(request.known, seen.digest):
            raise AwsError(
                "watch_metrics", "Quiet", f"nothing new: {seen.status}", retry_after=request.every
            )
        return seen

    async def _look(self, request: MetricsRequest) -> MetricsResponse:
        at = self._clock().astimezone(UTC)
        end = _minute(at - timedelta(seconds=request.settle))
        begin = max(_minute(request.since), end - MAX_MINUTES * _MINUTE)
        asked = _asked(request)
        told = (
            await fetch_metric_data(
                self.aws, [each for one in asked for each in one.queries], begin, end
            )
            if begin < end
            else MetricData(COMPLETE)
        )
        if told.status != COMPLETE:
            return MetricsResponse(
                at=at, status=told.status, reason=told.reason, digest=told.status
            )
        return _answer(at, asked, told)


_MINUTE: Final = timedelta(minutes=1)


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


@dataclass(frozen=True)
class _Asked:
    """Something to know: whose (a version's, or None: the caller's own), what it is called, and the queries for it, of which the first tells."""

    version: str | None
    name: str
    queries: tuple[dict[str, Any], ...]

    def number(self, told: MetricData, minute: datetime) -> float | None:
        """Its number in that minute, as it is told on: compactly. A count or a duration below zero is none."""
        found = told.points.get(self.queries[0]["Id"], {}).get(minute)
        return (
            None if found is None or (self.version is not None and found < 0) else _compact(found)
        )


def _asked(request: MetricsRequest) -> list[_Asked]:
    """Everything that a request wants to know, and the queries for it."""
    asked: list[_Asked] = []
    function = parse_function_name(request.function_name).name
    for place, version in enumerate(request.versions):
        dimensions = {
            "FunctionName": function,
            "Resource": f"{function}:{request.name}",
            "ExecutedVersion": version,
        }
        for name, (metric, stat) in _MEASURED.items():
            if name != "slow" or request.slow_above is not None:
                one = Metric(
                    namespace="AWS/Lambda",
                    metric_name=metric,
                    dimensions=dimensions,
                    stat=stat or _above(request.slow_above or 0),
                )
                asked.append(_Asked(version, name, (build_query(f"v{place}_{name}", one),)))
    for place, other in enumerate(request.others):
        asked.append(_Asked(None, other.id, tuple(build_queries(f"o{place}", other))))
    return asked


_MEASURED: Final = {
    "invocations": ("Invocations", "Sum"),
    "errors": ("Errors", "Sum"),
    "throttles": ("Throttles", "Sum"),
    "timed": ("Duration", "SampleCount"),
    "slow": ("Duration", None),
    "p50": ("Duration", "p50"),
    "p90": ("Duration", "p90"),
    "p99": ("Duration", "p99"),
}


def _above(milliseconds: float) -> str:
    """The trimmed count: how many were above it."""
    return f"TC({milliseconds:.3f}".rstrip("0").rstrip(".") + ":)"


def _answer(at: datetime, asked: Sequence[_Asked], told: MetricData) -> MetricsResponse:
    minutes = sorted({minute for points in told.points.values() for minute in points})
    versions: dict[str, dict[str, Numbers]] = {
        one.version: {} for one in asked if one.version is not None
    }
    others: dict[str, Numbers] = {}
    marked: dict[str, Numbers] = {}
    for one in asked:
        numbers = [one.number(told, minute) for minute in minutes]
        marked[f"{one.version}/{one.name}"] = numbers
        if one.version is None:
            others[one.name] = numbers
        elif any(number is not None for number in numbers):
            versions[one.version][one.name] = numbers
    series = {version: Series.model_validate(columns) for version, columns in versions.items()}
    return MetricsResponse(
        at=at,
        status=COMPLETE,
        minutes=minutes,
        versions=series,
        others=others,
        digest=compute_digest(minutes, marked),
    )
