"""Change the code or the configuration of $LATEST.

A change is refused while an earlier one settles, and settles after a delay itself.
"""

from __future__ import annotations

import json
from typing import Any, Final

from deploy.local.awslambda import code, ministack_api, records, settling, versions
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import (
    invalid_parameter,
    precondition_failed,
    qualifier_not_allowed,
    validation_error,
)
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import LATEST

_LIMITS: Final = {"MemorySize": ("memorySize", 10_240), "Timeout": ("timeout", 900)}
_ENVIRONMENT_LIMIT: Final = 4096
_BLOCKED_RUNTIMES: Final = frozenset({"nodejs12.x", "nodejs14.x", "python3.6", "python3.7"})
"""Runtimes with which AWS creates and updates no function any more.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

_IN_PROGRESS: Final = {
    "State": "Active",
    "StateReason": "",
    "StateReasonCode": "",
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}


def check_settings(request: dict[str, Any]) -> None:
    """Raise :class:`LambdaError` for a setting above AWS's limit.

    botocore checks the minimums only.
    """
    for name, (member, most) in _LIMITS.items():
        if request.get(name, 0) > most:
            raise validation_error(
                member, request[name], f"Member must have value less than or equal to {most}"
            )
    variables = (request.get("Environment") or {}).get("Variables") or {}
    if len(json.dumps(variables)) > _ENVIRONMENT_LIMIT:
        raise invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit."
        )


def check_runtime(runtime: str | None) -> None:
    """Raise :class:`LambdaError` for a runtime that AWS no longer takes."""
    if runtime in _BLOCKED_RUNTIMES:
        raise invalid_parameter(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )


def update_function_code(call: Call) -> Response:
    """Replace the code of $LATEST.

    ``DryRun`` only validates; ``Publish`` publishes the uploaded code as one version.
    """
    code.check_size(call.operation, call.body)
    request = call.json_body()
    record = _check_request(call, request)
    config = record["config"]
    image = config["PackageType"] == "Image"
    if image and "ImageUri" not in request:
        raise invalid_parameter(
            "Please provide ImageUri when updating a function with packageType Image."
        )
    if not image and "ImageUri" in request:
        raise invalid_parameter(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    check_settings(request)
    check_runtime(config.get("Runtime"))
    content = code.read_package(request)
    if request.pop("DryRun", False):
        would_be = (
            {**config}
            if content is None
            else {**config, "CodeSha256": code.compute_sha256(content), "CodeSize": len(content)}
        )
        return ministack_api.json_response(would_be)
    publish = bool(request.pop("Publish", False))
    return _finish_update(
        call, record, ministack_api.update_code(call.function, request), publish=publish
    )


def update_function_configuration(call: Call) -> Response:
    """Change the settings of $LATEST; those that the request does not name are kept."""
    request = call.json_body()
    record = _check_request(call, request)
    check_settings(request)
    check_runtime(request.get("Runtime") or record["config"].get("Runtime"))
    return _finish_update(
        call, record, ministack_api.update_configuration(call.function, request), publish=False
    )


def _check_request(call: Call, request: dict[str, Any]) -> Record:
    if call.qualifier not in (None, LATEST):
        raise qualifier_not_allowed()
    record = records.get_function(call.function)
    settling.check_settled(call.function, record)
    if request.get("RevisionId") and request["RevisionId"] != record["config"]["RevisionId"]:
        raise precondition_failed("GetFunction", "GetAlias")
    return record


def _finish_update(call: Call, record: Record, response: Response, *, publish: bool) -> Response:
    if not ministack_api.is_success(response):
        return response
    # ministack takes a function out of service while it changes; AWS leaves it Active.
    record["config"].update(_IN_PROGRESS)
    return ministack_api.json_response(
        versions.add_version(call.function, record) if publish else record["config"]
    )
