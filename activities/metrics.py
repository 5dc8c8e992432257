"""What CloudWatch measured of two versions of a function behind an alias, minute by minute: one look now, and a watch that ends with news.

One look is one GetMetricData, however many metrics it asks for. A number that CloudWatch does not tell is None and never zero. That nothing can be
measured – CloudWatch does not answer, forbids it, or has only a part – is an answer as well: a release must not take silence for health.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, Field, PlainSerializer, model_validator

from activities.cloudwatch import WATCH
from activities.operation import READ, Aws, OperationGroup, operation
from activities.shapes import AliasName, FunctionName, Real, Request, Response, Version

COMPLETE: Final = "Complete"
MOST_MINUTES: Final = 180
"""Minutes in an answer: the newest ones."""

_STAT: Final = (
    r"^(SampleCount|Average|Sum|Minimum|Maximum|IQM|p100|(p|tm|wm|tc|ts)[0-9]{1,2}(\.[0-9]{1,10})?"
    r"|(PR|TM|WM|TC|TS)\(([0-9.]+%?:[0-9.]*%?|:[0-9.]+%?)\))$"
)
_Stat = Annotated[str, Field(pattern=_STAT, description="A statistic of CloudWatch's, such as Sum, p99 or TC(300:).")]
_Namespace = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^:]")]
_MetricName = Annotated[str, Field(min_length=1, max_length=255)]
_Dimensions = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=255)], Annotated[str, Field(min_length=1, max_length=1024)]], Field(max_length=30)
]
_Id = Annotated[str, Field(pattern=r"^[a-z][a-zA-Z0-9_]{0,30}$")]
_Seconds = Annotated[Real, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Metric(Request):
    """One statistic of one metric of CloudWatch's, a point a minute."""

    namespace: _Namespace
    metric_name: _MetricName
    dimensions: _Dimensions = Field(default_factory=dict)
    stat: _Stat


class OtherMetric(Request):
    """A metric of the caller's own, or metric math over several; ``id`` names it in the answer.

    Either ``namespace``, ``metric_name``, ``dimensions`` and ``stat``, or ``expression`` and its ``metrics`` by the ids that it calls them. Ids in an
    expression are its own: two expressions may both call something ``e``. What may answer more than one series (SEARCH, METRICS, SELECT) is refused.
    """

    id: _Id
    namespace: _Namespace | None = None
    metric_name: _MetricName | None = None
    dimensions: _Dimensions = Field(default_factory=dict)
    stat: _Stat | None = None
    expression: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    metrics: Annotated[dict[_Id, Metric], Field(max_length=10)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        metric = (self.namespace, self.metric_name, self.stat)
        if self.expression is None:
            if None in metric or self.metrics:
                raise ValueError("Namespace, MetricName and Stat are needed, or Expression and its Metrics")
            return self
        if metric != (None, None, None) or self.dimensions:
            raise ValueError("with an Expression, Namespace, MetricName, Dimensions and Stat belong into its Metrics")
        if several := _SEVERAL.search(_QUOTED.sub("''", self.expression)):
            raise ValueError(f"{several[0]} may answer several series: name the metrics in Metrics")
        named = {name for name in _WORD.findall(_QUOTED.sub("''", self.expression)) if name[0].islower()}
        if unknown := sorted(named - self.metrics.keys()):
            raise ValueError(f"the expression names {', '.join(unknown)}, which Metrics has not")
        if unused := sorted(self.metrics.keys() - named):
            raise ValueError(f"the expression does not name {', '.join(unused)}, which Metrics has")
        if not named:
            raise ValueError("the expression names no metric")
        return self


_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD: Final = re.compile(r"(?<![\w.])[A-Za-z_]\w*", re.ASCII)
_SEVERAL: Final = re.compile(r"\b(SEARCH|METRICS|SELECT)\b", re.IGNORECASE)


class MetricsRequest(Request):
    """Which minutes of which versions.

    ``name`` is the alias that the traffic comes through. ``since`` is the first minute wanted; of more than 180 minutes the newest are answered.
    Minutes that ended less than ``settle`` seconds ago are left out: numbers of theirs may still be missing. ``slow_above`` (ms) also counts the
    invocations that took longer.
    """

    function_name: FunctionName
    name: AliasName
    versions: Annotated[list[Version], Field(min_length=1, max_length=2)]
    since: AwareDatetime
    settle: _Seconds
    slow_above: Annotated[Real, Field(gt=0, le=900_000, allow_inf_nan=False)] | None = None
    others: Annotated[list[OtherMetric], Field(max_length=20)] = Field(default_factory=list)

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

    every: Annotated[Real, Field(ge=5, le=300, allow_inf_nan=False)]
    known: Annotated[str, Field(max_length=2_000)] | None = None


def _compact(number: float) -> int | float:
    """Six significant digits are enough, and a count is a whole number."""
    rounded = float(f"{number:.6g}") if abs(number) < 1e6 else round(number)  # noqa: PLR2004 - a count is never rounded
    return int(rounded) if rounded == int(rounded) else rounded


Number = Annotated[float, Field(allow_inf_nan=False), PlainSerializer(_compact, return_type=int | float)]
Numbers = list[Number | None]


class Series(Response):
    """One version, minute by minute: each list is as long as ``minutes`` of the answer; None where there is nothing at all.

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
    which any series has a point, by their beginnings, ascending. ``digest`` stands for all but ``at`` and ``reason``.
    """

    at: AwareDatetime
    status: str
    reason: str | None = None
    minutes: list[AwareDatetime] = Field(default_factory=list)
    versions: dict[str, Series] = Field(default_factory=dict)
    others: dict[str, Numbers] = Field(default_factory=dict)
    digest: str


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


class Metrics(OperationGroup):
    """CloudWatch's numbers, which we read and never write."""

    def __init__(self, aws: Aws, clock: Callable[[], datetime] = now) -> None:
        """Ask ``aws``; what has settled is told by ``clock``."""
        super().__init__(aws)
        self._clock = clock

    @operation(READ)
    async def get_metrics(self, request: MetricsRequest) -> MetricsResponse:
        """One look, now. A call that fails is an answer, whose status is its fault. Safe at any time."""
        raise NotImplementedError

    @operation(WATCH)
    async def watch_metrics(self, request: WatchMetricsRequest) -> MetricsResponse:
        """Return as soon as there is something that ``known`` did not say; until then NotReady, every so many seconds.

        A call that fails is something, too, once: as long as it fails in the same way all is quiet. Safe at any time.
        """
        raise NotImplementedError
