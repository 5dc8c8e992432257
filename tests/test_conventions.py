"""How tests are named and written: CONTRIBUTING.md, "Tests"."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
MAX_NAME_LENGTH = 70
NO_NOUNS = {"a", "an", "the", "it", "that", "there", "what", "where", "who", "whoever", "when"}
MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    """A module of the tests, by its path."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text())


def list_tests(path: Path) -> Iterator[str]:
    """The names of the tests in a module."""
    for node in ast.walk(parse(path)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith(
                "test_"
            ):
                yield name
            case _:
                pass


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_names_of_tests_are_short_and_start_with_a_noun(path: Path) -> None:
    names = list(list_tests(path))
    assert [name for name in names if len(name) > MAX_NAME_LENGTH] == []
    assert [name for name in names if name.split("_")[1] in NO_NOUNS] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_expected_errors_are_matched_by_their_text(path: Path) -> None:
    unmatched = [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"pytest.raises", "raises"}
        and "match" not in {keyword.arg for keyword in node.keywords}
    ]
    assert unmatched == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_mocked(path: Path) -> None:
    modules = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert "unittest.mock" not in modules
