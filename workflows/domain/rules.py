"""The rules that a candidate is assessed by: limits, and comparisons with stable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from workflows.domain.inputs import Input
from workflows.domain.measurement import Measure, MinuteMetrics

Margin = Annotated[float, Field(gt=0, le=0.2)]
"""By how much the candidate's rate may exceed stable's before it matters.

A part of all requests: 0.02 is two of a hundred requests *more than stable's*, whatever stable's
rate.
"""

Alpha = Annotated[float, Field(gt=0, le=0.5)]
"""The accepted probability of a wrong verdict: 0.01 is one release of a hundred."""

BuiltInMetric = Literal[
    "error_rate",
    "throttle_rate",
    "slow_rate",
    "invocations",
    "duration_p50",
    "duration_p90",
    "duration_p99",
]
"""A metric that is measured of every version.

``duration_p99`` is in milliseconds, ``invocations`` a number a minute, the rates are shares from 0
to 1.
"""

_Name = Annotated[str, Field(min_length=1, max_length=255)]


class CloudWatchMetric(Input):
    """Any metric in CloudWatch, minute by minute.

    In the values of its dimensions, ``{function}``, ``{alias}``, ``{candidate}`` and ``{stable}``
    stand for those of the release.
    """

    namespace: _Name
    name: _Name
    stat: Annotated[str, Field(min_length=1, max_length=30)] = "Sum"
    dimensions: Annotated[Mapping[_Name, _Name], Field(max_length=30)] = Field(
        default_factory=dict[str, str]
    )

    def __str__(self) -> str:
        return f"{self.stat} of {self.namespace} {self.name}"


class Expression(Input):
    """Metric math over metrics, by the ids that they have in the expression.

    ``{"expression": "100 * e / i", "metrics": {"e": …, "i": …}}``
    """

    expression: Annotated[str, Field(min_length=1, max_length=1024)]
    metrics: Annotated[
        Mapping[Annotated[str, Field(pattern=r"^[a-z][a-zA-Z0-9_]{0,30}$")], CloudWatchMetric],
        Field(
            min_length=1,
            max_length=10,
            description="an id begins with a small letter and has letters, digits and _",
        ),
    ]

    def __str__(self) -> str:
        return self.expression


UserMetric = CloudWatchMetric | Expression


def metric_key(metric: UserMetric) -> str:
    """The key of a user's metric in :attr:`MinuteMetrics.user_metrics`."""
    return metric.model_dump_json()


def _tag_metric(value: object) -> str:
    if isinstance(value, str):
        return "<name>"
    if isinstance(value, Expression) or (isinstance(value, Mapping) and "expression" in value):
        return "<expression>"
    return "<metric>"


Metric = Annotated[
    Annotated[BuiltInMetric, Tag("<name>")]
    | Annotated[CloudWatchMetric, Tag("<metric>")]
    | Annotated[Expression, Tag("<expression>")],
    Discriminator(_tag_metric),
]
"""The name of a built-in metric, any other CloudWatch metric, or metric math."""


class Limit(Input):
    """Bounds for one of the candidate's metrics, whatever stable's value.

    Each minute is checked by itself.

    - ``max``, ``min``: the bounds; a value that equals one is within them.
    - ``minutes``: the limit is broken when the last so many measured minutes are all out of bounds.
    - ``of``: a minute with fewer requests is skipped: one error in two requests is no error rate.
    """

    metric: Metric
    max: float | None = None
    min: float | None = None
    minutes: int = Field(default=1, ge=1, le=60)
    of: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _check_bounds(self) -> Limit:
        if self.max is None and self.min is None:
            raise ValueError("a limit needs a max or a min")
        return self

    def read_value(self, minute: MinuteMetrics) -> float | None:
        """The metric in one minute; None where it is missing, or of too few requests."""
        match self.metric:
            case CloudWatchMetric() | Expression():
                return minute.user_metrics.get(metric_key(self.metric))
            case "invocations":
                return minute.invocations
            case "error_rate" | "throttle_rate" | "slow_rate" as measure:
                proportion = minute.proportion(measure)
                if proportion is None or proportion.total < max(1, self.of):
                    return None
                return proportion.rate
            case quantile:
                if (minute.invocations or 0) < self.of:
                    return None
                return minute.quantiles.get(quantile.removeprefix("duration_"))

    def is_within_bounds(self, value: float) -> bool:
        """Whether a value is within the bounds, which are themselves allowed."""
        return (self.max is None or value <= self.max) and (self.min is None or value >= self.min)

    def __str__(self) -> str:
        bounds = [
            f"{words} {bound:g}"
            for words, bound in (("at least", self.min), ("at most", self.max))
            if bound is not None
        ]
        return f"{self.metric} {' and '.join(bounds)}"


class NotWorse(Input):
    """The candidate's rate must not exceed stable's by the margin, or more."""

    metric: Measure = "error_rate"
    margin: Margin = 0.025

    def __str__(self) -> str:
        return f"{self.metric} not worse than stable's by {100 * self.margin:g} points"


class Rules(Input):
    """The rules that a candidate is assessed by.

    ``min_invocations`` of the candidate must have been measured before all rules together pass.
    """

    limits: tuple[Limit, ...] = Field(default=(), max_length=20)
    not_worse: tuple[NotWorse, ...] = Field(default=(), max_length=3)
    min_invocations: int = Field(default=0, ge=0)
    alpha: Alpha = 0.01

    @model_validator(mode="after")
    def _check_metrics(self) -> Rules:
        if len({rule.metric for rule in self.not_worse}) < len(self.not_worse):
            raise ValueError("not_worse: one rule for each metric")
        return self

    @property
    def user_metrics(self) -> tuple[UserMetric, ...]:
        """The user's metrics that the limits name, each once."""
        metrics = (limit.metric for limit in self.limits)
        return tuple(
            {
                metric_key(metric): metric for metric in metrics if not isinstance(metric, str)
            }.values()
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures that are compared with stable."""
        return tuple(rule.metric for rule in self.not_worse)

    @property
    def has_criteria(self) -> bool:
        """Whether there is any limit or comparison."""
        return bool(self.limits or self.not_worse)

    @property
    def harm_threshold(self) -> float:
        """The evidence of harm that stops a release.

        ``alpha`` is divided among the rules, since each may stop it.
        """
        return max(1, len(self.not_worse)) / self.alpha

    @property
    def pass_threshold(self) -> float:
        """The evidence of "not worse" that a rule needs to pass.

        ``alpha`` is not divided: *all* rules must pass.
        """
        return 1 / self.alpha

    def __str__(self) -> str:
        enough = [f"{self.min_invocations} invocations"] if self.min_invocations else []
        return ", ".join([*map(str, self.not_worse), *map(str, self.limits), *enough])
