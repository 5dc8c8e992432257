"""Aliases: names of versions, with conditional updates and weighted routing."""

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
from tests.fake_lambda.refusals import conflict, not_found
from tests.fake_lambda.routing import check_routing, get_weights


@operation("lambda")
def get_alias(account: Account, parameters: Parameters) -> Answer:
    function, _ = account.find(parameters)
    return _find(function, parameters["Name"])


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
    version = parameters.get("FunctionVersion", alias["FunctionVersion"])
    check_routing(account, function, version, weights)
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
    function.provisioned.pop(parameters["Name"], None)
    function.policies.pop(parameters["Name"], None)
    return {}


def _find(function: Function, name: str) -> dict[str, Any]:
    if name not in function.aliases:
        raise not_found(f"Cannot find alias arn: {function.arn}:{name}")
    return function.aliases[name]


def _report_routing(weights: dict[str, float]) -> dict[str, Any]:
    """An alias without weights has no RoutingConfig in what AWS answers."""
    return {"RoutingConfig": {"AdditionalVersionWeights": dict(weights)}} if weights else {}
