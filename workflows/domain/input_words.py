"""What is wrong with an input, in the words of who typed it.

pydantic's own messages are about Python's types. Here each kind of its errors has one of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from workflows.domain.formatting import format_duration
from workflows.domain.input_schema import InputSchema
from workflows.domain.suggestion import ask_whether_meant

_MOST_KEYS_LISTED: Final = 12
_TIMEDELTA_PART: Final = re.compile(r"(\w+)=(\d+)")
_QUOTED: Final = re.compile(r"'([^']*)'")
KEY_OF_MAPPING: Final = "[key]"
"""pydantic's last part of a location where the key of a mapping is wrong, not its value."""

_Context = Mapping[str, Any]

_WORDS: Final[Mapping[str, str]] = {
    "missing": "missing",
    "json_type": "must be JSON",
    "string_unicode": "must be text in Unicode",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "bytes_type": "must be text in base64",
    "bytes_invalid_encoding": "must be text in base64",
    "time_delta_type": "must be a duration, such as PT10M or 10m",
    "time_delta_parsing": "must be a duration, such as PT10M or 10m",
    "url_type": "must be a URL",
    "url_parsing": "must be a URL",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "none_required": "must be absent",
    "recursion_loop": "contains itself",
}
_TIME: Final = "must be a time, such as 2026-12-01T17:00 or 2026-12-01T17:00:00+01:00"
_OTHER: Final = "is not of the kind that is needed here"
Location = tuple[int | str, ...]
"""Where an error is, as pydantic names it."""


@dataclass(frozen=True)
class _Place:
    """Where an error is, in what was validated and in the schema of its model."""

    location: Location
    document: object
    schema: InputSchema | None

    @property
    def value(self) -> object:
        """What the document holds there; None where that is not known."""
        return self.schema.read_value(self.location, self.document) if self.schema else None

    def describe(self, location: Location) -> str:
        """Return ``: `` and the description of a place of the schema; empty without one."""
        words = self.schema.describe(location, self.document) if self.schema else ""
        return f": {words}" if words else ""


def describe_error(
    error: Mapping[str, object], document: object = None, schema: InputSchema | None = None
) -> str:
    """Return what is wrong, without the field and without its value.

    ``error`` is one of pydantic's. ``document`` is what was validated, and ``schema`` that of its
    model: with both, the text names what a near miss probably meant.
    """
    kind, context = str(error["type"]), cast("_Context", error.get("ctx", {}))
    place = _Place(cast("Location", error["loc"]), document, schema)
    if place.location and place.location[-1] == KEY_OF_MAPPING:
        return f"is not a name that can stand here{place.describe(place.location[:-2])}"
    if kind in _BY_PLACE:
        return _BY_PLACE[kind](place, context)
    if kind in _BY_CONTEXT:
        return _BY_CONTEXT[kind](context)
    is_time = kind.startswith(("datetime", "date_", "time_", "timezone"))
    return _WORDS.get(kind) or (_TIME if is_time else _OTHER)


def _describe_form(place: _Place, context: _Context) -> str:
    del context
    return f"has not the right form{place.describe(place.location)}"


def _describe_text(place: _Place, context: _Context) -> str:
    del context
    needs_quotes = isinstance(place.value, int | float)
    return "must be text: write it in quotes" if needs_quotes else "must be text"


def _describe_unknown_key(place: _Place, context: _Context) -> str:
    del context
    *outer, key = place.location
    known = place.schema.list_keys(tuple(outer), place.document) if place.schema else []
    question = ask_whether_meant(key, known)
    listed = f": there are {', '.join(known)}" if 0 < len(known) <= _MOST_KEYS_LISTED else ""
    return f"there is no such key{question or listed}"


def _describe_missing_kind(place: _Place, context: _Context) -> str:
    del context
    kinds = place.schema.list_kinds(place.location, place.document) if place.schema else []
    return f"missing: {_join_choices(kinds)}" if kinds else "missing"


def _describe_choice(place: _Place, context: _Context) -> str:
    words = _QUOTED.findall(str(context.get("expected") or context.get("expected_tags") or ""))
    choices = _join_choices(words or ["another value"])
    return f"must be {choices}{ask_whether_meant(context.get('tag') or place.value, words)}"


def _join_choices(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _format_bound(bound: object) -> str:
    """Format a bound, which pydantic writes as Python does where it is a duration of ours."""
    if isinstance(bound, str) and bound.startswith("datetime.timedelta("):
        parts = {unit: int(number) for unit, number in _TIMEDELTA_PART.findall(bound)}
        return format_duration(timedelta(**parts))
    return format_duration(bound) if isinstance(bound, timedelta) else f"{bound}"


def _count(number: object, thing: str) -> str:
    plural = {"entry": "entries", "character": "characters", "digit": "digits"}
    return f"{number} {thing if number == 1 else plural[thing]}"


def _describe_shortness(thing: str) -> Callable[[_Context], str]:
    def describe(context: _Context) -> str:
        least = context.get("min_length")
        return "is empty" if least == 1 else f"must have at least {_count(least, thing)}"

    return describe


def _describe_length(thing: str) -> Callable[[_Context], str]:
    return lambda context: f"must have at most {_count(context.get('max_length'), thing)}"


_BY_CONTEXT: Final[Mapping[str, Callable[[_Context], str]]] = {
    "greater_than_equal": lambda context: f"must be at least {_format_bound(context.get('ge'))}",
    "less_than_equal": lambda context: f"must be at most {_format_bound(context.get('le'))}",
    "greater_than": lambda context: f"must be more than {_format_bound(context.get('gt'))}",
    "less_than": lambda context: f"must be less than {_format_bound(context.get('lt'))}",
    "multiple_of": lambda context: f"must be a multiple of {context.get('multiple_of')}",
    "too_short": _describe_shortness("entry"),
    "too_long": _describe_length("entry"),
    "string_too_short": _describe_shortness("character"),
    "string_too_long": _describe_length("character"),
    "bytes_too_short": _describe_shortness("character"),
    "bytes_too_long": _describe_length("character"),
    "json_invalid": lambda context: f"not JSON: {context.get('error')}",
}
_BY_PLACE: Final[Mapping[str, Callable[[_Place, _Context], str]]] = {
    "value_error": lambda _, context: str(context.get("error", "")),
    "assertion_error": lambda _, context: str(context.get("error", "")),
    "extra_forbidden": _describe_unknown_key,
    "string_pattern_mismatch": _describe_form,
    "string_type": _describe_text,
    "union_tag_invalid": _describe_choice,
    "union_tag_not_found": _describe_missing_kind,
    "literal_error": _describe_choice,
    "enum": _describe_choice,
}
