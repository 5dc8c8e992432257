"""The search attributes of releases: the columns and filters of the workflow list."""

from __future__ import annotations

import json
from typing import Any

from temporalio import workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from workflows.domain.status import Phase
from workflows.domain.target import Target

FUNCTION = SearchAttributeKey.for_keyword("LambdaFunction")
ALIAS = SearchAttributeKey.for_keyword("LambdaAlias")
REQUESTED_BY = SearchAttributeKey.for_keyword("RequestedBy")
PHASE = SearchAttributeKey.for_keyword("ReleasePhase")
VERSION = SearchAttributeKey.for_keyword("ReleaseVersion")
TRAFFIC_PERCENT = SearchAttributeKey.for_int("TrafficPercent")

KEYS = (FUNCTION, ALIAS, REQUESTED_BY, PHASE, VERSION, TRAFFIC_PERCENT)

TYPES = {
    **{
        key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        for key in (FUNCTION, ALIAS, REQUESTED_BY, PHASE, VERSION)
    },
    TRAFFIC_PERCENT.name: IndexedValueType.INDEXED_VALUE_TYPE_INT,
}
"""The types that a namespace must have registered before a release can start, by name."""


def name_type(name: str) -> str:
    """Return the type of a search attribute, as Temporal's command line names it."""
    return "Int" if name == TRAFFIC_PERCENT.name else "Keyword"


def make_create_command(namespace: str, name: str) -> str:
    """Return the command with which an administrator registers a search attribute."""
    return (
        f"temporal operator search-attribute create --namespace {namespace} --name {name} "
        f"--type {name_type(name)}"
    )


_MAX_BYTES = 2000
"""Bytes of JSON. Temporal terminates a workflow that writes an attribute of more than 2,048."""

_BYTES_OF_A_CHARACTER = 12
"""At most: JSON writes a character beyond ASCII as six bytes or as twelve."""


def truncate(text: str) -> str:
    """Return as much of a text as a search attribute can hold."""
    if len(json.dumps(text)) <= _MAX_BYTES:
        return text
    return text[: _MAX_BYTES // _BYTES_OF_A_CHARACTER - 1] + "…"


def of_start(target: Target, *, requested_by: str) -> TypedSearchAttributes:
    """The search attributes with which a release is started: it waits for a worker then."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(FUNCTION, target.name),
            SearchAttributePair(ALIAS, target.alias),
            SearchAttributePair(REQUESTED_BY, truncate(requested_by)),
            SearchAttributePair(PHASE, Phase.WAITING_FOR_WORKER),
        ]
    )


def upsert(*updates: SearchAttributeUpdate[Any]) -> None:
    """Set search attributes of the current workflow: one event, however many there are."""
    # Temporal's own type is partly unknown.
    workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType]
