"""CloudWatch's metric data queries: metrics, and expressions over them."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from deploy.local.awslambda import delays, ministack_api
from deploy.local.awslambda.metric_math import MathExpression, UnsupportedExpressionError
from deploy.local.awslambda.ministack_api import Response
from deploy.local.awslambda.statistics import (
    UnsupportedStatisticError,
    check_statistic,
    compute_statistic,
)

_MINUTE: Final = 60


@dataclass(frozen=True)
class MetricStatistic:
    """One statistic of one metric, which its name and its dimensions identify."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str

    @classmethod
    def parse(cls, member: dict[str, Any], stat: str) -> MetricStatistic:
        """Parse a member with ``Namespace``, ``MetricName`` and ``Dimensions``.

        Raises ``UnsupportedStatisticError``.
        """
        check_statistic(stat)
        dimensions = tuple((one["Name"], one["Value"]) for one in member.get("Dimensions") or ())
        return cls(member.get("Namespace", ""), member.get("MetricName", ""), dimensions, stat)

    def points(self, begin: float, end: float) -> list[Any]:
        """Return the points from ``begin`` until before ``end``."""
        key = (self.namespace, self.name, ministack_api.dimensions_key(dict(self.dimensions)))
        return [
            point
            for point in list(ministack_api.metrics.get(key) or ())
            if begin <= point["Timestamp"] < end
        ]

    def value(self, begin: float, end: float) -> float | None:
        """Compute the statistic over a time range; None where nothing was recorded."""
        return compute_statistic(self.stat, self.points(begin, end))

    def values(self, begin: float, end: float, period: int) -> dict[int, float]:
        """Compute the statistic for each period with data, by its start."""
        periods: defaultdict[int, list[Any]] = defaultdict(list)
        for point in self.points(begin, end):
            periods[int(point["Timestamp"] // period) * period].append(point)
        found = {start: compute_statistic(self.stat, points) for start, points in periods.items()}
        return {start: value for start, value in found.items() if value is not None}


@dataclass(frozen=True)
class Query:
    """A metric or an expression, with the id that expressions refer to."""

    id: str
    source: MetricStatistic | MathExpression
    label: str
    period: int
    returned: bool


@dataclass(frozen=True)
class Queries:
    """The queries of one request or one alarm."""

    items: tuple[Query, ...]

    @classmethod
    def parse(cls, members: Sequence[dict[str, Any]]) -> Queries:
        """Parse all members.

        Raises ``UnsupportedExpressionError`` or ``UnsupportedStatisticError``.
        """
        queries = cls(tuple(_parse_query(member, members) for member in members))
        known = {query.id for query in queries.items}
        for query in queries.items:
            if isinstance(query.source, MathExpression) and (
                unknown := query.source.names() - known
            ):
                raise UnsupportedExpressionError(
                    f"the expression {query.source.text!r} refers to {', '.join(sorted(unknown))}"
                )
        return queries

    def value(self, query: Query, begin: float, end: float) -> float | None:
        """Compute a query over a time range; None where there is no data."""
        if isinstance(query.source, MetricStatistic):
            return query.source.value(begin, end)
        referred = {
            other.id: self.value(other, begin, end)
            for other in self.items
            if other.id in query.source.names()
        }
        return query.source.value(referred)

    def values(self, query: Query, begin: float, end: float) -> dict[int, float]:
        """Compute a query for each period with data, by its start.

        A period counts where the query, or one that it refers to, has data.
        """
        if isinstance(query.source, MetricStatistic):
            return query.source.values(begin, end, query.period)
        referred: Mapping[str, Mapping[int, float]] = {
            other.id: self.values(other, begin, end)
            for other in self.items
            if other.id in query.source.names()
        }
        starts: set[int] = set().union(*referred.values())
        found = {
            start: query.source.value(
                {name: values.get(start) for name, values in referred.items()}
            )
            for start in starts
        }
        return {start: value for start, value in found.items() if value is not None}

    def returned(self) -> Iterable[Query]:
        """Return the queries whose values are part of the response."""
        return (query for query in self.items if query.returned)


def _parse_query(member: dict[str, Any], members: Sequence[dict[str, Any]]) -> Query:
    if "Expression" in member:
        periods = [other["MetricStat"]["Period"] for other in members if "MetricStat" in other]
        source: MetricStatistic | MathExpression = MathExpression.parse(member["Expression"])
        period = member.get("Period") or (periods[0] if periods else _MINUTE)
    else:
        wanted = member["MetricStat"]
        source = MetricStatistic.parse(wanted["Metric"], wanted.get("Stat", "Average"))
        period = wanted.get("Period", _MINUTE)
    return Query(
        member["Id"],
        source,
        member.get("Label") or member["Id"],
        int(period),
        member.get("ReturnData", True) is not False,
    )


def get_metric_data(
    params: Any,
    document: dict[str, Any],
    is_cbor: bool,  # noqa: FBT001 - ministack's signature
    is_json: bool = False,  # noqa: FBT001, FBT002 - ministack's signature
) -> Response:
    """Answer GetMetricData, in place of ministack's function.

    Expressions are computed, dimensions are exact, the newest value comes first, and a minute is
    returned only after the configured delay.
    """
    if not (is_cbor or is_json):
        return ministack_api.get_metric_data(params, document, is_cbor, is_json)
    try:
        queries = Queries.parse(document.get("MetricDataQueries", []))
    except (UnsupportedExpressionError, UnsupportedStatisticError) as problem:
        return ministack_api.cloudwatch_error(
            "ValidationError", str(problem), 400, is_json, is_cbor
        )
    begin, end = (
        _to_seconds(document["StartTime"]),
        min(_to_seconds(document["EndTime"]), _get_available_end()),
    )
    ascending = document.get("ScanBy") == "TimestampAscending"
    results = [
        _build_result(queries, query, begin, end, ascending=ascending)
        for query in queries.returned()
    ]
    if is_cbor:
        return ministack_api.cbor_response(
            {"MetricDataResults": [ministack_api.cbor_result(result) for result in results]}
        )
    return (
        200,
        {"Content-Type": "application/json"},
        json.dumps({"MetricDataResults": results}).encode(),
    )


def _build_result(
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


def _to_seconds(moment: Any) -> float:
    return (
        moment.timestamp()
        if isinstance(moment, datetime)
        else float(getattr(moment, "value", moment))
    )


def _get_available_end() -> float:
    """Return the end of the minutes that GetMetricData returns by now."""
    return (
        (time.time() - delays.METRICS_SECONDS) // _MINUTE * _MINUTE
        if delays.METRICS_SECONDS
        else math.inf
    )
