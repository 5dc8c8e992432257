"""Reserved and provisioned concurrency, and the account's limit."""

from __future__ import annotations

from tests.fake_lambda.account import LATEST, Account, Answer, Function, Parameters, operation
from tests.fake_lambda.refusals import Refusal, conflict, invalid

MIN_UNRESERVED = 100
"""Concurrent executions that AWS keeps for functions without a reservation."""


@operation("lambda")
def get_account_settings(account: Account, _: Parameters) -> Answer:
    limit = {
        "ConcurrentExecutions": account.concurrency_limit,
        "UnreservedConcurrentExecutions": compute_unreserved(account),
    }
    return {"AccountLimit": limit, "AccountUsage": {"FunctionCount": len(account.functions)}}


@operation("lambda")
def put_function_concurrency(account: Account, parameters: Parameters) -> Answer:
    wanted = parameters["ReservedConcurrentExecutions"]
    function, _ = account.find(parameters)
    if compute_unreserved(account) + (function.reserved or 0) - wanted < MIN_UNRESERVED:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{MIN_UNRESERVED}]."
        )
    if wanted < _sum_provisioned(function):
        raise invalid("ReservedConcurrentExecutions is less than the provisioned concurrency")
    function.reserved = wanted
    return {"ReservedConcurrentExecutions": wanted}


@operation("lambda")
def delete_function_concurrency(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    function.reserved = None
    return {}


@operation("lambda")
def put_provisioned_concurrency_config(account: Account, parameters: Parameters) -> Answer:
    wanted = parameters["ProvisionedConcurrentExecutions"]
    function, _ = account.find(parameters)
    qualifier = parameters["Qualifier"]
    _check_qualifier(account, function, qualifier)
    rest = _sum_provisioned(function) - function.provisioned.get(qualifier, {}).get(
        "RequestedProvisionedConcurrentExecutions", 0
    )
    available = (
        compute_unreserved(account) - MIN_UNRESERVED
        if function.reserved is None
        else function.reserved
    )
    if rest + wanted > available:
        raise invalid(
            "Requested Provisioned Concurrency should not be greater than the "
            f"{available} concurrent executions that are available"
        )
    function.provisioned[qualifier] = {
        "RequestedProvisionedConcurrentExecutions": wanted,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
        "LastModified": "2026-11-22T10:00:00+0000",
    }
    return function.provisioned[qualifier]


@operation("lambda")
def get_provisioned_concurrency_config(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    account.configuration(function, parameters["Qualifier"])
    found = function.provisioned.get(parameters["Qualifier"])
    if found is None:
        raise _no_config()
    if account.provisioning_fails and found["Status"] == "IN_PROGRESS":
        found.update(Status="FAILED", StatusReason=account.provisioning_fails)
    elif found["Status"] == "IN_PROGRESS":
        wanted = found["RequestedProvisionedConcurrentExecutions"]
        found.update(
            Status="READY",
            AllocatedProvisionedConcurrentExecutions=wanted,
            AvailableProvisionedConcurrentExecutions=wanted,
        )
    return found


@operation("lambda")
def delete_provisioned_concurrency_config(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    function.provisioned.pop(parameters["Qualifier"], None)
    return {}


def compute_unreserved(account: Account) -> int:
    return account.concurrency_limit - sum(
        function.reserved or 0 for function in account.functions.values()
    )


def _check_qualifier(account: Account, function: Function, qualifier: str) -> None:
    if qualifier == LATEST:
        raise invalid(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    account.configuration(function, qualifier)
    alias = function.aliases.get(qualifier)
    if alias and alias.get("RoutingConfig"):
        raise invalid("Invalid alias configuration for Provisioned Concurrency")
    if alias and alias["FunctionVersion"] in function.provisioned:
        raise conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already "
            "Provisioned version"
        )
    provisioned_aliases = [name for name in function.provisioned if name in function.aliases]
    if any(function.aliases[name]["FunctionVersion"] == qualifier for name in provisioned_aliases):
        raise conflict("Version is pointed by a Provisioned Concurrency alias")


def _no_config() -> Refusal:
    return Refusal(
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )


def _sum_provisioned(function: Function) -> int:
    return sum(
        config["RequestedProvisionedConcurrentExecutions"]
        for config in function.provisioned.values()
    )
