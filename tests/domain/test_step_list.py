"""The steps of a release: which were taken, which were skipped, and where it was stopped."""

from __future__ import annotations

from typing import Any

import pytest

from tests.domain.samples import BAKING
from workflows.domain.next_command import list_next_commands
from workflows.domain.status import ReleaseStatus, SkippedSteps, TrafficSplit
from workflows.domain.step_list import list_steps
from workflows.domain.strategy import Steps

STEPS = Steps.model_validate(
    {
        "steps": [
            {"kind": "set_weight", "percent": 10},
            {"kind": "approval"},
            {"kind": "bake", "duration": "5m"},
        ]
    }
)
ALL = {"routing": TrafficSplit(stable="7", canary="8", percent=100), "step": 3}


def change_status(**changes: Any) -> ReleaseStatus:
    return ReleaseStatus.model_validate({**BAKING.model_dump(), "steps": 3, **changes})


def list_marks(**changes: Any) -> str:
    """The first letter of each step's mark."""
    return "".join(step.mark[1] for step in list_steps(change_status(**changes), STEPS))


@pytest.mark.parametrize(
    ("changes", "marks"),
    [
        ({"phase": "preparing", "step": 0}, "aaaa"),
        ({}, "ouaa"),
        ({"skipped": SkippedSteps(first=2, by="ana")}, "okku"),
        ({"skipped": SkippedSteps(first=2, by="ana"), "phase": "succeeded", **ALL}, "okko"),
        ({"phase": "succeeded", **ALL}, "oooo"),
        ({"phase": "succeeded", "routing": TrafficSplit(stable="8"), "step": 0}, "aaaa"),
        ({"phase": "succeeded", "stable": None, **ALL}, "kkko"),
        ({"phase": "rolled_back", "stopped_step": 2}, "otaa"),
        ({"phase": "rolling_back", "stopped_step": 4, **ALL}, "ooot"),
        ({"phase": "rolled_back", "step": 0}, "aaaa"),
    ],
)
def test_step_is_marked_by_what_became_of_it(changes: dict[str, Any], marks: str) -> None:
    assert list_marks(**changes) == marks


def test_skipped_step_names_who_promoted() -> None:
    steps = list_steps(change_status(skipped=SkippedSteps(first=2, by="ana")), STEPS)
    assert steps[1].text == "Wait for approval: skipped by ana"


@pytest.mark.parametrize(
    ("changes", "commands"),
    [
        ({"phase": "awaiting_approval"}, ["approve", "abort"]),
        ({"phase": "awaiting_approval", "paused": True}, ["resume", "abort"]),
        ({"paused": True}, ["resume", "abort"]),
        ({"phase": "awaiting_approval", "note": "or else: releases approve x"}, []),
        ({}, []),
        ({"phase": "rolled_back", "paused": True}, []),
    ],
)
def test_waiting_release_names_the_commands_to_type(
    changes: dict[str, Any], commands: list[str]
) -> None:
    found = list_next_commands(change_status(**changes))
    assert [one.command for one in found] == [f"releases {name} checkout:live" for name in commands]
