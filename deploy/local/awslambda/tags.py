"""Tags of functions and event source mappings; versions and aliases have none."""

from __future__ import annotations

from typing import Final

from deploy.local.awslambda import ministack_api, records
from deploy.local.awslambda.calls import Call, parse_function_name
from deploy.local.awslambda.errors import invalid_parameter, validation_error
from deploy.local.awslambda.ministack_api import Response

_LIMIT: Final = 50


def tag_resource(call: Call) -> Response:
    """Add tags, or change their values."""
    tags = call.json_body().get("Tags") or {}
    if not tags:
        raise invalid_parameter("An error occurred and the request cannot be processed.")
    name = _find_function(call)
    if (
        name is not None
        and len({**(records.get_function(name).get("tags") or {}), **tags}) > _LIMIT
    ):
        raise invalid_parameter("Number of tags exceeds resource tag limit.")
    return ministack_api.tag_resource(call.member, {"Tags": tags})


def untag_resource(call: Call) -> Response:
    """Remove tags. Removing one that does not exist succeeds."""
    if not call.query.get("tagKeys"):
        raise validation_error("tagKeys", "null", "Member must not be null")
    _find_function(call)
    return ministack_api.untag_resource(call.member, dict(call.query))


def list_tags(call: Call) -> Response:
    """Return the tags of a resource."""
    _find_function(call)
    return ministack_api.list_tags(call.member)


def _find_function(call: Call) -> str | None:
    """Return the function that the ARN names; None for the ARN of another resource."""
    if ":function:" not in call.member:
        return None
    name, qualifier = parse_function_name(call.member)
    if qualifier:
        raise invalid_parameter(
            "Tags on function aliases and versions are not supported. "
            "Please specify a function ARN."
        )
    records.get_function(name)
    return name
