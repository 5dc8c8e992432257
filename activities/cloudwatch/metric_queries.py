"""A metric of CloudWatch's, or metric math over several, and the queries of GetMetricData that ask for it."""

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


class Metric(Request):
    """One statistic of one metric of CloudWatch's, a point a minute."""

    namespace: _Namespace
    metric_name: _MetricName
    dimensions: _Dimensions = Field(default_factory=dict)
    stat: _Stat


class CustomMetric(Request):
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
                raise ValueError(
                    "Namespace, MetricName and Stat are needed, or Expression and its Metrics"
                )
            return self
        if metric != (None, None, None) or self.dimensions:
            raise ValueError(
                "with an Expression, Namespace, MetricName, Dimensions and Stat belong into its Metrics"
            )
        bare = _QUOTED.sub("", self.expression)
        if several := _SEVERAL.search(bare):
            raise ValueError(f"{several[0]} may answer several series: name the metrics in Metrics")
        named = {name for name in _WORD.findall(bare) if name[0].islower()}
        if unknown := sorted(named - self.metrics.keys()):
            raise ValueError(f"the expression names {', '.join(unknown)}, which Metrics has not")
        if unused := sorted(self.metrics.keys() - named):
            raise ValueError(f"the expression does not name {', '.join(unused)}, which Metrics has")
        if not named:
            raise ValueError("the expression names no metric")
        if (
            len(_renamed(self.expression, dict.fromkeys(self.metrics, "o19m9")))
            > _LONGEST_EXPRESSION
        ):
            raise ValueError("the expression is too long")
        return self


def _renamed(expression: str, names: Mapping[str, str]) -> str:
    """The expression with other ids for its metrics; what is quoted stays as it is."""
    pieces = re.split(f"({_QUOTED.pattern})", expression)
    pieces[::2] = [
        _WORD.sub(lambda word: names.get(word[0], word[0]), piece) for piece in pieces[::2]
    ]
    return "".join(pieces)


_LONGEST_EXPRESSION: Final = 2_048
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD: Final = re.compile(r"(?<![\w.])[A-Za-z_]\w*", re.ASCII)
_SEVERAL: Final = re.compile(r"\b(SEARCH|METRICS|SELECT)\b", re.IGNORECASE)


def build_query(name: str, metric: Metric) -> dict[str, Any]:
    """The MetricDataQuery for a metric, a point a minute."""
    dimensions = [
        {"Name": dimension, "Value": value} for dimension, value in metric.dimensions.items()
    ]
    what = {
        "Namespace": metric.namespace,
        "MetricName": metric.metric_name,
        "Dimensions": dimensions,
    }
    return {"Id": name, "MetricStat": {"Metric": what, "Period": 60, "Stat": metric.stat}}


def build_queries(name: str, other: CustomMetric) -> Iterator[dict[str, Any]]:
    """Those for one that is the caller's own; the first tells. Their ids begin with ``name`` and hold nothing of the caller's, so no two callers' can meet."""
    if other.expression is None:
        yield build_query(name, Metric.model_validate(other.model_dump(include={*Metric.model_fields})))
        return
    names = {inner: f"{name}m{place}" for place, inner in enumerate(other.metrics)}
    yield {"Id": name, "Expression": _renamed(other.expression, names)}
    for inner, metric in other.metrics.items():
        yield build_query(names[inner], metric) | {"ReturnData": False}
