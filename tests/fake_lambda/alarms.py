"""CloudWatch's alarms."""

from __future__ import annotations

from tests.fake_lambda.account import Account, Answer, Parameters, operation


@operation("cloudwatch")
def describe_alarms(account: Account, parameters: Parameters) -> Answer:
    """The alarms of these names that exist. CloudWatch leaves the others out."""
    kinds = parameters.get("AlarmTypes", ["MetricAlarm"])
    answer: Answer = {"MetricAlarms": [], "CompositeAlarms": []}
    for name in parameters.get("AlarmNames", account.alarms):
        kind = "CompositeAlarm" if name in account.composite_alarms else "MetricAlarm"
        if name in account.alarms and kind in kinds:
            state = account.alarms[name]
            answer[f"{kind}s"].append(
                {"AlarmName": name, "StateValue": state, "StateReason": f"{name} is {state}"}
            )
    return answer
