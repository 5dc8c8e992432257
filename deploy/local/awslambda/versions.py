"""Publish what $LATEST holds as a version that never changes again."""

from __future__ import annotations

import copy
import json
from typing import Final

from deploy.local.awslambda import records, settling, upstream
from deploy.local.awslambda.calls import Call
from deploy.local.awslambda.records import LATEST, arn
from deploy.local.awslambda.refusals import invalid, stale
from deploy.local.awslambda.upstream import Answer, Record

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
"""What may differ between two configurations that are the same to Lambda."""

_PENDING: Final = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
}


def publish_version(call: Call) -> Answer:
    """Publish $LATEST. Unchanged since the last version, that version comes back; the preconditions hold first."""
    request = call.document()
    record = records.function(call.function)
    settling.check_settled(call.function, record)
    if request.get("PublishTo"):
        raise invalid(
            "PublishTo is for functions on managed instances, which are not emulated here."
        )
    latest = record["config"]
    if request.get("RevisionId") and request["RevisionId"] != latest["RevisionId"]:
        raise stale("GetFunction", "GetAlias")
    if request.get("CodeSha256") and request["CodeSha256"] != latest["CodeSha256"]:
        raise invalid(
            f"CodeSHA256 ({request['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({latest['CodeSha256']}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    return upstream.answer_json(publish(call.function, record, request.get("Description")), 201)


def publish(name: str, record: Record, description: str | None = None) -> Record:
    """The configuration of the version that now holds what $LATEST holds.

    A new version is Pending for a moment and says nothing of updates; $LATEST gets a new RevisionId.
    """
    content = _content(record["config"])
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
        _PENDING, Version=number, FunctionArn=arn(name, number), RevisionId=upstream.new_id()
    )
    if description:
        config["Description"] = description
    version = {"config": config, "code_zip": record["code_zip"], "content": content}
    record["versions"][number] = version
    record["config"]["RevisionId"] = upstream.new_id()
    if upstream.stamp_snapstart(config):
        upstream.provision_snapstart(name, version)  # it decides between Active and Failed
    else:
        settling.settle_version(config)
    return config


def _content(config: Record) -> str:
    return json.dumps(
        {member: value for member, value in config.items() if member not in _INCIDENTAL},
        sort_keys=True,
    )


def list_versions(call: Call) -> Answer:
    """$LATEST and every version, oldest first."""
    return records.page(
        call, "Versions", listed(call.function, records.function(call.function)), "Version"
    )


def listed(name: str, record: Record) -> list[Record]:
    """The configurations of a function as lists show them, under qualified ARNs."""
    configs = [{**record["config"], "FunctionArn": arn(name, LATEST)}]
    configs += [
        record["versions"][number]["config"] for number in sorted(record["versions"], key=int)
    ]
    return [records.stateless(config) for config in configs]
