"""What CloudWatch is asked and what it answered, as the values that a candidate is judged by: where the activity's words meet the domain's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from activities.cloudwatch.metric_queries import Metric, CustomMetric
from activities.cloudwatch.metrics import MetricsResponse, Numbers, Series
from workflows.domain.adaptive import Adaptive
from workflows.domain.measurement import MetricsPoll, MinuteMetrics
from workflows.domain.rules import CloudWatchMetric, Expression, UserMetric, Rules, metric_key
from workflows.domain.strategy import Analysis, Bake, Steps


def rules_of(strategy: Steps, guards: Rules | None) -> tuple[Rules, ...]:
    """All the rules that a release is judged by; the guards first."""
    steps = (
        step.rules if isinstance(step, Adaptive) else step
        for step in strategy.steps
        if isinstance(step, Adaptive | Analysis)
    )
    return (*([guards] if guards else []), *steps)


def is_measured(strategy: Steps, guards: Rules | None) -> bool:
    """Whether a release asks what was measured at all."""
    return bool(rules_of(strategy, guards)) or any(
        isinstance(step, Bake) and step.min_invocations for step in strategy.steps
    )


def others_of(rules: Iterable[Rules]) -> tuple[UserMetric, ...]:
    """The metrics of the user's own that rules need, each once."""
    return tuple({metric_key(metric): metric for one in rules for metric in one.user_metrics}.values())


def asked(others: Iterable[UserMetric], names: Mapping[str, str]) -> list[CustomMetric]:
    """The user's own metrics as they are asked for; ``names`` are what stands for ``{function}`` and so on. Raises ``ValidationError``."""
    return [_asked(f"m{number}", other, names) for number, other in enumerate(others)]


def _asked(name: str, other: UserMetric, names: Mapping[str, str]) -> CustomMetric:
    match other:
        case CloudWatchMetric():
            metric = _metric(other, names)
            return CustomMetric(
                id=name,
                namespace=metric.namespace,
                metric_name=metric.metric_name,
                dimensions=metric.dimensions,
                stat=metric.stat,
            )
        case Expression(expression=expression, metrics=metrics):
            return CustomMetric(
                id=name,
                expression=expression,
                metrics={inner: _metric(one, names) for inner, one in metrics.items()},
            )


def _metric(metric: CloudWatchMetric, names: Mapping[str, str]) -> Metric:
    dimensions = dict(metric.dimensions)
    for name, value in names.items():
        dimensions = {
            dimension: given.replace(f"{{{name}}}", value)
            for dimension, given in dimensions.items()
        }
    return Metric(
        namespace=metric.namespace, metric_name=metric.name, dimensions=dimensions, stat=metric.stat
    )


def look_of(
    told: MetricsResponse, others: tuple[UserMetric, ...], *, candidate: str, stable: str
) -> MetricsPoll:
    """One answer of CloudWatch's as a look; the user's own metrics are taken for the candidate's."""
    points = points_of(told, candidate)
    for number, metric in enumerate(others):
        for minute, value in zip(told.minutes, told.others.get(f"m{number}", []), strict=False):
            if value is not None:
                point = points.get(minute, MinuteMetrics())
                points[minute] = point.model_copy(
                    update={"user_metrics": {**point.user_metrics, metric_key(metric): value}}
                )
    return MetricsPoll(at=told.at, status=told.status, candidate=points, stable=points_of(told, stable))


def points_of(told: MetricsResponse, version: str) -> dict[datetime, MinuteMetrics]:
    """What was told of one version, minute by minute; a minute of which nothing was told is not there."""
    series = told.versions.get(version)
    if series is None:
        return {}
    points = {minute: _point(series, index) for index, minute in enumerate(told.minutes)}
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


def seconds(span: timedelta) -> float:
    """A span as the activity takes it, at most a day."""
    return min(span.total_seconds(), 86_400.0)
