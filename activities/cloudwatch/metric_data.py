"""GetMetricData: send queries, and parse the points, or why there are none.

Some responses of AWS's seem successful and are not: HTTP 200 with a ``StatusCode`` of PartialData,
InternalError or Forbidden inside, a page that is followed by another one, or a query without a
result. A response that is not complete counts as no data.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from activities.errors import AwsError, Fault, classify_error
from activities.operation import Aws

COMPLETE: Final = "Complete"
INTERNAL_ERROR: Final = "InternalError"
"""CloudWatch's status for its own failure, and ours for a malformed response."""

MAX_PAGES: Final = 5
"""Calls for one request.

CloudWatch's page has 100,800 points; we request some 6,000 at most.
"""

FETCH_TIMEOUT_SECONDS: Final = 12.0
"""For all pages together.

Shorter than an attempt's time-out, since a missing response is a result as well.
"""

_STATUS_CODES: Final = {COMPLETE, "PartialData", INTERNAL_ERROR, "Forbidden"}
_MAX_REASON_CHARACTERS: Final = 300


@dataclass(frozen=True)
class MetricData:
    """The points of each query if ``status`` is Complete; else a ``reason``.

    ``points`` are values by the id of the query and their time.
    """

    status: str
    reason: str | None = None
    points: Mapping[str, Mapping[datetime, float]] = field(
        default_factory=dict[str, Mapping[datetime, float]]
    )


async def fetch_metric_data(
    aws: Aws, queries: Sequence[Mapping[str, Any]], begin: datetime, end: datetime
) -> MetricData:
    """Send ``MetricDataQueries`` from ``begin`` to before ``end``, page by page.

    ``status`` is Complete; or the first other StatusCode, in the order of the queries; or the
    fault of a call that failed. Raises no error of AWS's.
    """
    parameters = {
        "MetricDataQueries": list(queries),
        "StartTime": begin,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    pages: list[Mapping[str, Any]] = []
    try:
        async with asyncio.timeout(FETCH_TIMEOUT_SECONDS):
            while len(pages) < MAX_PAGES:
                page = await aws.call("cloudwatch", "get_metric_data", parameters)
                pages.append(page)
                if not (token := page.get("NextToken")):
                    break
                parameters = {**parameters, "NextToken": token}
            else:
                return MetricData("PartialData", f"there is more than {MAX_PAGES} pages of it")
    except AwsError as error:
        return MetricData(classify_error(error).value, str(error)[:_MAX_REASON_CHARACTERS])
    except TimeoutError:
        return MetricData(
            Fault.UNAVAILABLE.value, f"there was no answer within {FETCH_TIMEOUT_SECONDS:g} s"
        )
    ids = [str(query["Id"]) for query in queries if query.get("ReturnData", True)]
    try:
        return _parse_pages(pages, ids, begin, end)
    except _UnreadableError as error:
        return MetricData(INTERNAL_ERROR, str(error))


class _UnreadableError(Exception):
    """A response of another shape than AWS documents."""


def _parse_pages(
    pages: Sequence[Mapping[str, Any]], ids: Sequence[str], begin: datetime, end: datetime
) -> MetricData:
    statuses = dict.fromkeys(ids, INTERNAL_ERROR)
    points: dict[str, dict[datetime, float]] = {id_: {} for id_ in ids}
    for page in pages:
        for item in _parse_list(page.get("MetricDataResults"), "MetricDataResults"):
            if not isinstance(item, Mapping):
                raise _UnreadableError("a result is no structure")
            result = cast("Mapping[str, Any]", item)
            id_ = result.get("Id")
            if not isinstance(id_, str) or id_ not in points:
                continue
            # The status on the last page counts: PartialData means that another page follows.
            status = result.get("StatusCode")
            if not isinstance(status, str) or status not in _STATUS_CODES:
                status = INTERNAL_ERROR
            statuses[id_] = status
            for time, value in _parse_points(result, id_):
                if begin <= time < end and points[id_].setdefault(time, value) != value:
                    raise _UnreadableError(
                        f"{id_} has two values for one time: is it more than one series?"
                    )
    for id_ in ids:
        if statuses[id_] != COMPLETE:
            return MetricData(statuses[id_], f"{id_} is {statuses[id_]}")
    return MetricData(COMPLETE, points=points)


def _parse_points(result: Mapping[str, Any], id_: str) -> Iterator[tuple[datetime, float]]:
    """The points of a result by the beginning of their minute; finite numbers only."""
    times = _parse_list(result.get("Timestamps") or [], "Timestamps")
    values = _parse_list(result.get("Values") or [], "Values")
    if len(times) != len(values):
        raise _UnreadableError(f"{id_} has {len(times)} times and {len(values)} values")
    for time, value in zip(times, values, strict=True):
        if not isinstance(time, datetime) or time.tzinfo is None:
            raise _UnreadableError(f"{id_} has an invalid time")
        if (number := _parse_number(value)) is not None:
            yield time.replace(second=0, microsecond=0), number


def _parse_list(value: Any, member: str) -> list[Any]:
    if not isinstance(value, list):
        raise _UnreadableError(f"{member} is no list")
    return list(cast("Any", value))


def _parse_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
