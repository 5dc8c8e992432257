"""The structure of the product: layers, maps, names, sizes, and what the sandbox relies on.

The rules are those of docs/architecture.md and CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from workflows.temporal.sandbox import PASSTHROUGH_MODULES

ROOT = Path(__file__).parent.parent
MAX_LINES = 330
MAX_MEDIAN_LINES = 150
READS_AT_IMPORT = {
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
NOUNS = {"routing", "settling", "batching", "sharing", "formatting", "mapping"}
"""Module names that end like a gerund and are nouns of the field."""

PREPOSITIONS = {"against", "after", "before", "beside", "between", "during", "of", "until", "with"}


def modules(*folders: str) -> list[Path]:
    """The modules of these folders, and of the folders in them."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


PRODUCT = [*modules("activities", "workflows"), ROOT / "worker.py"]


def name_of(path: Path) -> str:
    """``workflows.domain.target`` for its file; a package's for its ``__init__.py``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def file_of(module: str) -> Path:
    """The file of a module or package."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text())


def imports(path: Path) -> set[str]:
    """The modules that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def imports_of(path: Path, *packages: str) -> list[str]:
    """Those of its imports that are of these packages."""
    return sorted(
        name for name in imports(path) if any(f"{name}.".startswith(f"{p}.") for p in packages)
    )


def own_imports(path: Path) -> Iterator[str]:
    """The product's modules that a module imports, also those named as members of a package."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.split(".")[0] in {"workflows", "activities"}:
                parts = module.split(".")
                # To import a module loads the packages that it is in, too.
                yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
                members = (f"{module}.{alias.name}" for alias in node.names)
                yield from (name for name in members if file_of(name).exists())


# --- Layers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", modules("workflows/domain"), ids=name_of)
def test_domain_imports_neither_aws_nor_temporal(path: Path) -> None:
    # jsonpath takes a path's text and says whether it is one: as pure as re.
    allowed = {"pydantic", "jsonpath", "workflows", *sys.stdlib_module_names}
    assert {name.split(".")[0] for name in imports(path)} <= allowed
    assert all(name.startswith("workflows.domain") for name in imports_of(path, "workflows"))


@pytest.mark.parametrize("path", modules("activities"), ids=name_of)
def test_activities_import_no_workflow(path: Path) -> None:
    assert imports_of(path, "workflows", "worker", "deploy", "tests") == []


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_botocore_is_imported_by_one_module(path: Path) -> None:
    if path != ROOT / "activities/aws.py":
        assert imports_of(path, "aiobotocore", "botocore", "boto3") == []


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_product_imports_no_tests_and_no_deploy(path: Path) -> None:
    assert imports_of(path, "tests", "deploy") == []
    if path != ROOT / "worker.py":
        assert imports_of(path, "worker") == []


@pytest.mark.parametrize(
    "module", ["workflows.temporal.plugin", "workflows.client", "workflows.cli", "activities"]
)
def test_import_loads_no_botocore(module: str) -> None:
    code = (
        f"import sys, {module}; print([name for name in sys.modules "
        "if name.split('.')[0] in ('botocore', 'aiobotocore')])"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from at_import(child)


@pytest.mark.parametrize("path", modules("activities", "workflows"), ids=name_of)
def test_import_reads_no_clock_environment_or_file(path: Path) -> None:
    names = {
        node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        for node in at_import(parse(path))
    }
    assert not names & READS_AT_IMPORT


# --- What the sandbox relies on -----------------------------------------------------------------

DEFINING = ("release", "rollback", "rollout", "plan", "diagnosis", "survey")
UNREPEATABLE = {
    "aiohttp",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
UNORDERED = {"wait", "as_completed"}
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

UNREPEATABLE_ALLOWED = {
    "activities.cloudwatch.batching": "asyncio.wait: batches are made in activities only",
    "activities.cloudwatch.metrics": "datetime.now: the clock is read in activities only",
    "activities.diagnosis": "datetime.now: the clock is read in activities only",
    "activities.permission_reads": "datetime.now: the clock is read in activities only",
    "activities.limits.priority": "threading, time: announcements bypass Temporal, decide nothing",
    "workflows.eviction": "threading: a set of run ids that workflows add to, and never read",
}
"""Modules that workflows import, with imports or calls that a replay must not make, and why."""


@functools.cache
def loaded_by_workflows() -> list[Path]:
    """The modules that define a workflow, and all of the product that they import."""
    found: set[str] = set()
    left = {f"workflows.{name}" for name in DEFINING}
    while left:
        found |= left
        left = {name for each in left for name in own_imports(file_of(each))} - found
    return [file_of(name) for name in sorted(found)]


def calls_of_others(path: Path, names: set[str]) -> list[str]:
    """Calls of something by one of these names, other than the workflow's own."""
    called = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    return [
        ast.unparse(each)
        for each in called
        if isinstance(each, ast.Attribute)
        and each.attr in names
        and ast.unparse(each.value) != "workflow"
    ]


def kept_between_workflows(tree: ast.Module) -> list[str]:
    """What one workflow may leave behind for another.

    A global that is assigned or changed in a function, or a container that a class holds.
    """
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    defined = {
        name.id
        for node in assigned
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
    containers = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp
    for node in (inner for inner in ast.walk(tree) if isinstance(inner, ast.ClassDef)):
        found += [
            ast.unparse(held)
            for held in node.body
            if isinstance(held, ast.Assign | ast.AnnAssign) and isinstance(held.value, containers)
        ]
    return found


def unrepeatable(path: Path) -> list[str]:
    """What differs from one replay to the next, in the source of a module."""
    waits = [call for call in calls_of_others(path, UNORDERED) if call.startswith("asyncio.")]
    return [*imports_of(path, *UNREPEATABLE), *calls_of_others(path, CLOCKS), *waits]


@pytest.mark.parametrize("path", loaded_by_workflows(), ids=name_of)
def test_workflow_code_is_the_same_at_every_replay(path: Path) -> None:
    if name_of(path) not in UNREPEATABLE_ALLOWED:
        assert unrepeatable(path) == []


@pytest.mark.parametrize("path", loaded_by_workflows(), ids=name_of)
def test_workflow_code_keeps_nothing_between_workflows(path: Path) -> None:
    assert kept_between_workflows(parse(path)) == []


def test_every_exception_for_the_sandbox_is_needed() -> None:
    assert [name for name in UNREPEATABLE_ALLOWED if not unrepeatable(file_of(name))] == []


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
def test_value_kept_between_workflows_is_found(source: str) -> None:
    assert kept_between_workflows(ast.parse(source))


def test_every_workflow_definition_is_read() -> None:
    defining = {path.stem for path in modules("workflows") if "@workflow.defn" in path.read_text()}
    assert defining == set(DEFINING)
    assert set(PASSTHROUGH_MODULES) == {"activities", "workflows"}
    assert {name_of(path).split(".")[0] for path in loaded_by_workflows()} == {
        "activities",
        "workflows",
    }


def test_workflows_load_no_client_no_cli_and_no_plugin() -> None:
    loaded = {name_of(path) for path in loaded_by_workflows()}
    outside = ("workflows.client", "workflows.cli", "workflows.temporal")
    assert [name for name in loaded if name.startswith(outside)] == []


# --- Maps, names and sizes ----------------------------------------------------------------------

PACKAGES = [path.parent for path in PRODUCT if path.name == "__init__.py"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_map_names_exactly_its_modules(package: Path) -> None:
    prefix = name_of(package / "__init__.py")
    described = ast.get_docstring(parse(package / "__init__.py")) or ""
    references = re.findall(r":mod:`~?([\w.]+)`", described)
    named = {name for name in references if name.rpartition(".")[0] == prefix}
    present = {f"{prefix}.{path.stem}" for path in package.glob("*.py")} - {f"{prefix}.__init__"}
    present |= {f"{prefix}.{path.parent.name}" for path in package.glob("*/__init__.py")}
    assert named == present


def test_no_class_name_stands_twice() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in PRODUCT:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name_of(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_no_import_is_renamed(path: Path) -> None:
    renamed = [
        f"{alias.name} as {alias.asname}"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname not in {None, alias.name}
    ]
    assert renamed == []


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_module_is_named_by_a_noun(path: Path) -> None:
    words = path.stem.strip("_").split("_")
    assert not [word for word in words if word.endswith("ing") and word not in NOUNS]
    assert not [word for word in words if word in PREPOSITIONS]


def test_modules_are_short() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in PRODUCT}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}
    assert median(lines.values()) < MAX_MEDIAN_LINES


# --- Classes ------------------------------------------------------------------------------------

SANDBOXED = [path for path in modules("workflows") if path.parent.name == "workflows"]
MIXINS = {"ControlHandlers", "ReleaseHandlers"}
"""Classes that another file may inherit from: Temporal finds handlers on the class."""


def is_self(node: ast.AST) -> bool:
    """Whether a node is an attribute of ``self`` that is assigned."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


@pytest.mark.parametrize("path", SANDBOXED, ids=name_of)
def test_attributes_are_set_in_init(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        set_in: dict[str, set[str]] = defaultdict(set)
        for method in node.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                for inner in ast.walk(method):
                    if is_self(inner):
                        set_in[inner.attr].add(method.name)  # type: ignore[attr-defined]
        assert [name for name, methods in set_in.items() if "__init__" not in methods] == []


@pytest.mark.parametrize("path", SANDBOXED, ids=name_of)
def test_nothing_is_found_out_by_hasattr(path: Path) -> None:
    names = {node.id for node in ast.walk(parse(path)) if isinstance(node, ast.Name)}
    assert "hasattr" not in names


@pytest.mark.parametrize("path", SANDBOXED, ids=name_of)
def test_class_is_composed_and_not_inherited_across_files(path: Path) -> None:
    """Models are the exception: a request is an ``Input``, an error an ``Exception``."""
    tree = parse(path)
    local = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    engine = {
        node.name
        for other in SANDBOXED
        for node in parse(other).body
        if isinstance(node, ast.ClassDef)
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            assert (bases & engine) - local - MIXINS == set()


# --- Words --------------------------------------------------------------------------------------

PRIVATE_WORDS = re.compile(r"\b(told|said|asked|seen)\b", re.IGNORECASE)
LITERAL = {
    'CONTROL = "said"': "a value in the output of `releases explain --json`",
}


@pytest.mark.parametrize(
    "path",
    [*PRODUCT, *modules("deploy"), *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_text_is_in_the_words_of_the_field(path: Path) -> None:
    """What is "told" or "seen" is reported, returned, sent, read or observed."""
    lines = enumerate(path.read_text().splitlines(), 1)
    assert [
        f"{number}: {line}"
        for number, line in lines
        if PRIVATE_WORDS.search(line) and line.strip() not in LITERAL
    ] == []
