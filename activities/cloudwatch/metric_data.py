"""What one GetMetricData tells: for each query its points, or why there are none to rely on.

Some of AWS's answers are answers in name only: HTTP 200 with a ``StatusCode`` PartialData, InternalError or Forbidden inside, a page that is
followed by another, a query without a word about it. Whatever is not told completely is not told.
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
"""CloudWatch's own word for an answer that it could not make, and ours for one that nobody can read."""

MAX_PAGES: Final = 5
"""Calls for one look. CloudWatch answers 100,800 points a page unless told otherwise; a look asks for some 6,000 at most."""

FETCH_TIMEOUT_SECONDS: Final = 12.0
"""Seconds for all pages: less than an attempt has, so that silence is an answer as well."""

_STATUSES: Final = {COMPLETE, "PartialData", INTERNAL_ERROR, "Forbidden"}
_REASON_LENGTH: Final = 300


@dataclass(frozen=True)
class MetricData:
    """``points`` by the id of the query and their time, if ``status`` is Complete; else ``reason`` says what is wrong."""

    status: str
    reason: str | None = None
    points: Mapping[str, Mapping[datetime, float]] = field(
        default_factory=dict[str, Mapping[datetime, float]]
    )


async def fetch_metric_data(
    aws: Aws, queries: Sequence[Mapping[str, Any]], begin: datetime, end: datetime
) -> MetricData:
    """Ask for these ``MetricDataQueries``, from ``begin`` to before ``end``: one call, and one for each further page.

    ``status`` is Complete; or, in the order of the queries, the first StatusCode that is not; or the fault of a call that failed. Raises nothing of AWS's.
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
        return MetricData(classify_error(error).value, str(error)[:_REASON_LENGTH])
    except TimeoutError:
        return MetricData(Fault.UNAVAILABLE.value, f"there was no answer within {FETCH_TIMEOUT_SECONDS:g} s")
    wanted = [str(query["Id"]) for query in queries if query.get("ReturnData", True)]
    try:
        return _read(pages, wanted, begin, end)
    except _UnreadableError as problem:
        return MetricData(INTERNAL_ERROR, str(problem))


class _UnreadableError(Exception):
    """An answer of another shape than AWS describes."""


def _read(
    pages: Sequence[Mapping[str, Any]], wanted: Sequence[str], begin: datetime, end: datetime
) -> MetricData:
    statuses = dict.fromkeys(wanted, INTERNAL_ERROR)
    points: dict[str, dict[datetime, float]] = {name: {} for name in wanted}
    for page in pages:
        for result in _items(page.get("MetricDataResults"), "MetricDataResults"):
            if not isinstance(result, Mapping):
                raise _UnreadableError("a result is no structure")
            one = cast("Mapping[str, Any]", result)
            name = one.get("Id")
            if not isinstance(name, str) or name not in points:
                continue
            status = one.get(
                "StatusCode"
            )  # of several pages the last word counts: PartialData means that there is another page
            statuses[name] = status if isinstance(status, str) and status in _STATUSES else INTERNAL_ERROR
            for time, value in _pairs(one, name):
                if begin <= time < end and points[name].setdefault(time, value) != value:
                    raise _UnreadableError(
                        f"{name} has two values for one time: is it more than one series?"
                    )
    for name in wanted:
        if statuses[name] != COMPLETE:
            return MetricData(statuses[name], f"{name} is {statuses[name]}")
    return MetricData(COMPLETE, points=points)


def _pairs(result: Mapping[str, Any], name: str) -> Iterator[tuple[datetime, float]]:
    """The points of a result, each by the beginning of its minute; what is no finite number is not there."""
    times, values = (
        _items(result.get("Timestamps") or [], "Timestamps"),
        _items(result.get("Values") or [], "Values"),
    )
    if len(times) != len(values):
        raise _UnreadableError(f"{name} has {len(times)} times and {len(values)} values")
    for time, value in zip(times, values, strict=True):
        if not isinstance(time, datetime) or time.tzinfo is None:
            raise _UnreadableError(f"{name} has a time that is none")
        if (number := _number(value)) is not None:
            yield time.replace(second=0, microsecond=0), number


def _items(value: Any, member: str) -> list[Any]:
    if not isinstance(value, list):
        raise _UnreadableError(f"{member} is no list")
    return list(cast("Any", value))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
