"""Configurations: what a request changes in them, and how AWS reports them."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import Function, Parameters

_NOT_LISTED = {"State", "LastUpdateStatus"}
_NOT_CONFIGURATION = {"FunctionName", "RevisionId", "Code", "Publish", "Tags"}


def configure(configuration: dict[str, Any], change: Parameters) -> None:
    """Apply members of a request, in the form in which AWS reports them afterwards."""
    for name, value in change.items():
        if name in _NOT_CONFIGURATION:
            continue
        member, reported = _report_member(name, value)
        if reported in ({}, [], "") and member != "Description":
            configuration.pop(member, None)
        else:
            configuration[member] = reported


def _report_member(name: str, value: Any) -> tuple[str, Any]:  # noqa: PLR0911 - one for each member
    match name:
        case "Layers":
            return name, [{"Arn": arn, "CodeSize": 1} for arn in value]
        case "ImageConfig":
            return "ImageConfigResponse", {"ImageConfig": value} if value else {}
        case "Environment":
            variables = value.get("Variables")
            return name, {"Variables": dict(variables)} if variables else {}
        case "VpcConfig":
            return name, {**value, "VpcId": "vpc-1" if value.get("SubnetIds") else ""}
        case "DeadLetterConfig":
            return name, dict(value) if value.get("TargetArn") else {}
        case "SnapStart":
            return name, {**value, "OptimizationStatus": "Off"}
        case _:
            return name, value


def describe(function: Function, found: dict[str, Any], qualifier: str | None) -> dict[str, Any]:
    """A configuration, with the ARN by which it was requested."""
    return found if qualifier is None else {**found, "FunctionArn": f"{function.arn}:{qualifier}"}


def summarize(found: dict[str, Any]) -> dict[str, Any]:
    """A configuration as lists have it: without its state."""
    return {name: value for name, value in found.items() if name not in _NOT_LISTED}
