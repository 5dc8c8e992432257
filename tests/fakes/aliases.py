"""Aliases, reserved and provisioned concurrency, under AWS's rules."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.functions import Answer, Function, FunctionsOfAws, Parameters, revision
from tests.fakes.judge import refusal

LEAST_UNRESERVED = 100


class AliasesOfAws(FunctionsOfAws):
    """``account_limit`` is the account's concurrency; ``provisioning_fails`` lets provisioned concurrency end ``FAILED``."""

    def __init__(self) -> None:
        super().__init__()
        self.account_limit = 1000
        self.provisioning_fails: str | None = None

    # --- aliases -------------------------------------------------------------------------------------------------------------

    def lambda_get_alias(self, parameters: Parameters) -> Answer:
        function, _ = self.find("get_alias", parameters)
        return copy.deepcopy(self._alias("get_alias", function, parameters["Name"]))

    def lambda_list_aliases(self, parameters: Parameters) -> Answer:
        function, _ = self.find("list_aliases", parameters)
        return {"Aliases": [copy.deepcopy(alias) for alias in function.aliases.values()]}

    def lambda_create_alias(self, parameters: Parameters) -> Answer:
        name = "create_alias"
        function, _ = self.find(name, parameters)
        alias = parameters["Name"]
        if alias in function.aliases:
            raise refusal(
                name, "ResourceConflictException", f"Alias already exists: {function.arn}:{alias}"
            )
        weights = parameters.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        self._check_routing(name, function, parameters["FunctionVersion"], weights)
        function.aliases[alias] = {
            "AliasArn": f"{function.arn}:{alias}",
            "Name": alias,
            "FunctionVersion": parameters["FunctionVersion"],
            "Description": parameters.get("Description", ""),
            "RevisionId": revision(),
        } | _routed(weights)
        return copy.deepcopy(function.aliases[alias])

    def lambda_update_alias(self, parameters: Parameters) -> Answer:
        name = "update_alias"
        function, _ = self.find(name, parameters)
        alias = self._alias(name, function, parameters["Name"])
        if parameters.get("RevisionId") not in {None, alias["RevisionId"]}:
            said = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
            raise refusal(name, "PreconditionFailedException", said)
        routing = parameters.get("RoutingConfig", alias.get("RoutingConfig", {}))
        weights = routing.get("AdditionalVersionWeights", {})
        version = parameters.get("FunctionVersion", alias["FunctionVersion"])
        self._check_routing(name, function, version, weights)
        alias.pop("RoutingConfig", None)
        alias.update({"FunctionVersion": version, "RevisionId": revision()} | _routed(weights))
        alias["Description"] = parameters.get("Description", alias["Description"])
        return copy.deepcopy(alias)

    def lambda_delete_alias(self, parameters: Parameters) -> Answer:
        function, _ = self.find("delete_alias", parameters)
        function.aliases.pop(parameters["Name"], None)
        function.provisioned.pop(parameters["Name"], None)
        return {}

    def _alias(self, name: str, function: Function, alias: str) -> dict[str, Any]:
        if alias not in function.aliases:
            raise refusal(
                name, "ResourceNotFoundException", f"Cannot find alias arn: {function.arn}:{alias}"
            )
        return function.aliases[alias]

    def _check_routing(
        self, name: str, function: Function, version: str, weights: dict[str, float]
    ) -> None:
        def invalid(said: str) -> Exception:
            return refusal(name, "InvalidParameterValueException", said)

        if len(weights) > 1:
            raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
        if version in weights:
            raise invalid(
                f"Function version {version} is already included in routing configuration"
            )
        if weights and version == "$LATEST":
            raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        builds = [self.version(name, function, number) for number in (version, *weights)]
        if len({build["Role"] for build in builds}) > 1:
            raise invalid("Specified versions must be associated with the same execution role")
        if len({build.get("DeadLetterConfig", {}).get("TargetArn") for build in builds}) > 1:
            raise invalid("Specified versions must have the same dead letter queue configuration")

    # --- reserved concurrency ------------------------------------------------------------------------------------------------

    @property
    def unreserved(self) -> int:
        return self.account_limit - sum(
            function.reserved or 0 for function in self.functions.values()
        )

    def lambda_get_account_settings(self, _: Parameters) -> Answer:
        limit = {
            "ConcurrentExecutions": self.account_limit,
            "UnreservedConcurrentExecutions": self.unreserved,
        }
        return {"AccountLimit": limit, "AccountUsage": {"FunctionCount": len(self.functions)}}

    def lambda_put_function_concurrency(self, parameters: Parameters) -> Answer:
        name, wanted = "put_function_concurrency", parameters["ReservedConcurrentExecutions"]
        function, _ = self.find(name, parameters)
        if self.unreserved + (function.reserved or 0) - wanted < LEAST_UNRESERVED:
            said = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."
            raise refusal(name, "InvalidParameterValueException", said)
        if wanted < self._provisioned(function):
            raise refusal(
                name,
                "InvalidParameterValueException",
                "ReservedConcurrentExecutions is less than the provisioned concurrency",
            )
        function.reserved = wanted
        return {"ReservedConcurrentExecutions": wanted}

    def lambda_delete_function_concurrency(self, parameters: Parameters) -> Answer:
        function, _ = self.find("delete_function_concurrency", parameters)
        function.reserved = None
        return {}

    # --- provisioned concurrency ---------------------------------------------------------------------------------------------

    def lambda_put_provisioned_concurrency_config(self, parameters: Parameters) -> Answer:
        name, wanted = (
            "put_provisioned_concurrency_config",
            parameters["ProvisionedConcurrentExecutions"],
        )
        function, _ = self.find(name, parameters)
        qualifier = parameters["Qualifier"]
        if qualifier == "$LATEST":
            raise refusal(
                name,
                "InvalidParameterValueException",
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            )
        self.version(name, function, qualifier)
        alias = function.aliases.get(qualifier)
        if alias and alias.get("RoutingConfig"):
            raise refusal(
                name,
                "InvalidParameterValueException",
                "Invalid alias configuration for Provisioned Concurrency",
            )
        if alias and alias["FunctionVersion"] in function.provisioned:
            said = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            raise refusal(name, "ResourceConflictException", said)
        if any(
            function.aliases[other]["FunctionVersion"] == qualifier
            for other in function.provisioned
            if other in function.aliases
        ):
            raise refusal(
                name,
                "ResourceConflictException",
                "Version is pointed by a Provisioned Concurrency alias",
            )
        rest = self._provisioned(function) - function.provisioned.get(qualifier, {}).get(
            "RequestedProvisionedConcurrentExecutions", 0
        )
        most = (
            self.unreserved - LEAST_UNRESERVED if function.reserved is None else function.reserved
        )
        if rest + wanted > most:
            said = f"Requested Provisioned Concurrency should not be greater than the {most} concurrent executions that are available"
            raise refusal(name, "InvalidParameterValueException", said)
        function.provisioned[qualifier] = {
            "RequestedProvisionedConcurrentExecutions": wanted,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": "2026-11-22T10:00:00+0000",
        }
        return dict(function.provisioned[qualifier])

    def lambda_get_provisioned_concurrency_config(self, parameters: Parameters) -> Answer:
        name = "get_provisioned_concurrency_config"
        function, _ = self.find(name, parameters)
        self.version(name, function, parameters["Qualifier"])
        found = function.provisioned.get(parameters["Qualifier"])
        if found is None:
            said = "No Provisioned Concurrency Config found for this function"
            raise refusal(name, "ProvisionedConcurrencyConfigNotFoundException", said)
        if self.provisioning_fails and found["Status"] == "IN_PROGRESS":
            found.update(Status="FAILED", StatusReason=self.provisioning_fails)
        elif found["Status"] == "IN_PROGRESS":
            wanted = found["RequestedProvisionedConcurrentExecutions"]
            found.update(
                Status="READY",
                AllocatedProvisionedConcurrentExecutions=wanted,
                AvailableProvisionedConcurrentExecutions=wanted,
            )
        return dict(found)

    def lambda_delete_provisioned_concurrency_config(self, parameters: Parameters) -> Answer:
        function, _ = self.find("delete_provisioned_concurrency_config", parameters)
        function.provisioned.pop(parameters["Qualifier"], None)
        return {}

    @staticmethod
    def _provisioned(function: Function) -> int:
        return sum(
            config["RequestedProvisionedConcurrentExecutions"]
            for config in function.provisioned.values()
        )


def _routed(weights: dict[str, float]) -> dict[str, Any]:
    return {"RoutingConfig": {"AdditionalVersionWeights": dict(weights)}} if weights else {}
