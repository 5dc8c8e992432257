"""CloudWatch's alarms."""

from __future__ import annotations

import json
from typing import Any

from tests.fake_lambda.account import Account, Answer, Parameters, operation
from tests.fake_lambda.alarm_states import AlarmStates, StateChange


@operation("cloudwatch")
def describe_alarms(account: Account, parameters: Parameters) -> Answer:
    """The alarms of these names that exist. CloudWatch leaves the others out."""
    kinds = parameters.get("AlarmTypes", ["MetricAlarm"])
    answer: Answer = {"MetricAlarms": [], "CompositeAlarms": []}
    for name in parameters.get("AlarmNames", account.alarms):
        kind = _find_kind(account, name)
        if name in account.alarms and kind in kinds:
            answer[f"{kind}s"].append(_describe(account, name))
    return answer


@operation("cloudwatch")
def describe_alarm_history(account: Account, parameters: Parameters) -> Answer:
    """The changes of an alarm's state in a time, the newest first."""
    changes = account.alarms.changes if isinstance(account.alarms, AlarmStates) else []
    begin, end = parameters.get("StartDate"), parameters.get("EndDate")
    found = [
        _report(account, change)
        for change in changes
        if parameters.get("AlarmName") in {None, change.alarm}
        and (begin is None or change.at >= begin)
        and (end is None or change.at <= end)
        and change.before
    ]
    if parameters.get("ScanBy") != "TimestampAscending":
        found.reverse()
    return {"AlarmHistoryItems": found[: parameters.get("MaxRecords", 100)]}


def _find_kind(account: Account, name: str) -> str:
    return "CompositeAlarm" if name in account.composite_alarms else "MetricAlarm"


def _describe(account: Account, name: str) -> dict[str, Any]:
    state = account.alarms[name]
    described: dict[str, Any] = {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:{account.region}:{account.account_id}:alarm:{name}",
        "StateValue": state,
        "StateReason": f"{name} is {state}",
    }
    if isinstance(account.alarms, AlarmStates) and (last := account.alarms.find_last(name)):
        described["StateUpdatedTimestamp"] = last.at
    return described


def _report(account: Account, change: StateChange) -> dict[str, Any]:
    data = {
        "version": "1.0",
        "oldState": {"stateValue": change.before},
        "newState": {"stateValue": change.after},
    }
    return {
        "AlarmName": change.alarm,
        "AlarmType": _find_kind(account, change.alarm),
        "Timestamp": change.at,
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {change.before} to {change.after}",
        "HistoryData": json.dumps(data),
    }
