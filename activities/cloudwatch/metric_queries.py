"""CloudWatch metrics and metric math, and the GetMetricData queries for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from activities.shapes import Request

_STAT: Final = (
    r"^(SampleCount|Average|Sum|Minimum|Maximum|IQM|p100|(p|tm|wm|tc|ts)[0-9]{1,2}(\.[0-9]{1,10})?"
    r"|(PR|TM|WM|TC|TS)\(([0-9.]+%?:[0-9.]*%?|:[0-9.]+%?)\))$"
)
_Stat = Annotated[
    str,
    Field(pattern=_STAT, description="A statistic of CloudWatch's, such as Sum, p99 or TC(300:)."),
]
_Namespace = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^:]")]
_MetricName = Annotated[str, Field(min_length=1, max_length=255)]
_Dimensions = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=255)],
        Annotated[str, Field(min_length=1, max_length=1024)],
    ],
    Field(max_length=30),
]
_Id = Annotated[str, Field(pattern=r"^[a-z][a-zA-Z0-9_]{0,30}$")]

_PERIOD_SECONDS: Final = 60
_MAX_EXPRESSION_CHARACTERS: Final = 2_048
_LONGEST_ID: Final = "o19m9"
"""An id as long as any that :func:`build_queries` makes.

There are at most 20 custom metrics of 10 metrics each.
"""

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD: Final = re.compile(r"(?<![\w.])[A-Za-z_]\w*", re.ASCII)
_SEVERAL_SERIES: Final = re.compile(r"\b(SEARCH|METRICS|SELECT)\b", re.IGNORECASE)


class Metric(Request):
    """One statistic of one CloudWatch metric, with one point per minute."""

    namespace: _Namespace
    metric_name: _MetricName
    dimensions: _Dimensions = Field(default_factory=dict)
    stat: _Stat


class CustomMetric(Request):
    """A metric of the caller's, or metric math; ``id`` names it in the response.

    Either ``namespace``, ``metric_name``, ``dimensions`` and ``stat``, or ``expression`` and the
    ``metrics`` in it by id. Ids are local to their expression: two expressions may both use ``e``.
    Functions that may return more than one series (SEARCH, METRICS, SELECT) are invalid.
    """

    id: _Id
    namespace: _Namespace | None = None
    metric_name: _MetricName | None = None
    dimensions: _Dimensions = Field(default_factory=dict)
    stat: _Stat | None = None
    expression: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    metrics: Annotated[dict[_Id, Metric], Field(max_length=10)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _validate_metric_or_expression(self) -> Self:
        metric = (self.namespace, self.metric_name, self.stat)
        if self.expression is None:
            if None in metric or self.metrics:
                raise ValueError(
                    "Namespace, MetricName and Stat are needed, or Expression and its Metrics"
                )
            return self
        if metric != (None, None, None) or self.dimensions:
            raise ValueError(
                "with an Expression, Namespace, MetricName, Dimensions and Stat "
                "belong into its Metrics"
            )
        unquoted = _QUOTED.sub("", self.expression)
        if match := _SEVERAL_SERIES.search(unquoted):
            raise ValueError(f"{match[0]} may answer several series: name the metrics in Metrics")
        used = {word for word in _WORD.findall(unquoted) if word[0].islower()}
        if unknown := sorted(used - self.metrics.keys()):
            raise ValueError(f"the expression names {', '.join(unknown)}, which Metrics has not")
        if unused := sorted(self.metrics.keys() - used):
            raise ValueError(f"the expression does not name {', '.join(unused)}, which Metrics has")
        if not used:
            raise ValueError("the expression names no metric")
        sent = _replace_ids(self.expression, dict.fromkeys(self.metrics, _LONGEST_ID))
        if len(sent) > _MAX_EXPRESSION_CHARACTERS:
            raise ValueError("the expression is too long")
        return self


def _replace_ids(expression: str, ids: Mapping[str, str]) -> str:
    """The expression with other ids for its metrics; quoted text stays unchanged."""
    pieces = re.split(f"({_QUOTED.pattern})", expression)
    pieces[::2] = [_WORD.sub(lambda word: ids.get(word[0], word[0]), each) for each in pieces[::2]]
    return "".join(pieces)


def build_query(id_: str, metric: Metric) -> dict[str, Any]:
    """The MetricDataQuery for a metric, with one point per minute."""
    dimensions = [
        {"Name": dimension, "Value": value} for dimension, value in metric.dimensions.items()
    ]
    what = {
        "Namespace": metric.namespace,
        "MetricName": metric.metric_name,
        "Dimensions": dimensions,
    }
    stat = {"Metric": what, "Period": _PERIOD_SECONDS, "Stat": metric.stat}
    return {"Id": id_, "MetricStat": stat}


def build_queries(id_: str, metric: CustomMetric) -> Iterator[dict[str, Any]]:
    """The MetricDataQueries for a custom metric; the first one returns its data.

    All ids begin with ``id_`` and contain no text of the caller's, so they cannot collide with
    those of another metric.
    """
    if metric.expression is None:
        fields = metric.model_dump(include={*Metric.model_fields})
        yield build_query(id_, Metric.model_validate(fields))
        return
    ids = {local: f"{id_}m{index}" for index, local in enumerate(metric.metrics)}
    yield {"Id": id_, "Expression": _replace_ids(metric.expression, ids)}
    for local, each in metric.metrics.items():
        yield build_query(ids[local], each) | {"ReturnData": False}
