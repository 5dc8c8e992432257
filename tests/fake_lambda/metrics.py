"""CloudWatch's metrics: numbers that a test gives, or computes for each minute that is queried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.cloudwatch.metrics import read_clock
from deploy.local.awslambda.metric_math import MathExpression
from tests.fake_lambda.account import Account, Answer, Parameters, operation

MINUTE = timedelta(minutes=1)
Numbers = Mapping[str, float | None]
Measured = Callable[[str, datetime], Numbers]
_ZERO_BY_DEFAULT: dict[str, float | None] = {"errors": 0, "throttles": 0, "slow": 0}
_NAMES = {
    ("Invocations", "Sum"): "invocations",
    ("Errors", "Sum"): "errors",
    ("Throttles", "Sum"): "throttles",
    ("Duration", "SampleCount"): "timed",
    ("Duration", "p50"): "p50",
    ("Duration", "p90"): "p90",
    ("Duration", "p99"): "p99",
}


class Metrics:
    """What was measured, by minutes in UTC.

    Set ``measured`` to compute numbers (version, minute → ``{"invocations": 100, "errors": 5}``),
    or add single minutes with :meth:`traffic`. Where invocations are given, errors, throttles and
    slow ones are zero unless given, and as many durations were recorded; None leaves a number out.

    The clock is that of the workflow that queries, so the future is empty. ``metrics_delay`` keeps
    back the youngest minutes (by their ends), as CloudWatch does. ``metrics_status`` is the
    StatusCode of every result. ``other_metrics`` has the values of other namespaces' metrics, by
    name and minute.
    """

    def __init__(self) -> None:
        super().__init__()
        self.metrics_status = "Complete"
        self.metrics_delay = timedelta()
        self.measured: Measured | None = None
        self.other_metrics: dict[str, Callable[[datetime], float | None]] = {}
        self.routed: dict[tuple[str, str], list[tuple[datetime, dict[str, float]]]] = {}
        self._minutes: dict[tuple[str, str, datetime], Numbers] = {}

    # --- what a test gives ---------------------------------------------------------------------

    def traffic(
        self, function: str, version: str, minute: datetime, **numbers: float | None
    ) -> None:
        """One version's minute: invocations, errors, throttles, timed, slow, p50, p90, p99."""
        self._minutes[function, version, floor(minute)] = numbers

    def callers(
        self,
        function: str,
        *,
        per_minute: float = 6000,
        error_rates: Mapping[str, float] | None = None,
        alias: str = "live",
    ) -> None:
        """Calls of an alias, spread over its versions as it is routed in each minute.

        ``error_rates`` is the share of a version's calls that fail, 0 for versions without one.
        Shares are exact, without chance: 6,000 calls at 10 % are 600.
        """
        rates = error_rates or {}

        def measured(version: str, minute: datetime) -> Numbers:
            count = round(per_minute * self.share(function, version, minute, alias=alias))
            if not count:
                return {}
            errors = round(count * rates.get(version, 0))
            return {"invocations": count, "errors": errors, "p50": 20, "p90": 50, "p99": 100}

        self.measured = measured

    def share(self, function: str, version: str, minute: datetime, *, alias: str = "live") -> float:
        """The share of an alias's traffic that a version had in a minute."""
        moments = self.routed.get((function, alias), [])
        begin, end = floor(minute), floor(minute) + MINUTE
        total = 0.0
        for place, (moment, weights) in enumerate(moments):
            until = moments[place + 1][0] if place + 1 < len(moments) else end
            # The first routing holds for all time before it, too: tests prepare the alias by
            # another clock than the workflow's, which skips time.
            duration = min(until, end) - max(begin if place == 0 else moment, begin)
            total += max(duration / MINUTE, 0) * weights.get(version, 0)
        return total

    def route(self, function: str, alias: str, version: str, others: Mapping[str, float]) -> None:
        """Record where an alias sends its callers from now on.

        Another writer's clock may be behind the workflow's: then the last moment counts.
        """
        moments = self.routed.setdefault((function, alias), [])
        weights = {version: 1 - sum(others.values()), **others}
        moments.append((max(read_clock(), moments[-1][0]) if moments else read_clock(), weights))

    # --- what CloudWatch answers ---------------------------------------------------------------

    def answer_metric_data(self, parameters: Parameters) -> Answer:
        """The answer of GetMetricData."""
        begin, end = (parameters[name].astimezone(UTC) for name in ("StartTime", "EndTime"))
        newest = read_clock() - self.metrics_delay - MINUTE + timedelta(microseconds=1)
        minutes = list(_list_minutes(begin, min(end, newest)))
        series = {
            query["Id"]: self._read_series(query, minutes)
            for query in parameters["MetricDataQueries"]
            if "MetricStat" in query
        }
        for query in parameters["MetricDataQueries"]:
            if "Expression" in query:
                expression = MathExpression.parse(query["Expression"])
                series[query["Id"]] = [
                    expression.value({name: numbers[place] for name, numbers in series.items()})
                    for place in range(len(minutes))
                ]
        results = [
            self._report(query["Id"], zip(minutes, series[query["Id"]], strict=True))
            for query in parameters["MetricDataQueries"]
            if query.get("ReturnData", True)
        ]
        return {"MetricDataResults": results}

    def _report(self, name: str, points: Iterable[tuple[datetime, float | None]]) -> Answer:
        measured = [(minute, float(number)) for minute, number in points if number is not None]
        return {
            "Id": name,
            "Label": name,
            "Timestamps": [minute for minute, _ in measured],
            "Values": [value for _, value in measured],
            "StatusCode": self.metrics_status,
        }

    def _read_series(self, query: Mapping[str, Any], minutes: list[datetime]) -> list[float | None]:
        metric, stat = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
        if metric["Namespace"] != "AWS/Lambda":
            source = self.other_metrics.get(metric["MetricName"])
            return [source(minute) if source else None for minute in minutes]
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        function, version = dimensions["FunctionName"], dimensions["ExecutedVersion"]
        name = _NAMES.get((metric["MetricName"], stat))
        if name is None:  # a trimmed count is of slow invocations
            name = "slow" if stat.startswith("TC(") else stat
        return [self._read_minute(function, version, minute).get(name) for minute in minutes]

    def _read_minute(self, function: str, version: str, minute: datetime) -> Numbers:
        numbers = self._minutes.get((function, version, minute))
        if numbers is None:
            numbers = self.measured(version, minute) if self.measured else {}
        if numbers.get("invocations") is None:
            return numbers
        return _ZERO_BY_DEFAULT | {"timed": numbers["invocations"]} | dict(numbers)


@operation("cloudwatch")
def get_metric_data(account: Account, parameters: Parameters) -> Answer:
    assert isinstance(account, Metrics), "this account measures nothing"
    return account.answer_metric_data(parameters)


def floor(moment: datetime) -> datetime:
    """The beginning of a moment's minute, in UTC."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _list_minutes(begin: datetime, end: datetime) -> Iterator[datetime]:
    minute = floor(begin)
    while minute < end:
        yield minute
        minute += MINUTE
