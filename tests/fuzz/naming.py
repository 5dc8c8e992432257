"""What a refusal of an input must contain, and what it must not.

It is a list of problems. Each names its field by a dotted path that leads, step by step, to a part
of the input or to a member of the model. A part is a key, cut to 100 characters, or an index.
``(input)`` names the input as a whole: it is no JSON, no object, in another encoding, too large, or
wrong in no single place. A wrong number of inputs is named as that.
A *value* of the input is never repeated; a key is, since it is the name of the field.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import from_json

from tests.fuzz.documents import MARK

LONGEST_REFUSAL = 12_000
"""Characters: at most fifty problems, each a path and a sentence."""

LONGEST_NAME = 100
_TELLING = 6
"""Characters from which a text of the input in a message is no coincidence."""

_COUNTS = re.compile(r"\w+: (exactly one input is needed|no input is taken), \d+ were given")


def check_refusal(
    text: str, details: Sequence[Any], model: type[BaseModel] | None, data: bytes
) -> None:
    """Assert that a refusal is as the module says.

    ``model`` is None where no input is accepted.
    """
    assert len(text) <= LONGEST_REFUSAL, f"{len(text)} characters"
    if _COUNTS.fullmatch(text):
        return
    assert model is not None, text[:300]
    assert len(details) == 1, f"no list of problems: {text[:300]}"
    # A rejection has them in its status, a refusal of anything else as they are.
    status = details[0] if isinstance(details[0], dict) else None
    problems: list[dict[str, str]] = status["problems"] if status else details[0]
    assert status is None or status["phase"] == "rejected"
    assert problems, "no problem at all"
    schema, typed = _schema(model), _typed(data)
    for problem in problems:
        assert set(problem) == {"field", "problem"}
        assert problem["problem"], f"{problem['field']}: no reason"
        assert has_path(problem["field"], typed, schema), (
            f"{problem['field']!r} is no field: {text[:300]}"
        )
        check_no_value(problem["problem"], typed, schema)
    assert text == f"{text.partition(': ')[0]}: " + "; ".join(
        f"{problem['field']}: {problem['problem']}" for problem in problems
    )


def check_no_value(message: str, typed: object, schema: Mapping[str, Any]) -> None:
    """Assert that no value of the input is repeated, except words of the model itself."""
    assert MARK not in message, f"repeats what was typed: {message[:300]}"
    own = json.dumps(schema)
    message = _PRESET.sub("", message)
    for value in _values(typed):
        assert len(value) < _TELLING or value not in message or value in own or value in _WORDS, (
            f"repeats {value[:50]!r}: {message[:300]}"
        )


_PRESET = re.compile(r"did you mean (Canary|Linear)\d+Percent(Every)?\d+Minutes?")
"""A near miss of a preset is asked about with the numbers that were typed."""

_WORDS = (
    "no such preset: there are AllAtOnce, Canary<P>Percent<N>Minutes and "
    "Linear<P>PercentEvery<N>Minutes (P from 1 to 99, N from 1) Percent "
    "not a duration: write ISO 8601 (PT10M) or a number and a unit (30s, 5m, 2h, 3d)"
)


def has_path(field: str, typed: object, schema: Mapping[str, Any]) -> bool:
    """Whether a dotted path exists in the input or in the model. A name may contain dots."""
    return field == "(input)" or (
        field != "" and _leads(field, typed, [schema], schema.get("$defs", {}))
    )


def names_member(text: str, model: type[BaseModel]) -> bool:
    """Whether a sentence begins with a path of the model, like the problems of preflight."""
    path, colon, rest = text.partition(": ")
    return bool(colon and rest) and has_path(path, None, _schema(model))


def _leads(
    rest: str, typed: object, schemas: list[Mapping[str, Any]], defs: Mapping[str, Any]
) -> bool:
    if not rest:
        return True
    flat = [each for schema in schemas for each in _flat(schema, defs)]
    members: dict[str, list[Mapping[str, Any]]] = {}
    for each in flat:
        for name, member in each.get("properties", {}).items():
            members.setdefault(name, []).append(member)
    if isinstance(typed, dict):
        others = [
            each["additionalProperties"]
            for each in flat
            if isinstance(each.get("additionalProperties"), dict)
        ]
        for key, inner in cast("dict[str, object]", typed).items():
            name = key[:LONGEST_NAME].encode(errors="replace").decode()
            if (after := _after(rest, name)) is not None and _leads(
                after, inner, members.get(key, others), defs
            ):
                return True
        if rest == "[key]" or any(
            _after(rest, f"{key[:LONGEST_NAME]}.[key]") == ""
            for key in cast("dict[str, object]", typed)
        ):
            return True
    if isinstance(typed, list):
        index, _, after = rest.partition(".")
        items = [each["items"] for each in flat if isinstance(each.get("items"), dict)]
        inside = index.isdecimal() and int(index) < len(cast("list[object]", typed))
        return inside and _leads(after, cast("list[object]", typed)[int(index)], items, defs)
    return any(
        (after := _after(rest, name)) is not None and _leads(after, None, inner, defs)
        for name, inner in members.items()
    )


def _after(rest: str, name: str) -> str | None:
    if rest == name:
        return ""
    return rest[len(name) + 1 :] if rest.startswith(f"{name}.") else None


def _flat(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        yield from _flat(defs[schema["$ref"].rpartition("/")[2]], defs)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _flat(choice, defs)
    yield schema


@functools.cache
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    return model.model_json_schema(by_alias=True)


def _typed(data: bytes) -> object:
    try:
        return from_json(data)
    except ValueError:
        return None


def _values(typed: object) -> Iterator[str]:
    match typed:
        case dict():
            for inner in cast("dict[str, object]", typed).values():
                yield from _values(inner)
        case list():
            for inner in cast("list[object]", typed):
                yield from _values(inner)
        case str() | int() | float() if not isinstance(typed, bool):
            try:
                yield str(typed)
            except ValueError:  # thousands of digits
                return
        case _:
            return
