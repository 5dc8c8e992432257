"""The calls of AWS that the product's code makes, read from it: ``lambda.get_function`` and such.

A call is ``aws.call("lambda", "get_function", …)``. Where service or operation is a parameter, the
callers of that function say which. What cannot be read is an error, never left out.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from deploy.iam.call_graph import CallGraph, Definition, Function

_PORT: Final = "call"
"""The method of the port to AWS. What has this name passes on what it is given."""


class UnreadableCallError(Exception):
    """The source does not show which call of AWS it makes. One line."""


@dataclass(frozen=True)
class _Forwarder:
    """A function that has a call, and the positions of its parameters that are a part of it.

    ``service`` and ``operation`` are constants, or positions without ``self``.
    """

    name: str
    service: str | int
    operation: str | int
    parameters: tuple[str, ...]


_Parts = tuple[Definition, str | int, str | int]


def find_calls(graph: CallGraph, functions: Collection[Definition]) -> dict[str, list[str]]:
    """Return the calls that are made in these functions, each with where it is made.

    Raises :class:`UnreadableCallError`.
    """
    found: dict[str, set[str]] = {}
    left = list(_find_parts(graph, functions))
    forwarders = set[_Forwarder]()
    while left:
        place, service, operation = left.pop()
        if isinstance(service, str) and isinstance(operation, str):
            found.setdefault(f"{service}.{operation}", set()).add(str(place))
            continue
        name = place.name.rpartition(".")[2]
        forwarder = _Forwarder(name, service, operation, _list_parameters(place))
        if forwarder not in forwarders:
            forwarders.add(forwarder)
            left += _find_parts(graph, functions, forwarder)
    return {call: sorted(places) for call, places in sorted(found.items())}


def _find_parts(
    graph: CallGraph, functions: Collection[Definition], forwarder: _Forwarder | None = None
) -> Iterator[_Parts]:
    """Yield the service and the operation of each call of the port, or of a forwarder."""
    wanted = forwarder.name if forwarder else _PORT
    for place in functions:
        for node in _list_calls(place):
            is_port = isinstance(node.func, ast.Attribute) and place.name.split(".")[-1] != _PORT
            if _get_name(node.func) != wanted or not (forwarder or is_port):
                continue
            service: ast.expr | None
            if forwarder:
                service = _pick(forwarder, forwarder.service, node)
                operation = _pick(forwarder, forwarder.operation, node)
            else:
                service, operation, *_ = node.args
            if service is not None and operation is not None:
                parts = (_read_part(graph, place, each) for each in (service, operation))
                yield place, *parts


def _list_calls(place: Definition) -> Iterator[ast.Call]:
    for node in ast.walk(place.node):
        if isinstance(node, ast.Call):
            yield node


def _pick(forwarder: _Forwarder, part: str | int, node: ast.Call) -> ast.expr | None:
    """Return what a call of a forwarder gives for a part; None where it gives nothing."""
    if isinstance(part, str):
        return ast.Constant(part)
    if part < len(node.args):
        return node.args[part]
    named = forwarder.parameters[part]
    return next((each.value for each in node.keywords if each.arg == named), None)


def _read_part(graph: CallGraph, place: Definition, node: ast.expr) -> str | int:
    """Return a constant, or the position of the parameter that it is."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in (parameters := _list_parameters(place)):
            return parameters.index(name)
        case ast.Name(id=name):
            constant = graph.resolve(place.module, name)
            value = getattr(constant.node, "value", None) if constant else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value
        case _:
            pass
    problem = f"{place}: {ast.unparse(node)} is neither a text nor a parameter"
    raise UnreadableCallError(f"{problem}: name the service and the operation of a call of AWS")


def _list_parameters(place: Definition) -> tuple[str, ...]:
    """Return the positional parameters of a function, and those by name, without ``self``."""
    if not isinstance(place.node, Function):
        return ()
    arguments = place.node.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return tuple(names[1:] if names[:1] == ["self"] else names)


def _get_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
