"""Reserved and provisioned concurrency, and the account's limit."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import LATEST, Account, Answer, Function, Parameters, operation
from tests.fake_lambda.refusals import Refusal, conflict, invalid, wrong_state

MIN_UNRESERVED = 100
"""Concurrent executions that AWS keeps for functions without a reservation.

All of them, in an account that has fewer.
"""


@operation("lambda")
def get_account_settings(account: Account, _: Parameters) -> Answer:
    limit = {
        "ConcurrentExecutions": account.concurrency_limit,
        "UnreservedConcurrentExecutions": compute_unreserved(account),
    }
    return {"AccountLimit": limit, "AccountUsage": {"FunctionCount": len(account.functions)}}


@operation("lambda")
def get_function_concurrency(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    reserved = function.reserved
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


@operation("lambda")
def put_function_concurrency(account: Account, parameters: Parameters) -> Answer:
    wanted = parameters["ReservedConcurrentExecutions"]
    function, qualifier = account.find(parameters)
    if qualifier is not None:
        raise invalid("This operation is permitted on Lambda functions only.")
    provisioned = sum_provisioned(function)
    if wanted < provisioned:
        raise invalid(
            f"ReservedConcurrentExecutions  {wanted} should not be lower than function's total "
            f"provisioned concurrency [{provisioned}]."
        )
    used = provisioned if function.reserved is None else function.reserved
    _check_unreserved(account, "ReservedConcurrentExecutions", wanted - used)
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
    had = function.provisioned.get(qualifier, {}).get("RequestedProvisionedConcurrentExecutions", 0)
    if function.reserved is None:
        _check_unreserved(account, "ConcurrentExecutions", wanted - had)
    elif sum_provisioned(function) - had + wanted > function.reserved:
        raise invalid(
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function"
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
    elif found["Status"] == "IN_PROGRESS" and parameters["Qualifier"] not in function.shifting:
        allocate(found)
    return found


@operation("lambda")
def list_provisioned_concurrency_configs(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    listed = [
        {"FunctionArn": f"{function.arn}:{qualifier}", **config}
        for qualifier, config in function.provisioned.items()
    ]
    return account.page(parameters, "ProvisionedConcurrencyConfigs", listed)


@operation("lambda")
def delete_provisioned_concurrency_config(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    function.provisioned.pop(parameters["Qualifier"], None)
    return {}


def allocate(config: dict[str, Any]) -> None:
    """Let what was requested be there."""
    wanted = config["RequestedProvisionedConcurrentExecutions"]
    config.update(
        Status="READY",
        AllocatedProvisionedConcurrentExecutions=wanted,
        AvailableProvisionedConcurrentExecutions=wanted,
    )


def compute_unreserved(account: Account) -> int:
    """What is left for functions without a reservation, and is not provisioned for one of them."""
    return account.concurrency_limit - sum(
        sum_provisioned(function) if function.reserved is None else function.reserved
        for function in account.functions.values()
    )


def sum_provisioned(function: Function) -> int:
    """What is provisioned for all versions and aliases of a function."""
    return sum(
        config["RequestedProvisionedConcurrentExecutions"]
        for config in function.provisioned.values()
    )


def _check_unreserved(account: Account, named: str, more: int) -> None:
    least = min(MIN_UNRESERVED, account.concurrency_limit)
    if more > 0 and compute_unreserved(account) - more < least:
        raise invalid(
            f"Specified {named} for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{least}]."
        )


def _check_qualifier(account: Account, function: Function, qualifier: str) -> None:
    if qualifier == LATEST:
        raise invalid(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    version = account.configuration(function, qualifier)
    if version["State"] != "Active":
        raise wrong_state(version["State"])
    if version["SnapStart"]["ApplyOn"] == "PublishedVersions":
        raise invalid("Provisioned Concurrency is not supported for functions with SnapStart.")
    if "TenancyConfig" in version:
        raise invalid(
            "Provisioned Concurrency is not supported for functions with tenancy configuration."
        )
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
