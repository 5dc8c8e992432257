"""Routing: the versions among which an alias divides its traffic."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import LATEST, Account, Function
from tests.fake_lambda.refusals import invalid


def get_weights(alias: dict[str, Any]) -> dict[str, float]:
    """The additional versions of an alias, with their weights."""
    weights: dict[str, float] = (alias.get("RoutingConfig") or {}).get(
        "AdditionalVersionWeights", {}
    )
    return weights


def check_routing(
    account: Account, function: Function, version: str, weights: dict[str, float]
) -> None:
    """Refuse versions among which AWS divides no traffic."""
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if version in weights:
        raise invalid(f"Function version {version} is already included in routing configuration")
    if weights and version == LATEST:
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    found = [account.configuration(function, number) for number in (version, *weights)]
    if len({each["Role"] for each in found}) > 1:
        raise invalid("Specified versions must be associated with the same execution role")
    if len({each.get("DeadLetterConfig", {}).get("TargetArn") for each in found}) > 1:
        raise invalid("Specified versions must have the same dead letter queue configuration")
