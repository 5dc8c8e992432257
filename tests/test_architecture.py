"""The rules of ARCHITECTURE.md, section 1: three layers, one direction, and nothing read at import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflows.temporal.sandbox import PASSTHROUGH_MODULES

ROOT = Path(__file__).parent.parent
READS = {
    "open",
    "now",
    "utcnow",
    "today",
    "time",
    "monotonic",
    "getenv",
    "environ",
    "read_text",
    "read_bytes",
    "gethostname",
    "urandom",
}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The modules that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def uses(path: Path, *packages: str) -> list[str]:
    return sorted(
        name for name in imported(path) if name.split(".")[0] in packages or name in packages
    )


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from at_import(child)


@pytest.mark.parametrize("path", modules("workflows/domain"), ids=lambda path: path.stem)
def test_the_domain_knows_neither_aws_nor_temporal(path: Path) -> None:
    allowed = {
        "pydantic",
        "jsonpath",
        "workflows",
        *sys.stdlib_module_names,
    }  # jsonpath: a path's text in, whether it is one out; as pure as re
    assert {name.split(".")[0] for name in imported(path)} <= allowed
    assert all(name.startswith("workflows.domain") for name in uses(path, "workflows"))


@pytest.mark.parametrize("path", modules("activities"), ids=lambda path: path.stem)
def test_the_world_knows_no_decisions(path: Path) -> None:
    assert uses(path, "workflows", "worker") == []


@pytest.mark.parametrize(
    "path", [*modules("activities", "workflows"), ROOT / "worker.py"], ids=lambda path: path.stem
)
def test_only_the_door_knows_botocore(path: Path) -> None:
    if path != ROOT / "activities/aws.py":
        assert uses(path, "aiobotocore", "botocore", "boto3") == []


@pytest.mark.parametrize(
    "module",
    ["workflows.temporal.plugin", "workflows.client.client", "workflows.cli", "activities"],
)
def test_importing_it_loads_no_botocore(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.split('.')[0] in ('botocore', 'aiobotocore')])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


@pytest.mark.parametrize("path", modules("activities", "workflows"), ids=lambda path: path.stem)
def test_importing_it_reads_no_clock_no_environment_and_no_file(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {
        node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        for node in at_import(tree)
    }
    assert not names & READS


UNREPEATABLE = {
    "os",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "pathlib",
    "aiohttp",
}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
ORDERS = {"wait", "as_completed"}
CHANGES = {
    "add",
    "append",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
}
DEFINING = ("release", "rollback", "rollout", "plan")


def loaded_by_workflows() -> list[Path]:
    """The modules of ours that workflows are made of: those that define one, and whatever of ``workflows`` they import."""
    found: set[str] = set()
    left = {f"workflows.{name}" for name in DEFINING}
    while left:
        found |= left
        left = {name for each in left for name in within_workflows(file_of(each))} - found
    return [file_of(name) for name in sorted(found)]


def file_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def within_workflows(path: Path) -> Iterator[str]:
    """The modules of ``workflows`` that a module imports, also those named as members of a package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "workflows":
            yield node.module or ""
            yield from (
                name
                for name in (f"{node.module}.{alias.name}" for alias in node.names)
                if file_of(name).exists()
            )


def asked_of_others(path: Path, names: set[str]) -> list[str]:
    """Calls of something by one of these names, other than the workflow's own."""
    called = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    return [
        ast.unparse(one)
        for one in called
        if isinstance(one, ast.Attribute)
        and one.attr in names
        and ast.unparse(one.value) != "workflow"
    ]


def kept_between_workflows(tree: ast.Module) -> list[str]:
    """What one workflow may leave behind for another: a global that is assigned or changed in a function, or a container that a class holds."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    named = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    defined = {
        name.id
        for node in named
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    defined |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    found: list[str] = []
    for node in (inner for function in functions for inner in ast.walk(function)):
        match node:
            case ast.Global():
                found.append(ast.unparse(node))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=change)) if (
                name in defined and change in CHANGES
            ):
                found.append(ast.unparse(node))
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if (
                name in defined
            ):
                found.append(ast.unparse(node))
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()) if name in defined:
                found.append(ast.unparse(node))
    for node in (inner for inner in ast.walk(tree) if isinstance(inner, ast.ClassDef)):
        found += [
            ast.unparse(held)
            for held in node.body
            if isinstance(held, ast.Assign | ast.AnnAssign)
            and isinstance(held.value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp)
        ]
    return found


@pytest.mark.parametrize("path", loaded_by_workflows(), ids=lambda path: path.stem)
def test_what_the_sandbox_does_not_watch_is_the_same_at_every_replay(path: Path) -> None:
    assert uses(path, *UNREPEATABLE) == []
    assert asked_of_others(path, CLOCKS) == []
    assert [call for call in asked_of_others(path, ORDERS) if call.startswith("asyncio.")] == []


@pytest.mark.parametrize("path", loaded_by_workflows(), ids=lambda path: path.stem)
def test_what_the_sandbox_does_not_load_anew_keeps_nothing_between_workflows(path: Path) -> None:
    assert kept_between_workflows(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "seen = []\ndef f(x): seen.append(x)",
        "seen = {}\ndef f(x): seen[x] = 1",
        "count = 0\ndef f():\n    global count\n    count += 1",
        "class Seen: pass\ndef f(x): Seen.last = x",
        "class Release:\n    seen: list[str] = []",
    ],
)
def test_what_one_workflow_would_leave_for_another_is_noticed(source: str) -> None:
    assert kept_between_workflows(ast.parse(source))


def test_every_module_that_defines_a_workflow_is_looked_at() -> None:
    defining = {path.stem for path in modules("workflows") if "@workflow.defn" in path.read_text()}
    assert defining == set(DEFINING)
    assert "workflows" in PASSTHROUGH_MODULES
