"""The JSON schema of an input, as far as a message about a place in it needs it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pydantic import TypeAdapter

_Node = Mapping[str, Any]

_VARIANTS: Final = ("anyOf", "oneOf", "allOf")


class InputSchema:
    """Keys and descriptions of the places of a model.

    A place is named by pydantic's location, in which tags of unions stand between the keys.
    """

    def __init__(self, model: Any) -> None:
        """``model`` is any type that pydantic validates."""
        self._root: _Node = TypeAdapter[Any](model).json_schema(by_alias=True)
        self._definitions: Mapping[str, _Node] = self._root.get("$defs", {})

    def list_keys(self, location: tuple[int | str, ...], document: object = None) -> list[str]:
        """Return the keys of the object at ``location``, of its ``kind`` where that is known."""
        nodes, value = self._find(location, document)
        kind = _read_member(value, "kind")
        fitting = [node for node in nodes if _is_of_kind(node, kind)] or nodes
        return list(dict.fromkeys(key for node in fitting for key in node.get("properties", {})))

    def has_place(self, location: tuple[int | str, ...], document: object = None) -> bool:
        """Whether the model has a key of this name at that place, or the document something."""
        *outer, name = location
        held = _read_member(self.read_value(tuple(outer), document), name)
        return name in self.list_keys(tuple(outer), document) or held is not None

    def list_kinds(self, location: tuple[int | str, ...], document: object = None) -> list[str]:
        """Return what ``kind`` of an object may stand at ``location``."""
        nodes, _ = self._find(location, document)
        kinds = (node.get("properties", {}).get("kind", {}).get("const") for node in nodes)
        return list(dict.fromkeys(str(kind) for kind in kinds if kind is not None))

    def describe(self, location: tuple[int | str, ...], document: object = None) -> str:
        """Return the description of a text or a mapping at ``location``; empty where none is."""
        nodes, _ = self._find(location, document)
        described = (
            node["description"]
            for node in nodes
            if "description" in node and ("pattern" in node or "patternProperties" in node)
        )
        text = str(next(described, "")).rstrip(".")
        is_acronym = text[1:2].isupper()
        return text if is_acronym else text[:1].lower() + text[1:]

    def read_value(self, location: tuple[int | str, ...], document: object) -> object:
        """Return what a document holds at ``location``; None where that is not found."""
        return self._find(location, document)[1]

    def _find(
        self, location: tuple[int | str, ...], document: object
    ) -> tuple[list[_Node], object]:
        """Find the variants of the schema at ``location``, and what the document holds there."""
        nodes, value = list(self._flatten(self._root)), document
        for part in location:
            inner = [found for node in nodes for found in self._step(node, part)]
            held = _read_member(value, part)
            if not inner and held is None:  # a tag, or the name of a type
                continue
            nodes, value = inner, held
        return nodes, value

    def _step(self, node: _Node, part: int | str) -> Iterator[_Node]:
        if isinstance(part, int):
            if isinstance(items := node.get("items"), Mapping):
                yield from self._flatten(cast("_Node", items))
            return
        if part in node.get("properties", {}):
            yield from self._flatten(node["properties"][part])
            return
        for values in node.get("patternProperties", {}).values():
            yield from self._flatten(values)
        if isinstance(others := node.get("additionalProperties"), Mapping):
            yield from self._flatten(cast("_Node", others))

    def _flatten(self, node: _Node) -> Iterator[_Node]:
        """Yield a node and all variants of it, references resolved.

        A variant has the description of the node that it stands in.
        """
        if "$ref" in node:
            yield from self._flatten(self._definitions[node["$ref"].rpartition("/")[2]])
        for name in _VARIANTS:
            for variant in node.get(name, ()):
                shared = {key: node[key] for key in ("description",) if key in node}
                yield from self._flatten({**shared, **variant})
        yield node


def _is_of_kind(node: _Node, kind: object) -> bool:
    own: object = node.get("properties", {}).get("kind", {}).get("const")
    return own == kind


def _read_member(value: object, part: int | str) -> object:
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value).get(part)
    if isinstance(value, list) and isinstance(part, int):
        listed = cast("list[object]", value)
        return listed[part] if part < len(listed) else None
    return None


@functools.cache
def read_schema(model: Any) -> InputSchema:
    """Return the schema of a model, which is made once."""
    return InputSchema(model)
