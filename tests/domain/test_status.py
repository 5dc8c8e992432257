"""The status of every query, result and failure."""

from __future__ import annotations

from tests.domain.samples import BAKING
from workflows.domain.status import (
    Phase,
    ReleaseStatus,
)


def test_status_has_the_fields_of_the_contract() -> None:
    assert BAKING.model_dump(mode="json") == {
        "phase": "baking",
        "note": "10% to version 8 for 5 min",
        "target": {"function": "checkout", "alias": "live"},
        "stable": "7",
        "candidate": "8",
        "routing": {"stable": "7", "canary": "8", "percent": 10},
        "step": 1,
        "steps": 2,
        "paused": False,
        "ends_at": "2026-11-22T10:05:00Z",
    }


def test_phases_are_those_of_the_contract() -> None:
    assert [*Phase] == [
        "waiting_for_worker",
        "preparing",
        "shifting",
        "baking",
        "awaiting_approval",
        "promoting",
        "succeeded",
        "rolling_back",
        "rolled_back",
        "rejected",
    ]


def test_status_of_a_later_version_can_be_read() -> None:
    assert (
        ReleaseStatus.model_validate_json(BAKING.model_dump_json()[:-1] + ', "later": 1}') == BAKING
    )
