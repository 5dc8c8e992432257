"""The search attributes of releases: the columns and filters of the workflow list."""

from __future__ import annotations

import json
from typing import Any

from temporalio import workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

FUNCTION = SearchAttributeKey.for_keyword("LambdaFunction")
ALIAS = SearchAttributeKey.for_keyword("LambdaAlias")
REQUESTED_BY = SearchAttributeKey.for_keyword("RequestedBy")
PHASE = SearchAttributeKey.for_keyword("ReleasePhase")
VERSION = SearchAttributeKey.for_keyword("ReleaseVersion")
PERCENT = SearchAttributeKey.for_int("TrafficPercent")

KEYS = (FUNCTION, ALIAS, REQUESTED_BY, PHASE, VERSION, PERCENT)
"""All of them."""

TYPES = {
    **{
        key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        for key in (FUNCTION, ALIAS, REQUESTED_BY, PHASE, VERSION)
    },
    PERCENT.name: IndexedValueType.INDEXED_VALUE_TYPE_INT,
}
"""What a namespace must know before a release can start, by name."""


_LARGEST = 2000
"""Bytes of JSON; Temporal ends a workflow that writes an attribute of more than 2,048."""


def truncate(text: str) -> str:
    """A text as far as an attribute can hold it: a character beyond ASCII takes six bytes there, or twelve."""
    return text if len(json.dumps(text)) <= _LARGEST else text[: _LARGEST // 12 - 1] + "…"


def upsert(*updates: SearchAttributeUpdate[Any]) -> None:
    """Set search attributes of the current workflow: one event, one action, however many."""
    workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
