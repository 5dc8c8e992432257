"""Which version was live before, and which were rolled back from, from past runs alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workflows.domain.alias_history import (
    MAX_ROLLED_BACK,
    AliasHistory,
    PastRun,
    RunKind,
    read_history,
)
from workflows.domain.routing import Routing

START = datetime(2026, 11, 27, 22, 10, tzinfo=UTC)


def run(text: str, number: int = 0) -> PastRun:
    """``release 2>3``, ``rollback 3>2``, ``stopped 2>3``, ``rollback 3+4>3`` (4 had a share)."""
    what, _, move = text.partition(" ")
    before, _, candidate = move.partition(">")
    version, _, weighted = before.partition("+")
    return PastRun(
        kind=RunKind.ROLLBACK if what == "rollback" else RunKind.RELEASE,
        workflow_id=f"{what}-{number}",
        by="ana",
        reason="500s",
        at=START + timedelta(minutes=number),
        before=Routing(version=version, weights={weighted: 0.1} if weighted else {})
        if version
        else None,
        candidate=candidate,
        made_live=what != "stopped",
    )


def read(*texts: str, live: str) -> AliasHistory:
    return read_history([run(text, number) for number, text in enumerate(texts)], live=live)


@pytest.mark.parametrize(
    ("texts", "live", "previous"),
    [
        ((), "3", None),
        (("release >1",), "1", None),
        (("release 1>2", "release 2>3"), "3", "2"),
        (("release 1>2", "release 2>3", "stopped 3>4"), "3", "2"),
        (("release 1>2", "release 2>3", "rollback 3>2"), "2", "1"),
        (("release 1>2", "release 2>3", "rollback 3>2", "rollback 2>1"), "1", None),
        (("release 2>3", "rollback 3>2", "release 2>4"), "4", "2"),
        (("release 2>3", "rollback 3>2", "rollback 2>3"), "3", "2"),
        (("release 1>2", "release 2>3", "release 3>4", "rollback 4>2"), "2", "1"),
        (("release 1>2", "release 2>3", "release 3>2"), "2", "3"),
        (("release 1>2", "release 2>3", "release 3>2", "rollback 2>3"), "3", "1"),
        (("release 1>2", "release 2>3", "stopped 3>2"), "3", "1"),
        (("release 2>3", "rollback 3+4>3"), "3", "2"),
        (("release 2>3", "rollback 3+4>4"), "4", "3"),
        (("release 2>3", "rollback 3>1"), "1", "2"),
    ],
    ids=str,
)
def test_previous_version_is_below_the_live_one(
    texts: tuple[str, ...], live: str, previous: str | None
) -> None:
    assert read(*texts, live=live).previous == previous


def test_unknown_change_of_the_alias_hides_what_was_before() -> None:
    assert read("release 1>2", "release 2>3", live="7").previous is None
    assert read("release 1>2", "release 7>8", live="8").previous == "7"
    assert read("release 1>2", "release 7>8", live="7").previous is None


def test_foreign_move_back_is_followed() -> None:
    assert read("release 1>2", "release 2>3", live="2").previous == "1"


@pytest.mark.parametrize(
    ("texts", "live", "rolled_back"),
    [
        (("release 1>2", "release 2>3"), "3", []),
        (("release 2>3", "rollback 3>2"), "2", ["3"]),
        (("release 2>3", "rollback 3>2", "stopped 2>4"), "2", ["4", "3"]),
        (("release 2>3", "rollback 3>2", "rollback 2>3"), "3", []),
        (("release 2>3", "rollback 3>2", "release 2>3"), "3", []),
        (("release 2>3", "rollback 3+4>3"), "3", ["4"]),
        (("release 1>2", "release 2>3", "rollback 3+4>2"), "2", ["3", "4"]),
        (("rollback 3>4",), "4", []),
    ],
    ids=str,
)
def test_versions_that_were_left_were_rolled_back_from(
    texts: tuple[str, ...], live: str, rolled_back: list[str]
) -> None:
    assert [each.version for each in read(*texts, live=live).rolled_back] == rolled_back


def test_history_is_bounded() -> None:
    texts = [f"stopped 1>{number}" for number in range(2, 60)]
    found = read(*texts, live="1").rolled_back
    assert [each.version for each in found][:2] == ["59", "58"]
    assert len(found) == MAX_ROLLED_BACK


def test_rolled_back_version_names_workflow_person_and_time() -> None:
    found = read("release 2>3", "rollback 3>2", live="2").find_rolled_back("3")
    assert str(found) == (
        "version 3 was rolled back from by ana on 2026-11-27 at 22:11 UTC (Rollback rollback-1: "
        "500s)"
    )
    assert read("release 2>3", live="3").find_rolled_back("3") is None
