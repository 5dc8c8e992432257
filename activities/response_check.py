"""Whether an answer is one of AWS's: the members that always come, of the types that AWS's own model describes.

Something between us and AWS may answer in AWS's place, with JSON even. What is not as described is no answer, and is asked for again a
bounded number of times; taken for one it would end as a mistake of ours, or as a result that no history can hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

_ALIAS: Final = ("FunctionVersion", "RevisionId")
_ALWAYS: Final[Mapping[str, Sequence[str]]] = {
    "create_alias": _ALIAS,
    "get_alias": _ALIAS,
    "get_event_source_mapping": ("UUID",),
    "get_function": ("Configuration", "Configuration.RevisionId"),
    "get_parameters": ("Parameters", "Parameters.Name", "Parameters.Value"),
    "get_policy": ("Policy",),
    "list_aliases": ("Aliases",),
    "list_event_source_mappings": ("EventSourceMappings", "EventSourceMappings.UUID"),
    "list_functions": ("Functions",),
    "list_versions_by_function": ("Versions", "Versions.Version"),
    "publish_version": ("Version",),
    "update_alias": _ALIAS,
}
"""What an operation never leaves out or empty, as far as somebody here relies on it; through a list, of each of its items. A release that took
an alias for one without a revision would take its own next move for somebody else's, and leave the weights as they are."""


def find_mismatch(operation: str, answer: Mapping[str, Any], shape: Any) -> str | None:
    """What is wrong with an answer: the first such member, by name, and no value; None where it is as AWS describes it.

    ``shape`` is botocore's description of the answer. An enumeration's value is never wrong: AWS adds to them.
    """
    if shape is None:
        return None
    missing = next(
        (
            path
            for path in _ALWAYS.get(operation, ())
            if any(item in _NONE for item in _at(answer, path.split(".")))
        ),
        None,
    )
    if missing is not None:
        return f"{missing} is missing"
    other = next(_others(answer, shape, ()), None)
    return (
        None
        if other is None
        else f"{'.'.join(other) or 'the answer'} is of another type than AWS describes"
    )


_NONE: Final = (None, "")


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """What stands at the end of a path, None where it ends before."""
    match value:
        case list() if path:
            for item in cast("Any", value):
                yield from _at(item, path)
        case Mapping() if path:
            yield from _at(cast("Mapping[str, Any]", value).get(path[0]), path[1:])
        case _:
            yield value if not path else None


def _others(value: Any, shape: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not _is(value, shape.type_name):
        yield path
        return
    match shape.type_name:
        case "structure":
            for name, inner in value.items():
                if name in shape.members:
                    yield from _others(inner, shape.members[name], (*path, name))
        case "list":
            for inner in value:
                yield from _others(inner, shape.member, path)
        case "map":
            for name, inner in value.items():
                yield from _others(name, shape.key, path)
                yield from _others(inner, shape.value, path)
        case _:
            return


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "structure" | "map":
            return isinstance(value, dict)
        case "list":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str) and (
                value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
            )
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "long" | "float" | "double":
            return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)
        case _:
            return True


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
