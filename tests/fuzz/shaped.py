"""Documents that a model accepts or nearly accepts, drawn from the model's JSON schema."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

_DURATIONS = st.sampled_from(
    ["1s", "5m", "2h", "3d", "PT10M", "P1D", "PT1H30M", "365d", "PT1S", "P1W"]
)
_FIRST, _LAST = datetime(2000, 1, 1), datetime(2099, 1, 1)  # noqa: DTZ001 - in UTC
_TIMES = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC)).map(datetime.isoformat)
_STRATEGIES = st.sampled_from(
    [
        "AllAtOnce",
        "Adaptive",
        "Canary10Percent5Minutes",
        "Linear25PercentEvery1Minute",
        "Linear1PercentEvery99999Minutes",
    ]
)
_TEXT = st.one_of(
    st.text(min_size=0, max_size=30),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12),
)

Known = Mapping[tuple[str, ...], st.SearchStrategy[Any]]
"""Values by the last names of a path, where the schema does not say enough."""


def documents_of_model(
    model: type[BaseModel], known: Known | None = None
) -> st.SearchStrategy[Any]:
    """Documents for this model."""
    return _Shaper(model.model_json_schema(by_alias=True), known or {}).of(
        model.model_json_schema(by_alias=True), ()
    )


class _Shaper:
    """Draws documents from a schema."""

    def __init__(self, schema: dict[str, Any], known: Known) -> None:
        self._definitions: dict[str, Any] = schema.get("$defs", {})
        self._known = known

    def of(self, schema: dict[str, Any], path: tuple[str, ...]) -> st.SearchStrategy[Any]:
        """Values of the schema at the end of this path."""
        for size in (3, 2, 1):
            if len(path) >= size and path[-size:] in self._known:
                return self._known[path[-size:]]
        if "$ref" in schema:
            return self.of(self._definitions[schema["$ref"].rpartition("/")[2]], path)
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return st.one_of([self.of(choice, path) for choice in choices])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        return self._of_type(schema, path)

    def _of_type(  # noqa: PLR0911 - one return for each type
        self, schema: dict[str, Any], path: tuple[str, ...]
    ) -> st.SearchStrategy[Any]:
        match schema.get("type"):
            case "object":
                return self._object(schema, path)
            case "array":
                most = min(schema.get("maxItems", 4), 4)
                return st.lists(
                    self.of(schema.get("items", {}), path),
                    min_size=min(schema.get("minItems", 0), most),
                    max_size=most,
                )
            case "string":
                return _TIMES if schema.get("format") == "date-time" else _text(schema)
            case "integer":
                return st.integers(
                    schema.get("minimum", 0), min(schema.get("maximum", 1000), 10_000)
                )
            case "number":
                return st.floats(
                    schema.get("minimum", 0), schema.get("maximum", 1000), allow_nan=False
                )
            case "boolean":
                return st.booleans()
            case _:
                return st.none()

    def _object(self, schema: dict[str, Any], path: tuple[str, ...]) -> st.SearchStrategy[Any]:
        if "properties" not in schema:
            patterns: dict[str, Any] = schema.get("patternProperties", {})
            key = (
                _matching(next(iter(patterns)))
                if patterns
                else _text(schema.get("propertyNames", {}))
            )
            inner: Any = (
                next(iter(patterns.values()))
                if patterns
                else schema.get("additionalProperties", {})
            )
            of = self.of(inner, path) if isinstance(inner, dict) else st.none()
            return st.dictionaries(key, of, max_size=min(schema.get("maxProperties", 3), 3))
        members = {
            name: self.of(member, (*path, name)) for name, member in schema["properties"].items()
        }
        needed = set(schema.get("required", ())) | ({"kind"} & set(members))
        return st.fixed_dictionaries(
            {name: of for name, of in members.items() if name in needed},
            optional={name: of for name, of in members.items() if name not in needed},
        )


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "duration":
        return _DURATIONS
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**9)
    if schema.get("contentEncoding") == "base64" or schema.get("format") in {"base64", "binary"}:
        return st.sampled_from(["", "e30=", "aGk="])
    found = _matching(schema["pattern"]) if "pattern" in schema else _TEXT
    return (
        found.filter(lambda text: least <= len(text) <= most)
        if least <= 1
        else found.map(lambda text: text.ljust(least, "x")[:most])
    )


@functools.cache
def _matching(pattern: str) -> st.SearchStrategy[str]:
    """Texts of a pattern. Rust's ``$`` is the end of the text, like Python's ``\\Z``."""
    pattern = re.sub(r"\\p\{[LZN]\}", "a-z0", pattern)
    return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True).map(
        lambda text: text.rstrip("\n")
    )


STRATEGIES = _STRATEGIES
