"""Change the code or the configuration of $LATEST: refused while an earlier change settles, and itself settling for a moment."""

from __future__ import annotations

import json
from typing import Any, Final

from deploy.local.awslambda import code, records, settling, upstream, versions
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.records import LATEST
from deploy.local.awslambda.refusals import functions_only, invalid, malformed, stale
from deploy.local.awslambda.upstream import Answer, Record

_LIMITS: Final = {"MemorySize": ("memorySize", 10_240), "Timeout": ("timeout", 900)}
_ENVIRONMENT_LIMIT: Final = 4096
_IN_PROGRESS: Final = {
    "State": "Active",
    "StateReason": "",
    "StateReasonCode": "",
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}


def check_settings(request: dict[str, Any]) -> None:
    """Refuse settings beyond AWS's limits. botocore knows the lower ones only."""
    for name, (member, most) in _LIMITS.items():
        if request.get(name, 0) > most:
            raise malformed(
                member, request[name], f"Member must have value less than or equal to {most}"
            )
    variables = (request.get("Environment") or {}).get("Variables") or {}
    if len(json.dumps(variables)) > _ENVIRONMENT_LIMIT:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided "
            "exceeded the 4KB limit."
        )


def update_code(call: Call) -> Answer:
    """Replace the code of $LATEST. ``DryRun`` only looks; ``Publish`` publishes what was uploaded, once."""
    code.check_size(call.operation, call.body)
    request = call.document()
    record = _ready(call, request)
    config = record["config"]
    image = config["PackageType"] == "Image"
    if image and "ImageUri" not in request:
        raise invalid("Please provide ImageUri when updating a function with packageType Image.")
    if not image and "ImageUri" in request:
        raise invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    check_settings(request)
    content = code.package(request)
    if request.pop("DryRun", False):
        would_be = (
            {**config}
            if content is None
            else {**config, "CodeSha256": code.sha256(content), "CodeSize": len(content)}
        )
        return upstream.answer_json(would_be)
    publish = bool(request.pop("Publish", False))
    return _carry_out(call, record, upstream.update_code(call.function, request), publish=publish)


def update_configuration(call: Call) -> Answer:
    """Change the settings of $LATEST; what the request does not name stays."""
    request = call.document()
    record = _ready(call, request)
    check_settings(request)
    return _carry_out(
        call, record, upstream.update_configuration(call.function, request), publish=False
    )


def _ready(call: Call, request: dict[str, Any]) -> Record:
    if call.qualifier not in (None, LATEST):
        raise functions_only()
    record = records.function(call.function)
    settling.check_settled(call.function, record)
    if request.get("RevisionId") and request["RevisionId"] != record["config"]["RevisionId"]:
        raise stale("GetFunction", "GetAlias")
    return record


def _carry_out(call: Call, record: Record, answer: Answer, *, publish: bool) -> Answer:
    if not upstream.carried_out(answer):
        return answer
    # ministack takes a function out of service while it changes; AWS leaves it Active.
    record["config"].update(_IN_PROGRESS)
    return upstream.answer_json(
        versions.publish(call.function, record) if publish else record["config"]
    )
