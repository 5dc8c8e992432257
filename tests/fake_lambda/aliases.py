"""Aliases: names of versions, with conditional updates and weighted routing.

An alias with provisioned concurrency that is moved to another version keeps its traffic on the old
one until as much is allocated to the new: AWS writes the weights {old: 1.0} itself, and takes them
away again.
"""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import (
    Account,
    Answer,
    Function,
    Parameters,
    check_revision,
    make_revision,
    operation,
)
from tests.fake_lambda.concurrency import allocate
from tests.fake_lambda.refusals import conflict, not_found
from tests.fake_lambda.routing import check_routing, get_weights


@operation("lambda")
def get_alias(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    alias = _find(function, parameters["Name"])
    _settle(function, alias)
    return alias


@operation("lambda")
def list_aliases(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    version = parameters.get("FunctionVersion")
    listed = [
        alias
        for alias in function.aliases.values()
        if version in {None, alias["FunctionVersion"], *get_weights(alias)}
    ]
    return account.page(parameters, "Aliases", listed)


@operation("lambda")
def create_alias(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    name = parameters["Name"]
    if name in function.aliases:
        raise conflict(f"Alias already exists: {function.arn}:{name}")
    weights = get_weights(parameters)
    check_routing(account, function, parameters["FunctionVersion"], weights)
    function.aliases[name] = {
        "AliasArn": f"{function.arn}:{name}",
        "Name": name,
        "FunctionVersion": parameters["FunctionVersion"],
        "Description": parameters.get("Description", ""),
        "RevisionId": make_revision(),
    } | _report_routing(weights)
    return function.aliases[name]


@operation("lambda")
def update_alias(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    alias = _find(function, parameters["Name"])
    check_revision(parameters, alias["RevisionId"])
    weights = get_weights(parameters if "RoutingConfig" in parameters else alias)
    before = alias["FunctionVersion"]
    version = parameters.get("FunctionVersion", before)
    check_routing(account, function, version, weights)
    function.shifting.pop(alias["Name"], None)
    if version != before and not weights and alias["Name"] in function.provisioned:
        function.shifting[alias["Name"]] = account.polls
        function.provisioned[alias["Name"]].update(
            Status="IN_PROGRESS", AllocatedProvisionedConcurrentExecutions=0
        )
        weights = {before: 1.0}
    alias.pop("RoutingConfig", None)
    alias.update(
        {
            "FunctionVersion": version,
            "Description": parameters.get("Description", alias["Description"]),
            "RevisionId": make_revision(),
        }
        | _report_routing(weights)
    )
    return alias


@operation("lambda")
def delete_alias(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    function.aliases.pop(parameters["Name"], None)
    for held in (function.provisioned, function.policies, function.shifting, function.urls):
        held.pop(parameters["Name"], None)
    return {}


def _find(function: Function, name: str) -> dict[str, Any]:
    if name not in function.aliases:
        raise not_found(f"Cannot find alias arn: {function.arn}:{name}")
    return function.aliases[name]


def _settle(function: Function, alias: dict[str, Any]) -> None:
    """Bring a move of provisioned concurrency nearer to its end: time passes by reads."""
    left = function.shifting.get(alias["Name"])
    if left:
        function.shifting[alias["Name"]] = left - 1
    elif left == 0:
        del function.shifting[alias["Name"]]
        del alias["RoutingConfig"]
        alias["RevisionId"] = make_revision()
        allocate(function.provisioned[alias["Name"]])


def _report_routing(weights: dict[str, float]) -> dict[str, Any]:
    """An alias without weights has no RoutingConfig in what AWS answers."""
    return {"RoutingConfig": {"AdditionalVersionWeights": dict(weights)}} if weights else {}
