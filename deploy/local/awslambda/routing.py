"""Which version of an alias takes the next invocation: drawn anew for each, by the weights of the moment."""

from __future__ import annotations

import random

from deploy.local.awslambda import records, upstream
from deploy.local.awslambda.upstream import Record


def draw(alias: Record) -> str:
    """A version: the extra one in as many cases as its weight says, else the primary."""
    at = random.random()  # noqa: S311 - a fair split, not a secret
    for extra, weight in records.weights(alias).items():
        if at < weight:
            return extra
        at -= weight
    return str(alias["FunctionVersion"])


def record_for_qualifier(
    function: Record | None, qualifier: str | None
) -> tuple[Record | None, Record | None]:
    """In ministack's place: what event sources, topics and rules run when they are pointed at an alias.

    The version is drawn, and goes by the alias's ARN.
    """
    alias = (function or {}).get("aliases", {}).get(qualifier)
    if function is None or alias is None:
        return upstream.record_for_qualifier(function, qualifier)
    record, config = upstream.record_for_qualifier(function, draw(alias))
    if record is None or config is None:
        return None, None
    shown = {**config, "FunctionArn": alias["AliasArn"]}
    return {**record, "config": shown}, shown
