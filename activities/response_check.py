"""Checks a response against AWS's service model: required members and types.

A proxy between this worker and AWS may respond in AWS's place, even with JSON. A response that does
not match the model is an error, and the request is retried a bounded number of times. Taken for a
response it would end as a bug of ours, or as a result that no history can hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from activities.errors import AwsError

_ALIAS_MEMBERS: Final = ("FunctionVersion", "RevisionId")

_REQUIRED_MEMBERS: Final[Mapping[str, Sequence[str]]] = {
    "create_alias": _ALIAS_MEMBERS,
    "get_alias": _ALIAS_MEMBERS,
    "get_event_source_mapping": ("UUID",),
    "get_function": ("Configuration", "Configuration.RevisionId"),
    "get_parameters": ("Parameters", "Parameters.Name", "Parameters.Value"),
    "get_policy": ("Policy",),
    "list_aliases": ("Aliases",),
    "list_event_source_mappings": ("EventSourceMappings", "EventSourceMappings.UUID"),
    "list_functions": ("Functions",),
    "list_provisioned_concurrency_configs": ("ProvisionedConcurrencyConfigs",),
    "list_versions_by_function": ("Versions", "Versions.Version"),
    "publish_version": ("Version",),
    "update_alias": _ALIAS_MEMBERS,
}
"""Members that AWS always sends and this program relies on.

In a list they are members of each item. A release that accepted an alias without a revision would
take its own next update for another writer's, and leave the weights unchanged.
"""

_ABSENT: Final = (None, "")


def refuse_mismatch(operation: str, response: Mapping[str, Any], shape: Any) -> None:
    """Raise ``ResponseParserError`` for a response that does not match; see find_mismatch."""
    if (mismatch := find_mismatch(operation, response, shape)) is not None:
        raise AwsError(
            operation, "ResponseParserError", f"the answer is not as AWS describes it: {mismatch}"
        )


def find_mismatch(operation: str, response: Mapping[str, Any], shape: Any) -> str | None:
    """Return the first mismatch in a response, by member name; None if none.

    The text holds no value. ``shape`` is botocore's output shape of the operation. The value of an
    enumeration is never a mismatch: AWS adds values.
    """
    if shape is None:
        return None
    missing = next(
        (
            path
            for path in _REQUIRED_MEMBERS.get(operation, ())
            if any(value in _ABSENT for value in _iterate_values(response, path.split(".")))
        ),
        None,
    )
    if missing is not None:
        return f"{missing} is missing"
    path = next(_iterate_type_mismatches(response, shape, ()), None)
    if path is None:
        return None
    return f"{'.'.join(path) or 'the answer'} is of another type than AWS describes"


def _iterate_values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield the values at the end of a path, through lists; None for an absent one."""
    match value:
        case list() if path:
            for item in cast("Any", value):
                yield from _iterate_values(item, path)
        case Mapping() if path:
            yield from _iterate_values(cast("Mapping[str, Any]", value).get(path[0]), path[1:])
        case _:
            yield value if not path else None


def _iterate_type_mismatches(
    value: Any, shape: Any, path: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Yield the paths of members whose value is not of the shape's type."""
    if not _is_of_type(value, shape.type_name):
        yield path
        return
    match shape.type_name:
        case "structure":
            for name, inner in value.items():
                if name in shape.members:
                    yield from _iterate_type_mismatches(inner, shape.members[name], (*path, name))
        case "list":
            for inner in value:
                yield from _iterate_type_mismatches(inner, shape.member, path)
        case "map":
            for name, inner in value.items():
                yield from _iterate_type_mismatches(name, shape.key, path)
                yield from _iterate_type_mismatches(inner, shape.value, path)
        case _:
            return


def _is_of_type(value: Any, type_name: str) -> bool:
    match type_name:
        case "structure" | "map":
            return isinstance(value, dict)
        case "list":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str) and not _has_surrogates(value)
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "long" | "float" | "double":
            return (
                isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
            )
        case _:
            return True


def _has_surrogates(text: str) -> bool:
    """Whether a text cannot be encoded as UTF-8: JSON permits lone surrogates."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer that no float can hold
        return False
