"""Maps rules to CloudWatch's queries, and CloudWatch's responses to measurements.

Here the words of the activity (:mod:`activities.cloudwatch`) meet those of the domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from activities.cloudwatch.metric_queries import CustomMetric, Metric
from activities.cloudwatch.metrics import MetricsResponse, Numbers, Series
from workflows.domain.adaptive import Adaptive
from workflows.domain.measurement import MetricsPoll, MinuteMetrics
from workflows.domain.rules import CloudWatchMetric, Expression, Rules, UserMetric, metric_key
from workflows.domain.strategy import Analysis, Bake, Steps

_DAY_SECONDS: Final = 86_400.0


def all_rules(strategy: Steps, guards: Rules | None) -> tuple[Rules, ...]:
    """Return all rules that a release is judged by; the guards first."""
    steps = (
        step.rules if isinstance(step, Adaptive) else step
        for step in strategy.steps
        if isinstance(step, Adaptive | Analysis)
    )
    return (*([guards] if guards else []), *steps)


def is_measured(strategy: Steps, guards: Rules | None) -> bool:
    """Whether a release needs measurements at all."""
    return bool(all_rules(strategy, guards)) or any(
        isinstance(step, Bake) and step.min_invocations for step in strategy.steps
    )


def custom_metrics(rules: Iterable[Rules]) -> tuple[UserMetric, ...]:
    """Return the user's own metrics that rules need, each once."""
    return tuple(
        {metric_key(metric): metric for each in rules for metric in each.user_metrics}.values()
    )


def metric_queries(metrics: Iterable[UserMetric], names: Mapping[str, str]) -> list[CustomMetric]:
    """Return the user's own metrics as the activity takes them. Raises ``ValidationError``.

    ``names`` are the values of the placeholders ``{function}``, ``{alias}``, ``{candidate}`` and
    ``{stable}``.
    """
    return [_query(_id(number), metric, names) for number, metric in enumerate(metrics)]


def _id(number: int) -> str:
    return f"m{number}"


def _query(query_id: str, metric: UserMetric, names: Mapping[str, str]) -> CustomMetric:
    match metric:
        case CloudWatchMetric():
            filled = _fill(metric, names)
            return CustomMetric(
                id=query_id,
                namespace=filled.namespace,
                metric_name=filled.metric_name,
                dimensions=filled.dimensions,
                stat=filled.stat,
            )
        case Expression(expression=expression, metrics=metrics):
            return CustomMetric(
                id=query_id,
                expression=expression,
                metrics={inner: _fill(each, names) for inner, each in metrics.items()},
            )


def _fill(metric: CloudWatchMetric, names: Mapping[str, str]) -> Metric:
    """Replace the placeholders in a metric's dimensions."""
    dimensions = dict(metric.dimensions)
    for name, value in names.items():
        dimensions = {
            dimension: given.replace(f"{{{name}}}", value)
            for dimension, given in dimensions.items()
        }
    return Metric(
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=dimensions,
        stat=metric.stat,
    )


def to_look(
    response: MetricsResponse, metrics: tuple[UserMetric, ...], *, candidate: str, stable: str
) -> MetricsPoll:
    """Return a response as measurements; the user's own metrics count as the candidate's."""
    points = to_points(response, candidate)
    for number, metric in enumerate(metrics):
        values = response.others.get(_id(number), [])
        for minute, value in zip(response.minutes, values, strict=False):
            if value is not None:
                point = points.get(minute, MinuteMetrics())
                user_metrics = {**point.user_metrics, metric_key(metric): value}
                points[minute] = point.model_copy(update={"user_metrics": user_metrics})
    return MetricsPoll(
        at=response.at,
        status=response.status,
        candidate=points,
        stable=to_points(response, stable),
    )


def to_points(response: MetricsResponse, version: str) -> dict[datetime, MinuteMetrics]:
    """Return what was reported of one version by minute; minutes without data are left out."""
    series = response.versions.get(version)
    if series is None:
        return {}
    points = {minute: _point(series, index) for index, minute in enumerate(response.minutes)}
    return {minute: point for minute, point in points.items() if point != MinuteMetrics()}


def _point(series: Series, index: int) -> MinuteMetrics:
    def at(numbers: Numbers | None) -> float | None:
        value = numbers[index] if numbers is not None and index < len(numbers) else None
        return None if value is None or value < 0 else value

    quantiles = {"p50": at(series.p50), "p90": at(series.p90), "p99": at(series.p99)}
    return MinuteMetrics(
        invocations=at(series.invocations),
        errors=at(series.errors),
        throttles=at(series.throttles),
        timed=at(series.timed),
        slow=at(series.slow),
        quantiles={name: value for name, value in quantiles.items() if value is not None},
    )


def seconds(duration: timedelta) -> float:
    """Return a duration as the activity takes it: seconds, at most a day."""
    return min(duration.total_seconds(), _DAY_SECONDS)
