"""Which functions of the product are reached from which: its source, read and never run.

By rapid type analysis: a method is reached where something reached names its class, and something
reached uses its name. That is more than what runs, and never less, but for names that are put
together at run time. What stands in annotations is not reached, and no operation of Temporal is
reached by its class alone: it is one where its name is used.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The root of the repository."""

PACKAGES: Final = ("activities", "workflows")

Function = ast.FunctionDef | ast.AsyncFunctionDef
_OPERATION: Final = "operation"


@dataclass(frozen=True)
class Definition:
    """A function, a class or a constant at the top of a module, or a method of such a class."""

    module: str
    name: str
    node: ast.AST = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Module:
    """What the names at the top of a module stand for: definitions here, or names elsewhere."""

    name: str
    definitions: Mapping[str, Definition]
    imported: Mapping[str, tuple[str, str]]


class CallGraph:
    """The product's definitions, and which of them reach which."""

    def __init__(self, root: Path = ROOT) -> None:
        """Read the source of the product below ``root``."""
        self._references: dict[Definition, tuple[set[Definition], set[str]]] = {}
        self.modules = {
            module.name: module
            for package in PACKAGES
            for path in sorted((root / package).rglob("*.py"))
            for module in [_read_module(path, root)]
        }

    def list_functions(self) -> Iterator[Definition]:
        """Yield every function and every method."""
        for module in self.modules.values():
            for found in module.definitions.values():
                if isinstance(found.node, Function):
                    yield found
                elif isinstance(found.node, ast.ClassDef):
                    yield from _list_methods(found)

    def find_operations(self, names: Iterable[str]) -> list[Definition]:
        """Return the methods that are these activities. Raises ``LookupError`` for no method."""
        by_name = {
            each.name.rpartition(".")[2]: each
            for each in self.list_functions()
            if is_operation(each.node)
        }
        return [by_name[name] for name in sorted(names)]

    def find(self, dotted: str) -> Definition:
        """Return a definition, such as ``workflows.plan.Plan``. Raises ``LookupError``."""
        module, _, name = dotted.rpartition(".")
        return self.modules[module].definitions[name]

    def resolve(self, module: str, name: str) -> Definition | None:
        """Return what a name stands for in a module; None for what is not of the product."""
        for _ in self.modules:
            if module not in self.modules:
                return None
            if found := self.modules[module].definitions.get(name):
                return found
            if name not in self.modules[module].imported:
                return None
            module, name = self.modules[module].imported[name]
        return None

    def reach(self, roots: Iterable[Definition]) -> set[Definition]:
        """Return the functions and methods that are reached from some, themselves included."""
        reached, attributes = set[Definition](), set[str]()
        methods = dict[Definition, list[Definition]]()
        left = list(roots)
        while left:
            found = left.pop()
            if found not in reached:
                reached.add(found)
                if found not in self._references:
                    self._references[found] = self._read_references(found)
                names, used = self._references[found]
                attributes |= used
                left += names
                if (owner := self._find_class(found)) and owner not in methods:
                    methods[owner] = list(_list_methods(owner))
                    left.append(owner)
            if not left:
                known = (method for each in methods.values() for method in each)
                left += [
                    each for each in known if each not in reached and _is_used(each, attributes)
                ]
        return {each for each in reached if isinstance(each.node, Function)}

    def _find_class(self, found: Definition) -> Definition | None:
        """Return the class that a definition is, or is a method of."""
        owner = self.modules[found.module].definitions.get(found.name.partition(".")[0])
        return owner if owner and isinstance(owner.node, ast.ClassDef) else None

    def _read_references(self, found: Definition) -> tuple[set[Definition], set[str]]:
        """Return what a definition refers to by name, and the attributes that it uses."""
        names, attributes = set[Definition](), set[str]()
        for node in _list_code(found.node):
            target: Definition | None = None
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=member):
                    attributes.add(member)
                    target = self._resolve_member(found.module, name, member)
                case ast.Attribute(attr=member):
                    attributes.add(member)
                case ast.Name(id=name, ctx=ast.Load()):
                    target = self.resolve(found.module, name)
                case _:
                    pass
            if target is not None:
                names.add(target)
        return names, attributes

    def _resolve_member(self, module: str, name: str, member: str) -> Definition | None:
        """Return what a member of an imported module stands for."""
        package, imported = self.modules[module].imported.get(name, ("", ""))
        return self.resolve(f"{package}.{imported}", member) if package else None


@functools.cache
def read_product() -> CallGraph:
    """Return the graph of the product of this checkout, which is read once."""
    return CallGraph()


def is_operation(node: ast.AST) -> bool:
    """Whether a method is an activity: ``@operation(…)``."""
    return isinstance(node, Function) and any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Name)
        and each.func.id == _OPERATION
        for each in node.decorator_list
    )


def _is_used(method: Definition, attributes: set[str]) -> bool:
    """Whether a method of a class that is reached is reached, too.

    Python, Temporal and pydantic call those with two underscores, or with a decorator.
    """
    name = method.name.rpartition(".")[2]
    if name in attributes or name.startswith("__"):
        return True
    node = method.node
    return isinstance(node, Function) and bool(node.decorator_list) and not is_operation(node)


def _list_methods(owner: Definition) -> Iterator[Definition]:
    if isinstance(owner.node, ast.ClassDef):
        for node in owner.node.body:
            if isinstance(node, Function):
                yield Definition(owner.module, f"{owner.name}.{node.name}", node)


def _list_code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs: no annotations, and of a class not its methods."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            is_method = isinstance(node, ast.ClassDef) and isinstance(child, Function)
            if isinstance(child, ast.AST) and not is_method:
                yield from _list_code(child)


def _read_module(path: Path, root: Path) -> Module:
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    definitions = dict[str, Definition]()
    imported = dict[str, tuple[str, str]]()
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                definitions[node.name] = Definition(name, node.name, node)
            case (
                ast.Assign(targets=[ast.Name(id=target)])
                | ast.AnnAssign(target=ast.Name(id=target))
            ):
                definitions[target] = Definition(name, target, node)
            case _:
                pass
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                imported[alias.asname or alias.name] = (node.module, alias.name)
    return Module(name, definitions, imported)
