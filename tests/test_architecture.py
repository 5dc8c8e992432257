"""The rules of ARCHITECTURE.md, section 1: three layers, one direction, and nothing read at import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflows.sandbox import PASSED_THROUGH

ROOT = Path(__file__).parent.parent
READS = {"open", "now", "utcnow", "today", "time", "monotonic", "getenv", "environ", "read_text", "read_bytes", "gethostname", "urandom"}


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
    return sorted(name for name in imported(path) if name.split(".")[0] in packages or name in packages)


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from at_import(child)


@pytest.mark.parametrize("path", modules("workflows/domain"), ids=lambda path: path.stem)
def test_the_domain_knows_neither_aws_nor_temporal(path: Path) -> None:
    allowed = {"pydantic", "workflows", *sys.stdlib_module_names}
    assert {name.split(".")[0] for name in imported(path)} <= allowed
    assert all(name.startswith("workflows.domain") for name in uses(path, "workflows"))


@pytest.mark.parametrize("path", modules("activities"), ids=lambda path: path.stem)
def test_the_world_knows_no_decisions(path: Path) -> None:
    assert uses(path, "workflows", "worker") == []


@pytest.mark.parametrize("path", [*modules("activities", "workflows"), ROOT / "worker.py"], ids=lambda path: path.stem)
def test_only_the_door_knows_botocore(path: Path) -> None:
    if path != ROOT / "activities/aws.py":
        assert uses(path, "aiobotocore", "botocore", "boto3") == []


@pytest.mark.parametrize("module", ["workflows.plugin", "workflows.client", "workflows.cli", "activities"])
def test_importing_it_loads_no_botocore(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.split('.')[0] in ('botocore', 'aiobotocore')])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("path", modules("activities", "workflows"), ids=lambda path: path.stem)
def test_importing_it_reads_no_clock_no_environment_and_no_file(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in at_import(tree)}
    assert not names & READS


UNREPEATABLE = {"os", "random", "secrets", "socket", "subprocess", "tempfile", "threading", "time", "urllib", "uuid", "pathlib", "aiohttp"}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}


def passed_through() -> list[Path]:
    """The modules of workflows that the sandbox does not watch while they run."""
    names = [name.split(".") for name in PASSED_THROUGH if name.startswith("workflows.")]
    return [
        path
        for name in names
        for path in ([ROOT.joinpath(*name).with_suffix(".py")] if len(name) == 2 and name[1] != "domain" else modules("/".join(name)))
    ]


def clocks_read(path: Path) -> list[str]:
    """Calls of a clock other than the workflow's own."""
    called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [
        ast.unparse(one) for one in called if isinstance(one, ast.Attribute) and one.attr in CLOCKS and ast.unparse(one.value) != "workflow"
    ]


@pytest.mark.parametrize("path", passed_through(), ids=lambda path: path.stem)
def test_what_the_sandbox_does_not_watch_is_the_same_at_every_replay(path: Path) -> None:
    assert uses(path, *UNREPEATABLE) == []
    assert clocks_read(path) == []


def test_the_sandbox_watches_every_module_that_defines_a_workflow() -> None:
    defining = {f"workflows.{path.stem}" for path in modules("workflows") if "@workflow.defn" in path.read_text()}
    assert defining == {"workflows.release", "workflows.rollback", "workflows.rollout", "workflows.plan"}
    assert not defining & set(PASSED_THROUGH)
