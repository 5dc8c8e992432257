"""CloudWatch's metric data queries: a metric, or an expression over metrics, and what it was in a stretch of time."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from deploy.local.awslambda import pace, upstream
from deploy.local.awslambda.expressions import Expression, UnsupportedExpressionError
from deploy.local.awslambda.statistics import UnsupportedStatisticError, check, statistic
from deploy.local.awslambda.upstream import Answer

_MINUTE: Final = 60


@dataclass(frozen=True)
class Metric:
    """One statistic of one metric. Its dimensions are the metric: the same name under others is another metric."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str

    @classmethod
    def of(cls, member: dict[str, Any], stat: str) -> Metric:
        """From anything with ``Namespace``, ``MetricName`` and ``Dimensions``; raises ``UnsupportedStatisticError``."""
        check(stat)
        dimensions = tuple((one["Name"], one["Value"]) for one in member.get("Dimensions") or ())
        return cls(member.get("Namespace", ""), member.get("MetricName", ""), dimensions, stat)

    def points(self, begin: float, end: float) -> list[Any]:
        """What was recorded from ``begin`` until before ``end``."""
        key = (self.namespace, self.name, upstream.dimensions_key(dict(self.dimensions)))
        return [
            point
            for point in list(upstream.metrics.get(key) or ())
            if begin <= point["Timestamp"] < end
        ]

    def value(self, begin: float, end: float) -> float | None:
        """The statistic over that time; None where nothing was recorded."""
        return statistic(self.stat, self.points(begin, end))

    def values(self, begin: float, end: float, period: int) -> dict[int, float]:
        """The statistic over each period of that time in which something was recorded."""
        periods: defaultdict[int, list[Any]] = defaultdict(list)
        for point in self.points(begin, end):
            periods[int(point["Timestamp"] // period) * period].append(point)
        found = {start: statistic(self.stat, points) for start, points in periods.items()}
        return {start: value for start, value in found.items() if value is not None}


@dataclass(frozen=True)
class Query:
    """A metric or an expression, under the id others refer to it by."""

    id: str
    what: Metric | Expression
    label: str
    period: int
    returned: bool


@dataclass(frozen=True)
class Queries:
    """The queries of one request or one alarm."""

    items: tuple[Query, ...]

    @classmethod
    def read(cls, members: Sequence[dict[str, Any]]) -> Queries:
        """Understand them all, or raise ``UnsupportedExpressionError`` or ``UnsupportedStatisticError``."""
        queries = cls(tuple(_query(member, members) for member in members))
        known = {query.id for query in queries.items}
        for query in queries.items:
            if isinstance(query.what, Expression) and (unknown := query.what.names() - known):
                raise UnsupportedExpressionError(
                    f"the expression {query.what.text!r} refers to {', '.join(sorted(unknown))}"
                )
        return queries

    def value(self, query: Query, begin: float, end: float) -> float | None:
        """What a query was over that time."""
        if isinstance(query.what, Metric):
            return query.what.value(begin, end)
        referred = {
            other.id: self.value(other, begin, end)
            for other in self.items
            if other.id in query.what.names()
        }
        return query.what.value(referred)

    def values(self, query: Query, begin: float, end: float) -> dict[int, float]:
        """What a query was in each period, by its beginning, in which it, or something that it refers to, has data."""
        if isinstance(query.what, Metric):
            return query.what.values(begin, end, query.period)
        referred: Mapping[str, Mapping[int, float]] = {
            other.id: self.values(other, begin, end)
            for other in self.items
            if other.id in query.what.names()
        }
        starts: set[int] = set().union(*referred.values())
        found = {
            start: query.what.value({name: values.get(start) for name, values in referred.items()})
            for start in starts
        }
        return {start: value for start, value in found.items() if value is not None}

    def returned(self) -> Iterable[Query]:
        """Those whose values are wanted, not only needed."""
        return (query for query in self.items if query.returned)


def _query(member: dict[str, Any], members: Sequence[dict[str, Any]]) -> Query:
    if "Expression" in member:
        periods = [other["MetricStat"]["Period"] for other in members if "MetricStat" in other]
        what: Metric | Expression = Expression.read(member["Expression"])
        period = member.get("Period") or (periods[0] if periods else _MINUTE)
    else:
        wanted = member["MetricStat"]
        what = Metric.of(wanted["Metric"], wanted.get("Stat", "Average"))
        period = wanted.get("Period", _MINUTE)
    return Query(
        member["Id"],
        what,
        member.get("Label") or member["Id"],
        int(period),
        member.get("ReturnData", True) is not False,
    )


def get_metric_data(
    params: Any,
    document: dict[str, Any],
    is_cbor: bool,
    is_json: bool = False,  # noqa: FBT001, FBT002 - ministack's signature
) -> Answer:
    """In ministack's place: expressions are computed, dimensions are exact, the newest comes first, and no minute is told before its time."""
    if not (is_cbor or is_json):
        return upstream.get_metric_data(params, document, is_cbor, is_json)
    try:
        queries = Queries.read(document.get("MetricDataQueries", []))
    except (UnsupportedExpressionError, UnsupportedStatisticError) as problem:
        return upstream.answer_cloudwatch_error(
            "ValidationError", str(problem), 400, is_json, is_cbor
        )
    begin, end = _seconds(document["StartTime"]), min(_seconds(document["EndTime"]), _told_until())
    ascending = document.get("ScanBy") == "TimestampAscending"
    results = [
        _result(queries, query, begin, end, ascending=ascending) for query in queries.returned()
    ]
    if is_cbor:
        return upstream.answer_cbor(
            {"MetricDataResults": [upstream.cbor_result(result) for result in results]}
        )
    return (
        200,
        {"Content-Type": "application/json"},
        json.dumps({"MetricDataResults": results}).encode(),
    )


def _result(
    queries: Queries, query: Query, begin: float, end: float, *, ascending: bool
) -> dict[str, Any]:
    found = dict(sorted(queries.values(query, begin, end).items(), reverse=not ascending))
    return {
        "Id": query.id,
        "Label": query.label,
        "Timestamps": list(found),
        "Values": list(found.values()),
        "StatusCode": "Complete",
    }


def _seconds(moment: Any) -> float:
    return (
        moment.timestamp()
        if isinstance(moment, datetime)
        else float(getattr(moment, "value", moment))
    )


def _told_until() -> float:
    """The end of the minutes that are told by now."""
    return (time.time() - pace.METRICS) // _MINUTE * _MINUTE if pace.METRICS else math.inf
