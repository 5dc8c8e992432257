"""The pages for people: what they name exists, what they show works, and they stay short."""

from __future__ import annotations

import glob
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import TypeAdapter
from typer.testing import CliRunner

import worker
from tests.architecture_picture import COMMAND, PICTURE, picture
from tests.tour import PAGE as TOUR
from workflows.cli import app
from workflows.domain.rules import Metric, Rules
from workflows.domain.strategy import Step, Strategy
from workflows.guard_settings import GuardSettings
from workflows.request import ReleaseRequest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *ROOT.glob("docs/*.md"),
    ]
)
MOST_LINES = {"README.md": 200, "CONTRIBUTING.md": 149, "docs/architecture.md": 120}
WIDTH = 100
TOP = "activities|workflows|tests|deploy|docs|requirements"
FILES = r"py|md|svg|png|toml|txt"
page_of = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code_lines(page: Path) -> list[str]:
    """The lines of code of a page, indented by four; a line that ends with a backslash goes on."""
    lines = [line[4:] for line in page.read_text().splitlines() if line.startswith("    ")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def spans(page: Path) -> list[str]:
    """What stands between backticks, in prose and tables."""
    prose = "\n".join(line for line in page.read_text().splitlines() if not line.startswith("    "))
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def slugs(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> dict[tuple[str, ...], Any]:
    """Every command of ``releases``, by the words that name it."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        found[words] = command
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


def worker_command() -> Any:
    """The command of the worker."""
    served = typer.Typer()
    served.command()(worker.main)
    return typer.main.get_command(served)


def documents(page: Path) -> Iterator[tuple[str, str]]:
    """Every complete JSON object in a page's code, with the key or the flag before it."""
    code = "\n".join(code_lines(page))
    decoder = json.JSONDecoder()
    position = 0
    while (start := code.find("{", position)) >= 0:
        try:
            _, length = decoder.raw_decode(code[start:])
        except ValueError:
            position = start + 1
            continue
        position = start + length
        before = re.search(r"(\"?[\w-]+\"?):?[ ']*$", code[:start])
        yield (before[1].strip('"') if before else ""), code[start:position]


@pytest.mark.parametrize("name", MOST_LINES)
def test_page_is_short(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= MOST_LINES[name]


@page_of
def test_lines_are_wrapped(page: Path) -> None:
    """Except for rows of tables, which Markdown cannot wrap, and for what a URL makes too long."""
    lines = [
        re.sub(r"https?://[^\s)]+", "", line)
        for line in page.read_text().splitlines()
        if not line.startswith("|")
    ]
    assert [line for line in lines if len(line) > WIDTH] == []


@page_of
def test_relative_links_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in slugs(target), link


@page_of
def test_files_that_are_named_exist(page: Path) -> None:
    named = {
        word.rstrip("/")
        for span in (*spans(page), *code_lines(page))
        for word in re.findall(rf"(?<![\w/.-])(?:(?:{TOP})/[\w./*-]+|[\w-]+\.(?:{FILES})\b)", span)
    }
    for name in named:
        found = glob.glob(name, root_dir=ROOT) or glob.glob(f"docs/{name}", root_dir=ROOT)  # noqa: PTH207 - with root_dir
        assert found or name in ELSEWHERE, name


ELSEWHERE = {
    "release.yaml",
    "temporal.toml",
    "deploy/terraform/examples/worker/release.json",
}
"""Files of the user's."""


@page_of
def test_python_modules_that_are_named_exist(page: Path) -> None:
    for text in (*spans(page), *code_lines(page)):
        for module in re.findall(r"python -m ((?:\w+\.)*\w+)", text):
            path = ROOT.joinpath(*module.split("."))
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@page_of
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for text in (*spans(page), *code_lines(page))
        for word in re.findall(r"(?:^|\s)make ([a-z-]+)", text.partition("#")[0])
    }
    assert named <= targets


@page_of
def test_settings_that_are_named_exist(page: Path) -> None:
    readers = (
        "worker.py",
        "workflows/cli/*.py",
        "workflows/temporal/connection_settings.py",
        "deploy/**/*.py",
    )
    source = "".join(path.read_text() for files in readers for path in ROOT.glob(files))
    for setting in re.findall(r"\bRELEASES_[A-Z_]+\b", page.read_text()):
        assert f'"{setting}"' in source, setting


@page_of
def test_commands_of_releases_are_accepted(page: Path) -> None:
    """Each command in a block of code is parsed as the command line parses it.

    Those of the tour are run (tests/test_tour.py), and their output stands between them.
    """
    for line in [] if page == TOUR else code_lines(page):
        if not re.match(r"(TEMPORAL_ADDRESS=\S+ )?(\.venv/bin/)?releases\b", line):
            continue
        words = shlex.split(line, comments=True)
        problem = refusal(words[2:] if "=" in words[0] else words[1:])
        assert problem is None, f"{line}: {problem}"


def refusal(words: list[str]) -> str | None:
    """What the command line has against the names of these commands and flags; nothing is run."""
    result = CliRunner().invoke(app, [*words, "--help"])
    return None if result.exit_code == 0 else result.output


@pytest.mark.parametrize(
    "words",
    [["starts", "checkout"], ["schedule", "stop", "x"], ["start", "checkout", "--alarms", "x"]],
    ids=" ".join,
)
def test_commands_that_do_not_exist_are_noticed(words: list[str]) -> None:
    assert "No such" in (refusal(words) or "")


@page_of
def test_commands_in_prose_exist(page: Path) -> None:
    for span in spans(page):
        if found := re.match(r"releases ([a-z][a-z-]*(?: [a-z][a-z-]*)*)", span):
            words = found[1].split()
            assert (words[0],) in commands(), span
            if words[0] == "schedule" and len(words) > 1:
                assert ("schedule", words[1]) in commands(), span


@page_of
def test_flags_in_prose_exist(page: Path) -> None:
    places = ("workflows/cli", "deploy", "tests")
    source = (ROOT / "worker.py").read_text() + "".join(
        path.read_text() for place in places for path in (ROOT / place).rglob("*.py")
    )
    known = {
        option
        for command in (*commands().values(), worker_command())
        for one in command.params
        for option in one.opts
    }
    for span in spans(page):
        if flag := re.match(r"--[a-z-]+", span):
            assert flag[0] in known or f'"{flag[0]}"' in source or flag[0] in FOREIGN_FLAGS, span


FOREIGN_FLAGS = {
    "--temporal-port",
    "--ui-port",
    "--lambda-port",
    "--http-port",
    "--cli-input-json",
    "--strict",
}
"""Options that are put together at run time, or belong to other programs."""

ARTIFACTS = {"s3", "image", "version", "latest"}

CHECKED: dict[str, Any] = {
    "guards": GuardSettings,
    "metrics": Rules,
    "policy": Rules,
    "strategy": Strategy,
}


@page_of
def test_documents_that_are_shown_are_accepted(page: Path) -> None:
    """JSON in code is what the models take: releases, strategies, steps, guards and metrics."""
    for name, text in documents(page):
        document = json.loads(text)
        if "artifact" in document:
            ReleaseRequest.model_validate(document)
        elif name.lstrip("-") in CHECKED:
            TypeAdapter(CHECKED[name.lstrip("-")]).validate_python(document)
        elif document.get("kind", "s3") not in ARTIFACTS:
            TypeAdapter[Any](Step).validate_python(document)
        elif "namespace" in document or "expression" in document:
            TypeAdapter[Any](Metric).validate_python(document)


def test_documents_are_found() -> None:
    found = [name for page in PAGES for name, _ in documents(page)]
    assert found.count("--input") >= 3
    assert {"guards", "strategy", "--policy"} <= set(found)


def test_every_page_is_reachable_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", (ROOT / "README.md").read_text()))
    assert {f"docs/{page.name}" for page in ROOT.glob("docs/*.md")} <= linked


def test_every_command_is_documented() -> None:
    text = "".join(page.read_text() for page in PAGES)
    missing = [
        " ".join(words)
        for words in commands()
        if words and f"releases {' '.join(words)}" not in text
    ]
    assert missing == []


def test_architecture_picture_is_drawn_from_the_imports_of_now() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), f"draw it anew: {COMMAND}"


def test_invariants_of_the_chaos_page_are_those_of_the_suite() -> None:
    named = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \|", (ROOT / "docs/chaos.md").read_text(), re.MULTILINE
    )
    suite = (ROOT / "tests/chaos/invariants.py").read_text()
    for name in re.findall(r"`(\w+)`", " ".join(named)):
        assert f"def {name}(" in suite, name
