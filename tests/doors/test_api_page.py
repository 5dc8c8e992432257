"""docs/api.md: it has the programs that are run, and names all there is."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from workflows import search_attributes
from workflows.control_requests import (
    DESCRIPTIONS,
    ApproveRequest,
    EndWatchRequest,
    ReasonedRequest,
    ResolveRequest,
    ResumeRequest,
)
from workflows.domain.status import Phase, ReleaseStatus

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs/api.md").read_text()
PROGRAMS = sorted([*(HERE / "examples").glob("*.*"), HERE / "typescript/release.ts"])


def read_section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_page_shows_the_programs_that_are_run(program: Path) -> None:
    shown = textwrap.indent(program.read_text().expandtabs(4), "    ")
    assert shown in PAGE, f"copy {program} into docs/api.md, indented by four"


def test_page_names_every_field_and_phase_of_a_status() -> None:
    named = set(re.findall(r"`(\w+)`", read_section("Status")))
    assert set(ReleaseStatus.model_fields) | {str(phase) for phase in Phase} <= named


def test_page_names_every_update_and_what_it_takes() -> None:
    named = set(re.findall(r"`(\w+)`", read_section("Updates")))
    models = (ApproveRequest, EndWatchRequest, ReasonedRequest, ResolveRequest, ResumeRequest)
    assert set(DESCRIPTIONS).union(*(model.model_fields for model in models)) <= named


def test_page_names_every_search_attribute() -> None:
    named = set(re.findall(r"`(\w+)`", read_section("Search attributes")))
    assert {key.name for key in search_attributes.KEYS} <= named


def test_lock_file_of_the_programs_names_no_registry() -> None:
    lock = (HERE / "typescript/package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"@temporalio/client": "1.24.0"' in lock
