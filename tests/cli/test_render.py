"""Statuses on 80 columns."""

from __future__ import annotations

import pytest

from tests.cli.pages import ANALYSES, NOW, assert_readable, make_status, render_lines
from workflows.cli.render import describe_outage
from workflows.cli.status_page import render_status
from workflows.client.watch import WatchUpdate
from workflows.domain.status import AnalysisStatus, Phase


@pytest.mark.parametrize("assessed", ANALYSES, ids=["nothing", "huge", "silence"])
def test_status_with_measurements_fits_80_columns(assessed: AnalysisStatus) -> None:
    lines = render_lines(render_status(make_status(assessed), None, now=NOW))
    assert_readable(lines, most=14)
    assert any(line.startswith(f"  {assessed.verdict}") for line in lines)
    assert any(line.startswith("    version 8: ") for line in lines)


def test_hotfix_is_marked() -> None:
    assert (
        render_lines(
            render_status(make_status().model_copy(update={"hotfix": True}), None, now=NOW)
        )[0]
        == "checkout:live  hotfix  baking"
    )


def test_status_shows_account_and_notes() -> None:
    known = {"account": "123456789012", "region": "eu-central-1", "notes": ("Not through it: x",)}
    lines = render_lines(render_status(make_status().model_copy(update=known), None, now=NOW))
    assert "  account 123456789012, eu-central-1" in lines
    assert "  ! Not through it: x" in lines


def test_outage_of_a_release_without_a_worker_says_what_it_waits_for() -> None:
    note, why = "waiting for a worker on task queue checkout", "no worker polls it: start one"
    known = {"phase": Phase.WAITING_FOR_WORKER, "note": note, "notes": (why,)}
    status = make_status().model_copy(update=known)
    update = WatchUpdate(status=status, worker_answers=False)
    assert describe_outage(update) == f"{note}; {why}"
