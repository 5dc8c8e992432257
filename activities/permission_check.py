"""Checks which permissions the worker's credentials have, and changes nothing.

IAM simulates them, where the worker may ask it (``iam:SimulatePrincipalPolicy`` on its own role):
with the boundary and the organization's policies, without the resource policies of functions. Else
the reads are tried, and the writes remain unknown.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activities.check_result import CheckResult, CheckState
from activities.errors import AwsError, Fault, classify_error
from activities.operation import Aws
from activities.permission_needs import NEEDS, PermissionNeed

_CHECK: Final = "permissions"
_ASSUMED_ROLE: Final = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/.*")
_MOST_PAGES: Final = 10
_SIMULATED: Final = "simulated by IAM"

_TRIED: Final[Mapping[str, tuple[str, str]]] = {
    "lambda:GetFunction": ("lambda", "get_function"),
    "lambda:GetAlias": ("lambda", "get_alias"),
    "lambda:ListVersionsByFunction": ("lambda", "list_versions_by_function"),
    "lambda:ListProvisionedConcurrencyConfigs": ("lambda", "list_provisioned_concurrency_configs"),
    "lambda:GetAccountSettings": ("lambda", "get_account_settings"),
    "lambda:GetProvisionedConcurrencyConfig": ("lambda", "get_provisioned_concurrency_config"),
    "lambda:ListEventSourceMappings": ("lambda", "list_event_source_mappings"),
    "lambda:GetPolicy": ("lambda", "get_policy"),
    "lambda:ListFunctionUrlConfigs": ("lambda", "list_function_url_configs"),
    "cloudwatch:DescribeAlarms": ("cloudwatch", "describe_alarms"),
    "cloudwatch:DescribeAlarmHistory": ("cloudwatch", "describe_alarm_history"),
    "cloudwatch:GetMetricData": ("cloudwatch", "get_metric_data"),
}


class PermissionCheck:
    """What the credentials behind ``aws`` may do with one function."""

    def __init__(self, aws: Aws, *, caller: str, function: str, alias: str, version: str) -> None:
        """``caller`` is the ARN that STS gives, ``function`` an ARN without a qualifier."""
        self._aws = aws
        self._caller = caller
        self._function = function
        self._alias = alias
        self._version = version

    async def run(self) -> list[CheckResult]:
        """Return one finding for each purpose, and one for what could not be verified."""
        if self._caller.endswith(":root"):
            text = f"{self._caller} may do everything in its account"
            return [CheckResult(check=_CHECK, state=CheckState.OK, text=text)]
        try:
            verdicts, conditions = await self._simulate(await self._find_principal())
            how = _SIMULATED
            keys = ", ".join(sorted(conditions))
            reason = f"it depends on {keys}" if keys else "IAM has not decided it"
        except AwsError as error:
            verdicts, how, reason = await self._try_reads(), "tried", str(error)
        return list(self._summarize(verdicts, how, reason))

    # --- simulated -------------------------------------------------------------------------------

    async def _find_principal(self) -> str:
        """Return the ARN of the user or role. Only IAM knows the path of a role."""
        if not (found := _ASSUMED_ROLE.fullmatch(self._caller)):
            return self._caller
        partition, account, name = found.groups()
        try:
            answer = await self._aws.call("iam", "get_role", {"RoleName": name})
        except AwsError:
            return f"arn:{partition}:iam::{account}:role/{name}"
        return str(answer["Role"]["Arn"])

    async def _simulate(self, principal: str) -> tuple[dict[str, bool], set[str]]:
        """Have IAM decide each action. Raises ``AwsError`` where it does not.

        An action that is denied only for want of a condition key, such as a tag of the function, is
        undecided. The second of the pair are those keys.
        """
        by_resource: defaultdict[str, list[str]] = defaultdict(list)
        for need in NEEDS:
            for action in need.actions:
                by_resource[self._resource_of(need, action)].append(action)
        verdicts, conditions = dict[str, bool](), set[str]()
        for resource, actions in by_resource.items():
            request: dict[str, Any] = {
                "PolicySourceArn": principal,
                "ActionNames": actions,
                "ResourceArns": [resource],
            }
            for _ in range(_MOST_PAGES):
                answer = await self._aws.call("iam", "simulate_principal_policy", request)
                for result in answer.get("EvaluationResults", ()):
                    action = str(result.get("EvalActionName"))
                    is_allowed = result.get("EvalDecision") == "allowed"
                    missing: list[str] = result.get("MissingContextValues") or []
                    conditions.update(missing)
                    if is_allowed or not missing:
                        verdicts[action] = is_allowed
                if not answer.get("IsTruncated"):
                    break
                request["Marker"] = answer.get("Marker")
        return verdicts, conditions

    # --- tried -----------------------------------------------------------------------------------

    async def _try_reads(self) -> dict[str, bool]:
        verdicts = await asyncio.gather(*map(self._try_read, _TRIED))
        return {
            action: verdict
            for action, verdict in zip(_TRIED, verdicts, strict=True)
            if verdict is not None
        }

    async def _try_read(self, action: str) -> bool | None:
        """Whether a read is allowed; None where something else went wrong."""
        service, operation = _TRIED[action]
        try:
            await self._aws.call(service, operation, self._make_read(operation))
        except AwsError as error:
            fault = classify_error(error)
            if fault is Fault.DENIED and not error.is_about_worker:
                return False
            return True if fault is Fault.NOT_FOUND else None
        return True

    def _make_read(self, operation: str) -> dict[str, Any]:
        function = {"FunctionName": self._function}
        match operation:
            case "get_alias":
                return {**function, "Name": self._alias}
            case "get_provisioned_concurrency_config":
                return {**function, "Qualifier": self._alias}
            case "get_account_settings":
                return {}
            case "describe_alarms" | "describe_alarm_history":
                return {"MaxRecords": 1}
            case "get_metric_data":
                name = self._function.rpartition(":")[2]
                return _make_metric_request(name, self._alias, self._version)
            case _:
                return function

    # --- summary ---------------------------------------------------------------------------------

    def _summarize(
        self, verdicts: Mapping[str, bool], how: str, reason: str
    ) -> Iterator[CheckResult]:
        unknown: list[str] = []
        for need in NEEDS:
            denied = [action for action in need.actions if verdicts.get(action) is False]
            unknown += [action for action in need.actions if action not in verdicts]
            if denied:
                yield self._describe_denied(need, denied, how)
            elif all(action in verdicts for action in need.actions):
                count = len(need.actions)
                text = f"{need.purpose}: {count} {'action is' if count == 1 else 'actions are'}"
                yield CheckResult(
                    check=_CHECK,
                    state=CheckState.OK,
                    text=f"{text} allowed to {self._caller} ({how})",
                )
        if unknown:
            yield CheckResult(
                check=_CHECK,
                state=CheckState.WARNING,
                text=f"not verified: {', '.join(unknown)} ({reason})",
                remedy=""
                if how == _SIMULATED
                else "allow iam:SimulatePrincipalPolicy and iam:GetRole to the worker's role, on "
                "itself, to have them checked",
            )

    def _describe_denied(self, need: PermissionNeed, denied: list[str], how: str) -> CheckResult:
        resources = dict.fromkeys(self._resource_of(need, action) for action in denied)
        use = "" if need.is_required else f", before a release uses {need.purpose}"
        return CheckResult(
            check=_CHECK,
            state=CheckState.FAILED if need.is_required else CheckState.WARNING,
            text=f"{need.purpose}: {', '.join(denied)} denied to {self._caller} ({how})",
            remedy=f"allow that on {' and '.join(resources)}{use}",
        )

    def _resource_of(self, need: PermissionNeed, action: str) -> str:
        return need.resource_of(action, function=self._function, version=self._version)


def _make_metric_request(function: str, alias: str, version: str) -> dict[str, Any]:
    """Request one number, to learn whether it may be requested."""
    now = datetime.now(UTC)
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Invocations",
        "Dimensions": [
            {"Name": "FunctionName", "Value": function},
            {"Name": "Resource", "Value": f"{function}:{alias}"},
            {"Name": "ExecutedVersion", "Value": version},
        ],
    }
    query = {"Id": "invocations", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    start = now - timedelta(minutes=5)
    return {"MetricDataQueries": [query], "StartTime": start, "EndTime": now}
