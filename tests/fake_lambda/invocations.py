"""Invocations: what functions answer, in handlers that a test gives them."""

from __future__ import annotations

import json
from typing import Any

from tests.fake_lambda.account import Account, Answer, Function, Parameters, operation
from tests.fake_lambda.configuration import is_environment_readable
from tests.fake_lambda.refusals import Refusal, invalid, wrong_state
from tests.fake_lambda.settling import begin_waking, settle

_NO_HANDLER = {
    "errorMessage": "Unable to import module 'app': No module named 'app'",
    "errorType": "Runtime.ImportModuleError",
}


@operation("lambda")
def invoke(account: Account, parameters: Parameters) -> Answer:
    """Call the function's handler. A function without one has no code that could be imported.

    What a handler raises is a FunctionError. Bytes are the payload as they are, all else as JSON.
    A dry run checks the request and the right to invoke: it neither wakes nor runs anything.
    """
    function, qualifier = account.find(parameters)
    version = account.configuration(function, qualifier)
    _check_tenant(version, parameters)
    kind = parameters.get("InvocationType")
    if kind == "DryRun":
        return {"StatusCode": 204, "Payload": b""}
    _check_state(account, function, version)
    if function.reserved == 0 and kind != "Event":
        raise Refusal("TooManyRequestsException", "Rate Exceeded.")
    payload = parameters.get("Payload") or b"null"
    account.invocations.append(payload)
    if kind == "Event":
        return {"StatusCode": 202, "Payload": b""}
    if not is_environment_readable(account, version):
        raise Refusal(
            "KMSAccessDeniedException",
            "Lambda was unable to decrypt the environment variables because KMS access was denied. "
            "Please check the function's KMS key settings.",
        )
    return _run(account, function, version, payload)


@operation("lambda")
def invoke_async(account: Account, parameters: Parameters) -> Answer:
    account.find(parameters)
    account.invocations.append(parameters["InvokeArgs"])
    return {"Status": 202}


def _run(account: Account, function: Function, version: dict[str, Any], payload: bytes) -> Answer:
    answer: Answer = {"StatusCode": 200, "ExecutedVersion": version["Version"]}
    handler = account.handlers.get(function.name)
    try:
        result = handler(json.loads(payload)) if handler else _NO_HANDLER
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is a FunctionError
        result = {"errorMessage": str(error), "errorType": type(error).__name__}
        answer["FunctionError"] = "Unhandled"
    if handler is None:
        answer["FunctionError"] = "Unhandled"
    answer["Payload"] = result if isinstance(result, bytes) else json.dumps(result).encode()
    return answer


def _check_state(account: Account, function: Function, version: dict[str, Any]) -> None:
    """Refuse what is not Active. The first invocation of an Inactive one wakes it, and fails."""
    if version["State"] == "Pending" and version.get("StateReasonCode") == "Restoring":
        settle(account, function, version)
    state = version["State"]
    if state == "Inactive":
        begin_waking(account, function, version)
        if version["SnapStart"]["ApplyOn"] == "PublishedVersions":
            raise Refusal(
                "SnapStartNotReadyException",
                "Lambda is initializing your function. It will be ready to invoke when your "
                "function state becomes Active.",
            )
        raise Refusal(
            "ResourceNotReadyException",
            "The function is inactive and its VPC connection is no longer available. Wait for the "
            "VPC connection to reestablish and try again.",
        )
    if state != "Active":
        raise wrong_state(state)


def _check_tenant(version: dict[str, Any], parameters: Parameters) -> None:
    is_isolated = "TenancyConfig" in version
    if is_isolated and "TenantId" not in parameters:
        raise invalid(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in "
            "your request and try again."
        )
    if not is_isolated and "TenantId" in parameters:
        raise invalid(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID "
            "from your request and try again."
        )
