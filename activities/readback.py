"""Reads a resource before a write is repeated, and compares it with the request.

A write whose response was lost may have happened. Before it is sent again the resource is read:

- it equals the request: success;
- it does not exist: the request is sent;
- it is something else: a failure that names the differing members and never their values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from temporalio.exceptions import ApplicationError

from activities.errors import AwsError, Fault, describe_failure
from activities.operation import current_attempt

RESOURCE_NOT_FOUND: Final = "ResourceNotFoundException"
"""AWS's code where the resource does not exist."""

RESOURCE_CONFLICT: Final = "ResourceConflictException"
"""AWS's code where the resource exists already, or is busy."""

PRECONDITION_FAILED: Final = "PreconditionFailedException"
"""AWS's code where the RevisionId is not the one that was read."""

_REPLACED_AS_A_WHOLE: Final = {"AdditionalVersionWeights", "Endpoints", "Variables"}
_ORDERED_LISTS: Final = {"Command", "EntryPoint", "Layers"}


async def read_or_none(response: Awaitable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return AWS's response, or None where the resource does not exist.

    Any other error is raised.
    """
    try:
        return await response
    except AwsError as error:
        if error.code == RESOURCE_NOT_FOUND:
            return None
        raise


def find_differences(requested: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the names of requested members with another value in ``found``.

    Nested names are joined by dots: ``Timeout``, ``Environment.Variables.LOG_LEVEL``. Members that
    were not requested do not count. Absent, empty, zero and false are equal. Variables, endpoints
    and weights must be equal as a whole, because AWS replaces them as a whole. Lists are compared
    as sets, except layers and command lines.
    """
    return [
        name
        for member, expected in requested.items()
        for name in _find_member_differences(member, expected, found.get(member))
    ]


def _find_member_differences(member: str, expected: Any, actual: Any) -> list[str]:
    if not expected and not actual:
        return []
    if isinstance(expected, Mapping):
        members = cast("Mapping[str, Any]", expected)
        present = cast("Mapping[str, Any]", actual or {})
        names = (
            [*members, *(name for name in present if name not in members)]
            if member in _REPLACED_AS_A_WHOLE
            else [*members]
        )
        return [
            f"{member}.{inner}"
            for name in names
            for inner in _find_member_differences(name, members.get(name), present.get(name))
        ]
    return [] if _is_equal(member, expected, actual) else [member]


def _is_equal(member: str, expected: Any, actual: Any) -> bool:
    match expected:
        case float():
            return actual is not None and math.isclose(expected, actual, abs_tol=1e-9)
        case datetime():
            # In whole seconds.
            return isinstance(actual, datetime) and int(expected.timestamp()) == int(
                actual.timestamp()
            )
        case list() | tuple():
            return _is_equal_list(
                member, cast("Sequence[Any]", expected), cast("Sequence[Any]", actual or [])
            )
        case _:
            return bool(expected == actual)


def _is_equal_list(member: str, expected: Sequence[Any], actual: Sequence[Any]) -> bool:
    if len(expected) != len(actual):
        return False
    if member not in _ORDERED_LISTS:
        expected, actual = sorted(expected, key=_to_sort_key), sorted(actual, key=_to_sort_key)
    return not any(
        _find_member_differences(member, one, other)
        for one, other in zip(expected, actual, strict=True)
    )


def _to_sort_key(item: Any) -> str:
    return json.dumps(item, sort_keys=True, default=str)


def permanent_error(fault: Fault, operation: str, problem: str) -> ApplicationError:
    """Return a failure that is not retried, with the fault's advice.

    Its details hold the number of the attempt after the first, as those of AWS's errors do.
    """
    return ApplicationError(
        f"{operation}: {problem}. {fault.advice}",
        describe_failure(operation, "", fault, attempt=current_attempt()),
        type=fault.value,
        non_retryable=True,
    )


def exists_error(operation: str, resource: str, differences: Sequence[str]) -> ApplicationError:
    """Return the failure of a create that found another resource of the same name."""
    return permanent_error(
        Fault.EXISTS,
        operation,
        f"{resource} exists already, and differs in {', '.join(differences)}",
    )


def stale_error(operation: str, problem: str) -> ApplicationError:
    """Return the failure of a change whose resource has changed since it was read."""
    return permanent_error(Fault.STALE, operation, f"{problem}; nothing was overwritten")


def not_settled_error(operation: str, problem: str) -> ApplicationError:
    """Return a failure for contradictory responses of AWS's; it is retried."""
    return ApplicationError(
        f"{operation}: {problem}",
        {"operation": operation, "code": "", "fault": Fault.CONFLICT.value},
        type=Fault.CONFLICT.value,
    )
