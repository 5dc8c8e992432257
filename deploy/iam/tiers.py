"""The tiers of rights, each by what of the product may run with it.

- ``plan``: ``releases plan``, ``doctor`` and ``repair``, which read.
- ``release``: whatever releases and rollbacks do.
- ``operations``: single operations that no release needs, for ``RELEASES_OPERATIONS``.
- ``upload``: ``releases start --zip``, on the machine of whoever uploads, not the worker.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from activities.access import OTHER_OPERATIONS, RELEASE_OPERATIONS
from activities.permission_needs import NEEDS, NO_PERMISSION, OTHER_NEEDS, Scope, list_actions
from deploy.iam.aws_calls import find_calls
from deploy.iam.call_graph import CallGraph, Definition

_PLAN: Final = (
    "workflows.plan.Plan",
    "workflows.diagnosis.Diagnosis",
    "workflows.survey.Survey",
)
_UPLOAD: Final = "workflows.cli.upload.upload_package"
_GUARD: Final = ("activities.access.FunctionGuard", "activities.function_scope.FunctionScope")
"""With ``RELEASES_FUNCTIONS`` it looks up of which function a mapping is."""

_GUARDED: Final = "event_source_mapping"
_START: Final = "workflows.temporal.codec_settings"
"""The module that calls AWS before a worker starts."""

_TRIES: Final = "activities.permission_reads"
"""The module that tries reads which others make, to learn whether they are allowed."""

_READ_PREFIXES: Final = ("get_", "batch_get_", "list_", "describe_", "head_", "simulate_")
_START_READS: Final = frozenset({"kms.decrypt"})


class Tier(StrEnum):
    """What may run."""

    PLAN = "plan"
    RELEASE = "release"
    OPERATIONS = "operations"
    UPLOAD = "upload"


class UnknownCallError(Exception):
    """The code makes a call that the table of permissions does not know. One line."""


def find_tier_calls(
    graph: CallGraph, tier: Tier, operations: Collection[str] = OTHER_OPERATIONS
) -> dict[str, list[str]]:
    """Return the calls of AWS that a tier makes, each with where.

    ``operations`` are those of the tier of that name. Plans make no write: a dry run of
    UpdateFunctionCode takes the right to update, and so a plan does without it.
    """
    calls = find_calls(graph, _reach(graph, tier, operations))
    if tier is not Tier.PLAN:
        return calls
    return {
        call: places
        for call, places in calls.items()
        if call.partition(".")[2].startswith(_READ_PREFIXES) or call in _START_READS
    }


def find_tier_actions(calls: Iterable[str]) -> dict[Scope, list[str]]:
    """Return the actions of calls, by what they are authorized on.

    Raises :class:`UnknownCallError` for a call that the table does not know.
    """
    made = frozenset(calls)
    found: dict[Scope, set[str]] = {}
    for need in (*NEEDS, *OTHER_NEEDS):
        for action, scope in need.find_actions(made):
            found.setdefault(scope, set()).add(action)
    known = {action for actions in found.values() for action in actions} | NO_PERMISSION
    for call in sorted(made):
        if missing := set(list_actions(call)) - known:
            raise UnknownCallError(
                f"the code calls {call}, and activities/permission_needs.py does not say on what "
                f"AWS authorizes {', '.join(sorted(missing))}: add it to NEEDS"
            )
    return {scope: sorted(found[scope]) for scope in Scope if scope in found}


def _reach(graph: CallGraph, tier: Tier, operations: Collection[str]) -> list[Definition]:
    start = [each for each in graph.list_functions() if each.module == _START]
    match tier:
        case Tier.PLAN:
            roots = [*map(graph.find, _PLAN), *start]
        case Tier.RELEASE:
            roots = [*graph.find_operations(RELEASE_OPERATIONS), *start]
        case Tier.OPERATIONS:
            roots = graph.find_operations(operations)
            if any(_GUARDED in name for name in operations):
                roots += map(graph.find, _GUARD)
        case Tier.UPLOAD:
            roots = [graph.find(_UPLOAD)]
    reached = graph.reach(roots)
    return sorted((each for each in reached if each.module != _TRIES), key=str)
