"""What to think of a candidate, given what was measured: rules that a person sets, and the judgement that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Field, Tag, model_validator

from workflows.domain.inputs import Input
from workflows.domain.measurement import Measure, MinuteMetrics

Margin = Annotated[float, Field(gt=0, le=0.2)]
"""How much more of all requests may fail before it matters: 0.02 is two of a hundred requests *more than stable's*, whatever stable's rate."""

Alpha = Annotated[float, Field(gt=0, le=0.5)]
"""How often a judgement may be wrong: 0.01 is one release of a hundred."""

BuiltIn = Annotated[
    str, Field(pattern=r"^(error_rate|throttle_rate|slow_rate|invocations|duration_p(50|90|99))$")
]
"""What is measured of every version; ``duration_p99`` is in milliseconds, ``invocations`` a number a minute, the others shares from 0 to 1."""

_Words = Annotated[str, Field(min_length=1, max_length=255)]


class CloudWatchMetric(Input):
    """Any metric in CloudWatch, minute by minute.

    ``{function}``, ``{alias}``, ``{candidate}`` and ``{stable}`` in the values of its dimensions stand for those of the release.
    """

    namespace: _Words
    name: _Words
    stat: Annotated[str, Field(min_length=1, max_length=30)] = "Sum"
    dimensions: Annotated[Mapping[_Words, _Words], Field(max_length=30)] = Field(
        default_factory=dict[str, str]
    )

    def __str__(self) -> str:
        return f"{self.stat} of {self.namespace} {self.name}"


class Expression(Input):
    """Metric math over metrics, by the ids that they have in it: ``{"expression": "100 * e / i", "metrics": {"e": …, "i": …}}``."""

    expression: Annotated[str, Field(min_length=1, max_length=1024)]
    metrics: Annotated[
        Mapping[Annotated[str, Field(pattern=r"^[a-z][a-zA-Z0-9_]{0,30}$")], CloudWatchMetric],
        Field(min_length=1, max_length=10),
    ]

    def __str__(self) -> str:
        return self.expression


UserMetric = CloudWatchMetric | Expression


def _which(value: object) -> str:
    if isinstance(value, str):
        return "<name>"
    return (
        "<expression>"
        if isinstance(value, Expression) or (isinstance(value, Mapping) and "expression" in value)
        else "<metric>"
    )


Metric = Annotated[
    Annotated[BuiltIn, Tag("<name>")]
    | Annotated[CloudWatchMetric, Tag("<metric>")]
    | Annotated[Expression, Tag("<expression>")],
    Discriminator(_which),
]
"""A metric by its name, or any other of CloudWatch's, or metric math over such."""


class Limit(Input):
    """The candidate's own value of a metric must stay within bounds, each minute by itself, whatever stable does.

    It is broken when the last ``minutes`` minutes that were measured are all out of bounds. A minute with fewer requests than ``of`` is passed
    over: one error in two requests is no error rate. ``metric`` is one that is measured of every version, or any other of CloudWatch's.
    """

    metric: Metric
    max: float | None = None
    min: float | None = None
    minutes: int = Field(default=1, ge=1, le=60)
    of: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _bounded(self) -> Limit:
        if self.max is None and self.min is None:
            raise ValueError("a limit needs a max or a min")
        return self

    def value(self, point: MinuteMetrics) -> float | None:
        """The metric in one minute; None where CloudWatch does not tell it, or too few requests stand behind it."""
        match self.metric:
            case CloudWatchMetric() | Expression():
                return point.user_metrics.get(metric_key(self.metric))
            case "invocations":
                return point.invocations
            case "error_rate" | "throttle_rate" | "slow_rate" as measure:
                share = point.proportion(measure)
                return share.rate if share and share.total >= max(1, self.of) else None
            case quantile:
                return (
                    point.quantiles.get(quantile.removeprefix("duration_"))
                    if (point.invocations or 0) >= self.of
                    else None
                )

    def is_within_bounds(self, value: float) -> bool:
        """Whether a value is within the bounds; the bounds themselves are."""
        return (self.max is None or value <= self.max) and (self.min is None or value >= self.min)

    def __str__(self) -> str:
        bounds = [
            f"{words} {bound:g}"
            for words, bound in (("at least", self.min), ("at most", self.max))
            if bound is not None
        ]
        return f"{self.metric} {' and '.join(bounds)}"


def metric_key(metric: UserMetric) -> str:
    """What a metric of the user's own is called among what was measured."""
    return metric.model_dump_json()


class NotWorse(Input):
    """The candidate's share of bad requests must not be above stable's by the margin, or more."""

    metric: Measure = "error_rate"
    margin: Margin = 0.025

    def __str__(self) -> str:
        return f"{self.metric} not worse than stable's by {100 * self.margin:g} points"


class Rules(Input):
    """What a candidate is judged by.

    ``min_invocations`` of the candidate must have been measured before anything counts as passed.
    """

    limits: tuple[Limit, ...] = Field(default=(), max_length=20)
    not_worse: tuple[NotWorse, ...] = Field(default=(), max_length=3)
    min_invocations: int = Field(default=0, ge=0)
    alpha: Alpha = 0.01

    @model_validator(mode="after")
    def _once_each(self) -> Rules:
        if len({rule.metric for rule in self.not_worse}) < len(self.not_worse):
            raise ValueError("not_worse: one rule for each metric")
        return self

    @property
    def user_metrics(self) -> tuple[UserMetric, ...]:
        """The metrics of the user's own, each once."""
        found = (limit.metric for limit in self.limits)
        return tuple(
            {metric_key(metric): metric for metric in found if not isinstance(metric, str)}.values()
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is compared with stable."""
        return tuple(rule.metric for rule in self.not_worse)

    def __str__(self) -> str:
        enough = [f"{self.min_invocations} invocations"] if self.min_invocations else []
        return ", ".join([*map(str, self.not_worse), *map(str, self.limits), *enough])

    @property
    def has_criteria(self) -> bool:
        """Whether there is anything that they judge by."""
        return bool(self.limits or self.not_worse)

    @property
    def harm_threshold(self) -> float:
        """The evidence of harm that stops a release: ``alpha`` is divided among the rules, since each may stop it."""
        return max(1, len(self.not_worse)) / self.alpha

    @property
    def pass_threshold(self) -> float:
        """The evidence of "not worse" that a rule is passed with. It is not divided: *all* rules must pass."""
        return 1 / self.alpha
