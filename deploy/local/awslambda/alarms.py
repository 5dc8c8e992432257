"""Alarms with exact dimensions, evaluated at every read."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from deploy.local.awslambda import ministack_api
from deploy.local.awslambda.metric_math import UnsupportedExpressionError
from deploy.local.awslambda.metric_queries import MetricStatistic, Queries
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.statistics import UnsupportedStatisticError, check_statistic

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_COMPARISON_TEXTS: Final = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_MISSING_DATA: Final = ("missing", "ignore", "breaching", "notBreaching")
_SHORT_PERIODS: Final = (10, 20, 30)
_EXTRA_PERIODS: Final = 2
"""Periods before the evaluated ones whose data replaces missing data, as in CloudWatch."""

_SINGLE_METRIC_MEMBERS: Final = (
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Dimensions",
    "Unit",
)

_held_until: Final[dict[str, float]] = {}
"""When the next evaluation replaces a state that was set by SetAlarmState, by alarm ARN.

An evaluation comes once a period.
"""


def compute_state(values: Sequence[float | None], alarm: Record) -> str:
    """Compute an alarm's state from the values of the last periods, newest first.

    ``TreatMissingData`` may keep the state that the alarm has.
    """
    periods = int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    compare, threshold = _COMPARISONS[alarm["ComparisonOperator"]], alarm["Threshold"]
    breaching = [compare(value, threshold) for value in values if value is not None][:periods]
    count, missing = sum(breaching), periods - len(breaching)
    match alarm["TreatMissingData"]:
        case _ if not missing:
            return "ALARM" if count >= needed else "OK"
        case "breaching":
            return "ALARM" if count + missing >= needed else "OK"
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


def evaluate_alarm(alarm: Record) -> None:
    """Evaluate an alarm and change its state, in place of ministack's function."""
    now = time.time()
    if (
        "ComparisonOperator" not in alarm
        or not (alarm.get("MetricName") or alarm.get("Metrics"))
        or now < _held_until.get(alarm["AlarmArn"], 0.0)
    ):
        return
    values = _read_values(alarm, now)
    before, after = alarm["StateValue"], compute_state(values, alarm)
    if before == after:
        return
    reason = _explain_state(values, alarm, after)
    alarm.update(StateValue=after, StateReason=reason, StateUpdatedTimestamp=int(now))
    ministack_api.record_alarm_history(alarm["AlarmName"], before, after, reason)
    ministack_api.dispatch_alarm_actions(alarm, before, after, reason)
    ministack_api.evaluate_parent_alarms(alarm)


def _explain_state(values: Sequence[float | None], alarm: Record, state: str) -> str:
    """Build the reason of a state, nearly as CloudWatch's."""
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
    comparison = f"{breached}{_COMPARISON_TEXTS[alarm['ComparisonOperator']]}"
    threshold = alarm["Threshold"]
    return f"Threshold Crossed: {count} {comparison} the threshold ({threshold}): {shown}."


def _read_values(alarm: Record, now: float) -> list[float | None]:
    """Read the alarm's metric in the last periods, newest first.

    The newest period ends now, not at the full minute, so an alarm changes sooner than on AWS.
    """
    count = int(alarm["EvaluationPeriods"]) + _EXTRA_PERIODS
    if alarm.get("Metrics"):
        queries = Queries.parse(alarm["Metrics"])
        [query] = queries.returned()
        ends = [now - query.period * at for at in range(count)]
        return [queries.value(query, end - query.period, end) for end in ends]
    metric, period = (
        MetricStatistic.parse(alarm, alarm.get("ExtendedStatistic") or alarm["Statistic"]),
        int(alarm["Period"]),
    )
    ends = [now - period * at for at in range(count)]
    return [metric.value(end - period, end) for end in ends]


def put_metric_alarm(
    params: Any,
    document: dict[str, Any],
    is_cbor: bool,  # noqa: FBT001 - ministack's signature
    is_json: bool = False,  # noqa: FBT001, FBT002 - ministack's signature
) -> Response:
    """Put an alarm, in place of ministack's function.

    An alarm that would not work here is refused.
    """
    known = is_cbor or is_json
    problem = _check_alarm(document) if known else _check_form(params)
    if problem:
        return ministack_api.cloudwatch_error("ValidationError", problem, 400, is_json, is_cbor)
    response: Response = ministack_api.put_metric_alarm(params, document, is_cbor, is_json)
    if ministack_api.is_success(response) and known and document.get("Metrics"):
        alarm = ministack_api.alarms[document["AlarmName"]]
        for member in _SINGLE_METRIC_MEMBERS:
            alarm.pop(member, None)
        alarm["Metrics"] = document["Metrics"]
        evaluate_alarm(alarm)
    return response


def _check_alarm(document: dict[str, Any]) -> str | None:
    if document.get("ComparisonOperator") not in _COMPARISONS:
        return (
            f"ComparisonOperator {document.get('ComparisonOperator')} is not emulated here: "
            f"use one of {', '.join(_COMPARISONS)}"
        )
    if document.get("TreatMissingData", "missing") not in _MISSING_DATA:
        return f"TreatMissingData must be one of {', '.join(_MISSING_DATA)}"
    if not document.get("Metrics"):
        return _check_metric(document)
    try:
        returned = len(list(Queries.parse(document["Metrics"]).returned()))
    except (UnsupportedExpressionError, UnsupportedStatisticError) as problem:
        return str(problem)
    return None if returned == 1 else "exactly one of Metrics must return data"


def _check_metric(document: dict[str, Any]) -> str | None:
    period = int(document.get("Period") or 0)
    if not document.get("MetricName"):
        return "either MetricName or Metrics is needed"
    if not (period in _SHORT_PERIODS or (period > 0 and period % 60 == 0)):
        return "Period must be 10, 20, 30 or a multiple of 60"
    return _check_alarm_statistic(document.get("ExtendedStatistic") or document.get("Statistic"))


def _check_alarm_statistic(name: str | None) -> str | None:
    try:
        check_statistic(name or "Average")
    except UnsupportedStatisticError as problem:
        return str(problem)
    return None


def _check_form(params: Any) -> str | None:
    if "Metrics.member.1.Id" in params:
        return "metric math over the query protocol is not emulated here"
    return _check_alarm_statistic(next(iter(params.get("ExtendedStatistic", [])), None))


def describe_alarms(
    params: Any,
    document: dict[str, Any],
    is_cbor: bool,  # noqa: FBT001 - ministack's signature
    is_json: bool = False,  # noqa: FBT001, FBT002 - ministack's signature
) -> Response:
    """Evaluate all alarms, then describe them, in place of ministack's function."""
    ministack_api.evaluate_all_alarms()
    return ministack_api.describe_alarms(params, document, is_cbor, is_json)


def set_alarm_state(
    params: Any,
    document: dict[str, Any],
    is_cbor: bool,  # noqa: FBT001 - ministack's signature
    is_json: bool = False,  # noqa: FBT001, FBT002 - ministack's signature
) -> Response:
    """Set a state until the next evaluation, in place of ministack's function.

    The next evaluation is one period later, at most a minute.
    """
    response: Response = ministack_api.set_alarm_state(params, document, is_cbor, is_json)
    name = document.get("AlarmName") or next(iter(params.get("AlarmName", [])), "")
    alarm = ministack_api.alarms.get(name)
    if ministack_api.is_success(response) and alarm is not None:
        _held_until[alarm["AlarmArn"]] = time.time() + min(int(alarm.get("Period") or 60), 60)
    return response
