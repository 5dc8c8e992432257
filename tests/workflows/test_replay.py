"""Every recorded history replays, so that releases in flight survive this version."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.workflows.record import HISTORIES, SCENARIOS, SHORT_HISTORIES
from workflows import continuation
from workflows.temporal.plugin import LambdaReleases

RECORDED = sorted(HISTORIES.glob("*.json"))


async def replay(name: str, history: dict[str, Any]) -> None:
    await Replayer(workflows=[], plugins=[LambdaReleases()]).replay_workflow(
        WorkflowHistory.from_json(name, history)
    )


def test_every_scenario_has_been_recorded() -> None:
    assert {path.name.split(".")[0] for path in RECORDED} >= set(SCENARIOS)


@pytest.mark.parametrize("name", [path.name for path in RECORDED])
async def test_recorded_history_replays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = SHORT_HISTORIES.get(name.split(".", maxsplit=1)[0], continuation.MAX_EVENTS)
    monkeypatch.setattr(continuation, "MAX_EVENTS", longest)
    await replay(name, json.loads(await asyncio.to_thread((HISTORIES / name).read_text)))


async def test_history_with_another_call_does_not_replay() -> None:
    text = await asyncio.to_thread((HISTORIES / "success.rollout.json").read_text)
    with pytest.raises(Exception, match=r"[Nn]ondeterminism"):
        await replay("changed", json.loads(text.replace('"publish_version"', '"get_policy"')))
