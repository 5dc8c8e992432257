"""Looking before doing it twice: what was asked, held against what is there.

A write whose answer was lost may have happened. Before it is sent again it is read back, and this is what the reading finds:
the same (success), nothing (send it), or something else (a failure that says what differs, by name and never by value).
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from temporalio.exceptions import ApplicationError

from activities.errors import AwsError, Fault

RESOURCE_NOT_FOUND: Final = "ResourceNotFoundException"
RESOURCE_CONFLICT: Final = "ResourceConflictException"
PRECONDITION_FAILED: Final = "PreconditionFailedException"
"""AWS's codes for *no such thing*, *exists or busy*, and *not the RevisionId you read*."""

_WHOLE: Final = {"AdditionalVersionWeights", "Endpoints", "Variables"}
_ORDERED: Final = {"Command", "EntryPoint", "Layers"}


async def read_or_none(answer: Awaitable[dict[str, Any]]) -> dict[str, Any] | None:
    """AWS's answer, or None where there is no such thing. Any other error is raised."""
    try:
        return await answer
    except AwsError as error:
        if error.code == RESOURCE_NOT_FOUND:
            return None
        raise


def find_differences(asked: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """The names of the members that were asked and are not so: ``Timeout``, ``Environment.Variables.LOG_LEVEL``.

    What was not asked does not count. Absent, empty, zero and false are one. Variables and weights must agree as a whole,
    since AWS replaces them as a whole; lists as sets, but for layers and command lines.
    """
    return [
        name
        for member, wanted in asked.items()
        for name in _differing(member, wanted, found.get(member))
    ]


def _differing(member: str, wanted: Any, there: Any) -> list[str]:
    if not wanted and not there:
        return []
    if isinstance(wanted, Mapping):
        expected = cast("Mapping[str, Any]", wanted)
        present = cast("Mapping[str, Any]", there or {})
        names = (
            [*expected, *(name for name in present if name not in expected)]
            if member in _WHOLE
            else [*expected]
        )
        return [
            f"{member}.{inner}"
            for name in names
            for inner in _differing(name, expected.get(name), present.get(name))
        ]
    return [] if _same(member, wanted, there) else [member]


def _same(member: str, wanted: Any, there: Any) -> bool:
    match wanted:
        case float():
            return there is not None and math.isclose(wanted, there, abs_tol=1e-9)
        case datetime():
            return isinstance(there, datetime) and int(wanted.timestamp()) == int(there.timestamp())
        case list() | tuple():
            return _same_items(
                member, cast("Sequence[Any]", wanted), cast("Sequence[Any]", there or [])
            )
        case _:
            return bool(wanted == there)


def _same_items(member: str, wanted: Sequence[Any], there: Sequence[Any]) -> bool:
    if len(wanted) != len(there):
        return False
    if member not in _ORDERED:
        wanted, there = sorted(wanted, key=_order), sorted(there, key=_order)
    return not any(_differing(member, one, other) for one, other in zip(wanted, there, strict=True))


def _order(item: Any) -> str:
    return json.dumps(item, sort_keys=True, default=str)


def permanent_error(fault: Fault, operation: str, what: str) -> ApplicationError:
    """A failure that no repetition mends, in our own words: ``Stale``, ``Exists`` … with what to do next."""
    return ApplicationError(
        f"{operation}: {what}. {fault.advice}",
        {"operation": operation, "code": "", "fault": fault.value},
        type=fault.value,
        non_retryable=True,
    )


def exists_error(operation: str, what: str, differing: Sequence[str]) -> ApplicationError:
    """The failure of a create that found another one of the same name."""
    return permanent_error(
        Fault.EXISTS, operation, f"{what} exists already, and differs in {', '.join(differing)}"
    )


def stale_error(operation: str, what: str) -> ApplicationError:
    """The failure of a change that found something else than what it was asked to change."""
    return permanent_error(Fault.STALE, operation, f"{what}; nothing was overwritten")


def not_settled_error(operation: str, what: str) -> ApplicationError:
    """AWS's own answers do not agree yet: tried again, and then read back first."""
    return ApplicationError(
        f"{operation}: {what}",
        {"operation": operation, "code": "", "fault": Fault.CONFLICT.value},
        type=Fault.CONFLICT.value,
    )
