"""The functions and aliases that were released lately, for a name that is none of them."""

from __future__ import annotations

from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from workflows import search_attributes
from workflows.domain.suggestion import ask_whether_meant
from workflows.domain.target import Target

_MOST_READ: Final = 200
"""Rollouts that are looked at, the newest: one request."""


async def ask_for_target(client: Client, target: Target) -> str:
    """Return ``; did you mean checkout:live?``; empty where no release has a name like it."""
    known: dict[str, None] = {}
    try:
        runs = client.list_workflows("WorkflowType = 'Rollout'", limit=_MOST_READ)
        async for run in runs:
            found = run.typed_search_attributes
            name, alias = found.get(search_attributes.FUNCTION), found.get(search_attributes.ALIAS)
            if name and alias:
                known[f"{name}:{alias}"] = None
    except RPCError:  # the answer is the same without a hint
        return ""
    known.pop(str(target), None)
    return ask_whether_meant(str(target), known)
