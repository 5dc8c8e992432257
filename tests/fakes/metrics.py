"""CloudWatch's metrics: what a test says that was measured, or makes up minute by minute when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.cloudwatch.metrics import read_clock
from deploy.local.awslambda.metric_math import Expression
from tests.fakes.functions import Answer, Parameters

MINUTE = timedelta(minutes=1)
Numbers = Mapping[str, float | None]
Measured = Callable[[str, datetime], Numbers]
_NONE_UNLESS_GIVEN: dict[str, float | None] = {"errors": 0, "throttles": 0, "slow": 0}
_NAMES = {
    ("Invocations", "Sum"): "invocations",
    ("Errors", "Sum"): "errors",
    ("Throttles", "Sum"): "throttles",
    ("Duration", "SampleCount"): "timed",
    ("Duration", "p50"): "p50",
    ("Duration", "p90"): "p90",
    ("Duration", "p99"): "p99",
}


class MetricsOfAws:
    """Set ``measured`` to make numbers up (version, minute → ``{"invocations": 100, "errors": 5}``), or add single minutes with :meth:`traffic`.

    Where invocations are given, errors, throttles and slow ones are none unless given, and as many durations were recorded; None leaves a number out. The
    clock is the workflow's that asks, so the future is empty; ``metrics_delay`` keeps back the youngest minutes (by their ends), as CloudWatch does.
    ``metrics_status`` is the StatusCode of every result. ``other_metrics`` tells of metrics of other namespaces by name, for a minute.
    """

    def __init__(self) -> None:
        super().__init__()
        self.metrics_status = "Complete"
        self.metrics_delay = timedelta()
        self.measured: Measured | None = None
        self.other_metrics: dict[str, Callable[[datetime], float | None]] = {}
        self.routed: dict[tuple[str, str], list[tuple[datetime, dict[str, float]]]] = {}
        self._minutes: dict[tuple[str, str, datetime], Numbers] = {}

    # --- setting the scene ---------------------------------------------------------------------------------------------------

    def traffic(
        self, function: str, version: str, minute: datetime, **numbers: float | None
    ) -> None:
        """What one version did in one minute: invocations, errors, throttles, timed, slow, p50, p90, p99."""
        self._minutes[function, version, floor(minute)] = numbers

    def callers(
        self,
        function: str,
        *,
        per_minute: float = 6000,
        error_rates: Mapping[str, float] | None = None,
        alias: str = "live",
    ) -> None:
        """So many calls of an alias a minute, spread over its versions as it is routed at the time; so many of a version's fail (0 if not named).

        Exact shares, no chance: 6000 calls at 10 % are 600.
        """
        rates = error_rates or {}

        def measured(version: str, minute: datetime) -> Numbers:
            count = round(per_minute * self.share(function, version, minute, alias=alias))
            return (
                {
                    "invocations": count,
                    "errors": round(count * rates.get(version, 0)),
                    "p50": 20,
                    "p90": 50,
                    "p99": 100,
                }
                if count
                else {}
            )

        self.measured = measured

    def share(self, function: str, version: str, minute: datetime, *, alias: str = "live") -> float:
        """Which part of an alias's traffic a version had in a minute."""
        moments = self.routed.get((function, alias), [])
        begin, end = floor(minute), floor(minute) + MINUTE
        total = 0.0
        for place, (moment, weights) in enumerate(moments):
            until = moments[place + 1][0] if place + 1 < len(moments) else end
            # what was there before the first move was there always: the scene is set on another clock than the workflow's
            span = min(until, end) - max(begin if place == 0 else moment, begin)
            total += max(span / MINUTE, 0) * weights.get(version, 0)
        return total

    def route(self, function: str, alias: str, version: str, others: Mapping[str, float]) -> None:
        """Remember where an alias sends its callers from now on; somebody else's clock may be behind the workflow's."""
        moments = self.routed.setdefault((function, alias), [])
        weights = {version: 1 - sum(others.values()), **others}
        moments.append((max(read_clock(), moments[-1][0]) if moments else read_clock(), weights))

    # --- asking --------------------------------------------------------------------------------------------------------------

    def cloudwatch_get_metric_data(self, parameters: Parameters) -> Answer:
        begin, end = (parameters[name].astimezone(UTC) for name in ("StartTime", "EndTime"))
        minutes = list(
            _minutes(
                begin, min(end, read_clock() - self.metrics_delay - MINUTE + timedelta(microseconds=1))
            )
        )
        series = {
            query["Id"]: self._series(query, minutes)
            for query in parameters["MetricDataQueries"]
            if "MetricStat" in query
        }
        for query in parameters["MetricDataQueries"]:
            if "Expression" in query:
                expression = Expression.read(query["Expression"])
                series[query["Id"]] = [
                    expression.value({name: numbers[place] for name, numbers in series.items()})
                    for place in range(len(minutes))
                ]
        results = [
            self._result(query["Id"], zip(minutes, series[query["Id"]], strict=True))
            for query in parameters["MetricDataQueries"]
            if query.get("ReturnData", True)
        ]
        return {"MetricDataResults": results}

    def _result(self, name: str, points: Any) -> Answer:
        told = [(minute, float(number)) for minute, number in points if number is not None]
        return {
            "Id": name,
            "Label": name,
            "Timestamps": [at for at, _ in told],
            "Values": [value for _, value in told],
            "StatusCode": self.metrics_status,
        }

    def _series(self, query: Mapping[str, Any], minutes: list[datetime]) -> list[float | None]:
        metric, stat = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
        if metric["Namespace"] != "AWS/Lambda":
            source = self.other_metrics.get(metric["MetricName"])
            return [source(minute) if source else None for minute in minutes]
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        name = _NAMES.get((metric["MetricName"], stat)) or (
            "slow" if stat.startswith("TC(") else stat
        )
        return [
            self._told(dimensions["FunctionName"], dimensions["ExecutedVersion"], minute).get(name)
            for minute in minutes
        ]

    def _told(self, function: str, version: str, minute: datetime) -> Numbers:
        numbers = self._minutes.get((function, version, minute))
        if numbers is None:
            numbers = self.measured(version, minute) if self.measured else {}
        if numbers.get("invocations") is None:
            return numbers
        return _NONE_UNLESS_GIVEN | {"timed": numbers["invocations"]} | dict(numbers)


def floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _minutes(begin: datetime, end: datetime) -> Iterator[datetime]:
    minute = floor(begin)
    while minute < end:
        yield minute
        minute += MINUTE
