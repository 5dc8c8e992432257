"""Configurations: what a request changes in them, and how AWS reports them."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import Account, Function, Parameters
from tests.fake_lambda.refusals import invalid

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


def check_settings(account: Account, function: Function, change: Parameters) -> None:
    """Refuse settings that AWS does not take any more, or not together."""
    for arn in change.get("Layers", ()):
        if arn in account.deleted_layers:
            raise invalid(f"Layer version {arn} does not exist.")
    if change.get("KMSKeyArn") in account.unreadable_keys:
        raise invalid(
            "Lambda was unable to configure access to your environment variables because the KMS "
            "key is invalid for use. Please check your KMS key settings. KMS Exception: "
            "AccessDeniedException"
        )
    check_runtime(account, change.get("Runtime") or function.latest.get("Runtime"))
    snap_start = change.get("SnapStart", function.latest["SnapStart"])["ApplyOn"]
    if snap_start != "None" and "TenancyConfig" in function.latest:
        raise invalid("SnapStart is not supported for functions with tenancy configuration.")


def check_runtime(account: Account, runtime: str | None) -> None:
    """Refuse a change of a function whose runtime is blocked, but for one to another runtime."""
    if runtime in account.blocked_runtimes:
        raise invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )


def is_environment_readable(account: Account, found: dict[str, Any]) -> bool:
    """Whether the key that encrypts the variables may be used."""
    return "Environment" not in found or found.get("KMSKeyArn") not in account.unreadable_keys


def describe(
    account: Account, function: Function, found: dict[str, Any], qualifier: str | None
) -> dict[str, Any]:
    """A configuration, with the ARN by which it was requested.

    Variables whose key may not be used are an error in its place.
    """
    reported = found
    if qualifier is not None:
        reported = {**reported, "FunctionArn": f"{function.arn}:{qualifier}"}
    if not is_environment_readable(account, found):
        failure = {
            "ErrorCode": "AccessDeniedException",
            "Message": "Lambda was unable to decrypt your environment variables because the KMS "
            "access was denied. Please check your KMS permissions. KMS Exception: "
            "AccessDeniedException",
        }
        reported = {**reported, "Environment": {"Error": failure}}
    return reported


def summarize(found: dict[str, Any]) -> dict[str, Any]:
    """A configuration as lists have it: without its state."""
    return {name: value for name, value in found.items() if name not in _NOT_LISTED}
