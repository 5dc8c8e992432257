"""Which version of an alias runs an invocation, drawn by the current weights."""

from __future__ import annotations

import random

from deploy.local.awslambda import ministack_api, records
from deploy.local.awslambda.ministack_api import Record


def draw_version(alias: Record) -> str:
    """Draw a version by the weights of an alias."""
    at = random.random()  # noqa: S311 - a fair split, no secret
    for extra, weight in records.get_weights(alias).items():
        if at < weight:
            return extra
        at -= weight
    return str(alias["FunctionVersion"])


def record_for_qualifier(
    function: Record | None, qualifier: str | None
) -> tuple[Record | None, Record | None]:
    """Return what an event invokes, in place of ministack's function.

    Events come from event sources, topics and rules. For an alias a version is drawn, which has
    the alias's ARN.
    """
    alias = (function or {}).get("aliases", {}).get(qualifier)
    if function is None or alias is None:
        return ministack_api.record_for_qualifier(function, qualifier)
    record, config = ministack_api.record_for_qualifier(function, draw_version(alias))
    if record is None or config is None:
        return None, None
    shown = {**config, "FunctionArn": alias["AliasArn"]}
    return {**record, "config": shown}, shown
