"""Tags: on functions and event source mappings, never on a version or an alias."""

from __future__ import annotations

from typing import Final

from deploy.local.awslambda import records, upstream
from deploy.local.awslambda.calls import Call, parse
from deploy.local.awslambda.refusals import invalid, malformed
from deploy.local.awslambda.upstream import Answer

_MOST: Final = 50


def tag(call: Call) -> Answer:
    """Add tags, or change their values."""
    tags = call.document().get("Tags") or {}
    if not tags:
        raise invalid("An error occurred and the request cannot be processed.")
    name = _function(call)
    if name is not None and len({**(records.function(name).get("tags") or {}), **tags}) > _MOST:
        raise invalid("Number of tags exceeds resource tag limit.")
    return upstream.tag_resource(call.member, {"Tags": tags})


def untag(call: Call) -> Answer:
    """Remove tags; those that are not there are no error."""
    if not call.query.get("tagKeys"):
        raise malformed("tagKeys", "null", "Member must not be null")
    _function(call)
    return upstream.untag_resource(call.member, dict(call.query))


def list_all(call: Call) -> Answer:
    """The tags of a resource."""
    _function(call)
    return upstream.list_tags(call.member)


def _function(call: Call) -> str | None:
    """The function an ARN names; None for the ARN of something else."""
    if ":function:" not in call.member:
        return None
    name, qualifier = parse(call.member)
    if qualifier:
        raise invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
        )
    records.function(name)
    return name
