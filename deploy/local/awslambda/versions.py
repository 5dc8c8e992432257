"""Publish $LATEST as a version, which never changes again."""

from __future__ import annotations

import copy
import json
from typing import Final

from deploy.local.awslambda import ministack_api, records, settling
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.errors import invalid_parameter, precondition_failed
from deploy.local.awslambda.ministack_api import Record, Response
from deploy.local.awslambda.records import LATEST, build_arn

_INCIDENTAL: Final = {
    "FunctionArn",
    "LastModified",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "RevisionId",
    "State",
    "StateReason",
    "StateReasonCode",
    "Version",
}
"""Members that may differ between two configurations that are the same to Lambda."""

_PENDING: Final = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
}


def publish_version(call: Call) -> Response:
    """Publish $LATEST; returns the last version where nothing changed since.

    The preconditions are checked in both cases.
    """
    request = call.json_body()
    record = records.get_function(call.function)
    settling.check_settled(call.function, record)
    if request.get("PublishTo"):
        raise invalid_parameter(
            "PublishTo is for functions on managed instances, which are not emulated here."
        )
    latest = record["config"]
    if request.get("RevisionId") and request["RevisionId"] != latest["RevisionId"]:
        raise precondition_failed("GetFunction", "GetAlias")
    if request.get("CodeSha256") and request["CodeSha256"] != latest["CodeSha256"]:
        raise invalid_parameter(
            f"CodeSHA256 ({request['CodeSha256']}) is different from current CodeSHA256 in "
            f"$LATEST ({latest['CodeSha256']}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    return ministack_api.json_response(
        add_version(call.function, record, request.get("Description")), 201
    )


def add_version(name: str, record: Record, description: str | None = None) -> Record:
    """Return the configuration of the version of $LATEST, which is added if needed.

    A new version is Pending at first, without an update status. $LATEST gets a new RevisionId.
    """
    content = _serialize_content(record["config"])
    last = record["versions"].get(str(record["next_version"] - 1))
    if last is not None and last.get("content") == content:
        unchanged: Record = last["config"]
        return unchanged
    number = str(record["next_version"])
    record["next_version"] += 1
    config = {
        member: value
        for member, value in copy.deepcopy(record["config"]).items()
        if not member.startswith("LastUpdate")
    }
    config.update(
        _PENDING,
        Version=number,
        FunctionArn=build_arn(name, number),
        RevisionId=ministack_api.new_id(),
    )
    if description:
        config["Description"] = description
    version = {"config": config, "code_zip": record["code_zip"], "content": content}
    record["versions"][number] = version
    record["config"]["RevisionId"] = ministack_api.new_id()
    if ministack_api.stamp_snapstart(config):
        ministack_api.provision_snapstart(name, version)  # which decides between Active and Failed
    else:
        settling.schedule_version_settled(config)
    return config


def _serialize_content(config: Record) -> str:
    return json.dumps(
        {member: value for member, value in config.items() if member not in _INCIDENTAL},
        sort_keys=True,
    )


def list_versions(call: Call) -> Response:
    """List $LATEST and every version, oldest first."""
    return records.paginate(
        call,
        "Versions",
        describe_versions(call.function, records.get_function(call.function)),
        "Version",
    )


def describe_versions(name: str, record: Record) -> list[Record]:
    """Build the configurations of a function for a list, with qualified ARNs."""
    configs = [{**record["config"], "FunctionArn": build_arn(name, LATEST)}]
    configs += [
        record["versions"][number]["config"] for number in sorted(record["versions"], key=int)
    ]
    return [records.remove_states(config) for config in configs]
