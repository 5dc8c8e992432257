"""When an alarm goes off, and when it calms down: exact dimensions, missing data as told, and a look at the clock on every read."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from deploy.local.awslambda import upstream
from deploy.local.awslambda.expressions import UnsupportedExpressionError
from deploy.local.awslambda.queries import Metric, Queries
from deploy.local.awslambda.statistics import UnsupportedStatisticError, check
from deploy.local.awslambda.upstream import Answer, Record

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_WORDS: Final = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_MISSING: Final = ("missing", "ignore", "breaching", "notBreaching")
_SHORT_PERIODS: Final = (10, 20, 30)
_FURTHER: Final = 2
"""Periods looked back beyond those that are evaluated, for data to use in place of missing data, as CloudWatch does."""

_METRIC_ONLY: Final = (
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Dimensions",
    "Unit",
)

_held: Final[dict[str, float]] = {}
"""Until when a state that was set by hand stands: until the next evaluation, which comes once a period."""


def judge(values: Sequence[float | None], alarm: Record) -> str:
    """The state that follows from the values of the last periods, newest first, and from the state that was."""
    periods = int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    compare, threshold = _COMPARISONS[alarm["ComparisonOperator"]], alarm["Threshold"]
    breaching = [compare(value, threshold) for value in values if value is not None][:periods]
    count, lacking = sum(breaching), periods - len(breaching)
    match alarm["TreatMissingData"]:
        case _ if not lacking:
            return "ALARM" if count >= needed else "OK"
        case "breaching":
            return "ALARM" if count + lacking >= needed else "OK"
        case "notBreaching":
            return "ALARM" if count >= needed else "OK"
        case "ignore":
            unclear = count < needed and count == len(breaching)
            return str(alarm["StateValue"]) if unclear else ("ALARM" if count >= needed else "OK")
        case _:
            return (
                "INSUFFICIENT_DATA"
                if not breaching
                else ("ALARM" if count >= min(needed, len(breaching)) else "OK")
            )


def evaluate(alarm: Record) -> None:
    """In ministack's place: look at the metric and change the state if it has to change."""
    now = time.time()
    if (
        "ComparisonOperator" not in alarm
        or not (alarm.get("MetricName") or alarm.get("Metrics"))
        or now < _held.get(alarm["AlarmArn"], 0.0)
    ):
        return
    values = _values(alarm, now)
    before, after = alarm["StateValue"], judge(values, alarm)
    if before == after:
        return
    reason = _reason(values, alarm, after)
    alarm.update(StateValue=after, StateReason=reason, StateUpdatedTimestamp=int(now))
    upstream.record_alarm_history(alarm["AlarmName"], before, after, reason)
    upstream.dispatch_alarm_actions(alarm, before, after, reason)
    upstream.evaluate_parent_alarms(alarm)


def _reason(values: Sequence[float | None], alarm: Record, state: str) -> str:
    """Why an alarm is in its state, nearly as CloudWatch puts it."""
    shown = [round(value, 4) for value in values if value is not None][
        : int(alarm["EvaluationPeriods"])
    ]
    if not shown:
        return (
            "Insufficient Data: no datapoints were received"
            if state == "INSUFFICIENT_DATA"
            else "Threshold Crossed: no datapoints were received"
        )
    count = "1 datapoint was" if len(shown) == 1 else f"{len(shown)} datapoints were"
    breached = "" if state == "ALARM" else "not "
    return f"Threshold Crossed: {count} {breached}{_WORDS[alarm['ComparisonOperator']]} the threshold ({alarm['Threshold']}): {shown}."


def _values(alarm: Record, now: float) -> list[float | None]:
    """The alarm's metric in the last periods, newest first. A period ends now, not at the full minute: an alarm goes off sooner."""
    count = int(alarm["EvaluationPeriods"]) + _FURTHER
    if alarm.get("Metrics"):
        queries = Queries.read(alarm["Metrics"])
        [query] = queries.returned()
        ends = [now - query.period * at for at in range(count)]
        return [queries.value(query, end - query.period, end) for end in ends]
    metric, period = (
        Metric.of(alarm, alarm.get("ExtendedStatistic") or alarm["Statistic"]),
        int(alarm["Period"]),
    )
    ends = [now - period * at for at in range(count)]
    return [metric.value(end - period, end) for end in ends]


def put(params: Any, document: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Answer:  # noqa: FBT001, FBT002 - ministack's signature
    """In ministack's place: an alarm that would not work here is refused, not accepted and forgotten."""
    known = is_cbor or is_json
    problem = _problem(document) if known else _problem_of_form(params)
    if problem:
        return upstream.answer_cloudwatch_error("ValidationError", problem, 400, is_json, is_cbor)
    answer: Answer = upstream.put_metric_alarm(params, document, is_cbor, is_json)
    if upstream.carried_out(answer) and known and document.get("Metrics"):
        alarm = upstream.alarms[document["AlarmName"]]
        for member in _METRIC_ONLY:
            alarm.pop(member, None)
        alarm["Metrics"] = document["Metrics"]
        evaluate(alarm)
    return answer


def _problem(document: dict[str, Any]) -> str | None:
    if document.get("ComparisonOperator") not in _COMPARISONS:
        return f"ComparisonOperator {document.get('ComparisonOperator')} is not emulated here: use one of {', '.join(_COMPARISONS)}"
    if document.get("TreatMissingData", "missing") not in _MISSING:
        return f"TreatMissingData must be one of {', '.join(_MISSING)}"
    if not document.get("Metrics"):
        return _problem_of_metric(document)
    try:
        returned = len(list(Queries.read(document["Metrics"]).returned()))
    except (UnsupportedExpressionError, UnsupportedStatisticError) as problem:
        return str(problem)
    return None if returned == 1 else "exactly one of Metrics must return data"


def _problem_of_metric(document: dict[str, Any]) -> str | None:
    period = int(document.get("Period") or 0)
    if not document.get("MetricName"):
        return "either MetricName or Metrics is needed"
    if not (period in _SHORT_PERIODS or (period > 0 and period % 60 == 0)):
        return "Period must be 10, 20, 30 or a multiple of 60"
    return _problem_of_statistic(document.get("ExtendedStatistic") or document.get("Statistic"))


def _problem_of_statistic(name: str | None) -> str | None:
    try:
        check(name or "Average")
    except UnsupportedStatisticError as problem:
        return str(problem)
    return None


def _problem_of_form(params: Any) -> str | None:
    if "Metrics.member.1.Id" in params:
        return "metric math over the query protocol is not emulated here"
    return _problem_of_statistic(next(iter(params.get("ExtendedStatistic", [])), None))


def describe(params: Any, document: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Answer:  # noqa: FBT001, FBT002 - ministack's signature
    """In ministack's place: time has passed since the last look, so look again first."""
    upstream.evaluate_all_alarms()
    return upstream.describe_alarms(params, document, is_cbor, is_json)


def set_state(
    params: Any,
    document: dict[str, Any],
    is_cbor: bool,
    is_json: bool = False,  # noqa: FBT001, FBT002 - ministack's signature
) -> Answer:
    """In ministack's place: the state stands until the alarm's next evaluation, one period (a minute at most) later."""
    answer: Answer = upstream.set_alarm_state(params, document, is_cbor, is_json)
    name = document.get("AlarmName") or next(iter(params.get("AlarmName", [])), "")
    alarm = upstream.alarms.get(name)
    if upstream.carried_out(answer) and alarm is not None:
        _held[alarm["AlarmArn"]] = time.time() + min(int(alarm.get("Period") or 60), 60)
    return answer
