"""Checks which permissions the worker's credentials have, and changes nothing.

IAM simulates them, where the worker may ask it (``iam:SimulatePrincipalPolicy`` on its own role):
with the boundary and the organization's policies, without the resource policies of functions. Else
the reads are tried, and the writes remain unknown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from activities.check_result import CheckResult, CheckState
from activities.errors import AwsError
from activities.operation import Aws
from activities.permission_needs import CONDITIONS, NEEDS, PermissionNeed, Scope
from activities.permission_reads import try_reads
from activities.permission_resources import PermissionResources

_CHECK: Final = "permissions"
_ASSUMED_ROLE: Final = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/.*")
_MOST_PAGES: Final = 10
_SIMULATED: Final = "simulated by IAM"
_KEY_ACTIONS: Final = "kms:"

_Verdicts = dict[tuple[str, Scope], bool]


class PermissionCheck:
    """What the credentials behind ``aws`` may do with one function."""

    def __init__(self, aws: Aws, *, caller: str, resources: PermissionResources) -> None:
        """``caller`` is the ARN that STS gives."""
        self._aws = aws
        self._caller = caller
        self._resources = resources

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
            verdicts, how, reason = await try_reads(self._aws, self._resources), "tried", str(error)
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

    async def _simulate(self, principal: str) -> tuple[_Verdicts, set[str]]:
        """Have IAM decide each action. Raises ``AwsError`` where it does not.

        An action that is denied only for want of a condition key, such as a tag of the function, is
        undecided. The second of the pair are those keys.
        """
        actions: defaultdict[Scope, dict[str, None]] = defaultdict(dict)
        for need in NEEDS:
            for action, scope in self._resources.list_checked(need):
                actions[scope][action] = None
        verdicts, conditions = _Verdicts(), set[str]()
        for scope, names in actions.items():
            for resource in self._resources.arns[scope]:
                request = {
                    "PolicySourceArn": principal,
                    "ActionNames": list(names),
                    "ResourceArns": [resource],
                    **self._describe_context(scope),
                }
                async for result in self._ask(request):
                    key = str(result.get("EvalActionName")), scope
                    is_allowed = result.get("EvalDecision") == "allowed"
                    missing: list[str] = result.get("MissingContextValues") or []
                    conditions.update(missing)
                    if is_allowed or not missing:
                        verdicts[key] = is_allowed and verdicts.get(key, True)
        return verdicts, conditions

    async def _ask(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        page: dict[str, Any] = dict(request)
        for _ in range(_MOST_PAGES):
            answer = await self._aws.call("iam", "simulate_principal_policy", page)
            for result in answer.get("EvaluationResults", ()):
                yield result
            if not answer.get("IsTruncated"):
                return
            page["Marker"] = answer.get("Marker")

    def _describe_context(self, scope: Scope) -> dict[str, Any]:
        """Return through which service of AWS a resource is used, as policies may demand it."""
        if scope not in CONDITIONS:
            return {}
        key, (service, *_) = CONDITIONS[scope]
        region = f".{self._resources.function.split(':')[3]}" if key == "kms:ViaService" else ""
        entry = {
            "ContextKeyName": key,
            "ContextKeyValues": [f"{service}{region}.amazonaws.com"],
            "ContextKeyType": "string",
        }
        return {"ContextEntries": [entry]}

    # --- summary ---------------------------------------------------------------------------------

    def _summarize(self, verdicts: _Verdicts, how: str, reason: str) -> Iterator[CheckResult]:
        unknown: dict[str, None] = {}
        for need in NEEDS:
            checked = self._resources.list_checked(need)
            denied = [key for key in checked if verdicts.get(key) is False]
            unknown |= {
                action: None for action, scope in checked if (action, scope) not in verdicts
            }
            if denied:
                yield self._describe_denied(need, denied, how)
            elif checked and all(key in verdicts for key in checked):
                count = len(checked)
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

    def _describe_denied(
        self, need: PermissionNeed, denied: list[tuple[str, Scope]], how: str
    ) -> CheckResult:
        resources = dict.fromkeys(arn for _, scope in denied for arn in self._resources.arns[scope])
        actions = ", ".join(action for action, _ in denied)
        use = "" if need.is_required else f", before a release uses {need.purpose}"
        by_key = ", there or in the policy of the key" if actions.startswith(_KEY_ACTIONS) else ""
        return CheckResult(
            check=_CHECK,
            state=CheckState.FAILED if need.is_required else CheckState.WARNING,
            text=f"{need.purpose}: {actions} denied to {self._caller} ({how})",
            remedy=f"allow that on {' and '.join(resources)}{by_key}{use}",
        )
