"""The log of releases: a line for each transition, once, and nothing that is secret."""

from __future__ import annotations

import inspect
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending
from workflows import release_log
from workflows.control_requests import DESCRIPTIONS
from workflows.eviction import IDLE_WORKFLOWS

DOCS = Path(__file__).parents[2] / "docs"

APPROVED = {
    "strategy": {"steps": [{"kind": "set_weight", "percent": 20}, {"kind": "approval"}]},
}
SHORT = {
    "strategy": {
        "steps": [{"kind": "set_weight", "percent": 10}, {"kind": "bake", "duration": "PT5S"}]
    }
}


@pytest.fixture(autouse=True)
def info_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def read_lines(caplog: pytest.LogCaptureFixture, function: str) -> list[dict[str, Any]]:
    return [
        record.__dict__ | {"event": record.getMessage()}
        for record in caplog.records
        if record.name == "release" and record.__dict__["function"] == function
    ]


def read_events(caplog: pytest.LogCaptureFixture, function: str) -> list[str]:
    return [line["event"] for line in read_lines(caplog, function)]


async def test_good_release_logs_each_transition_once(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    handle = await harness.begin_until("baking", **SHORT)
    run_id = (await harness.rollout.describe()).run_id or ""
    IDLE_WORKFLOWS.mark_idle(run_id)  # so it is replayed
    assert (await read_ending(handle)).kind == "Completed"
    lines = read_lines(caplog, harness.function)
    assert [(line["event"], line.get("percent"), line.get("version")) for line in lines] == [
        ("started", None, None),
        ("candidate ready", None, "3"),
        ("shifted", 10, "3"),
        ("shifted", 100, "3"),
        ("ended", None, None),
    ]
    assert {line["release"] for line in lines} == {handle.id}
    assert {line["alias"] for line in lines} == {"live"}
    assert (
        lines[0]["note"] == f"s3://artifacts/three.zip → {harness.function}:live (10%, 5 s, 100%)"
    )
    assert lines[-1]["outcome"] == "succeeded"
    assert lines[-1]["note"] == "All traffic is on version 3"


async def test_log_says_who_steered_and_why_it_went_back(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    handle = await harness.begin_until("awaiting_approval", **APPROVED)
    await harness.send("pause", reason="p99")
    await harness.send("resume")
    await harness.send("abort", reason="wrong build")
    assert (await read_ending(handle)).kind == "ReleaseRolledBack"
    lines = read_lines(caplog, harness.function)
    assert [(line["event"], line.get("note")) for line in lines[3:]] == [
        ("waiting", "Waiting for approval"),
        ("pause", "Paused by ana: p99"),
        ("resume", "Resumed by ana"),
        ("abort", "Aborted by ana: wrong build"),
        ("rolling back", "Rolling back: aborted by ana: wrong build"),
        ("shifted", f"{harness.function}:live is back: all traffic is on version 2"),
        (
            "rolled back",
            "Rolled back: aborted by ana: wrong build; all traffic is on version 2",
        ),
        ("ended", "aborted by ana: wrong build; all traffic is on version 2"),
    ]
    assert lines[-1]["outcome"] == "rolled_back"


async def test_rejected_release_logs_its_reason(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    ending = await harness.release(artifact={"kind": "version", "version": "99"}, **ALL_AT_ONCE)
    assert ending.kind == "ReleaseRejected"
    lines = read_lines(caplog, harness.function)
    assert [line["event"] for line in lines] == ["started", "ended"]
    assert (lines[-1]["outcome"], lines[-1]["note"]) == ("rejected", ending.text)


async def test_undo_that_does_not_succeed_is_a_warning(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    harness.aws.fail("update_alias", "AccessDeniedException", "no permission", times=6)
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    warnings = [
        line for line in read_lines(caplog, harness.function) if line["levelno"] == logging.WARNING
    ]
    assert [line["event"] for line in warnings] == ["not put back"]
    assert "no permission" in warnings[0]["note"]


async def test_terminated_rollout_is_logged_as_ended(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    handle = await harness.begin_until("baking", **CANARY)
    await harness.rollout.terminate()
    ending = await harness.finish(handle)
    line = read_lines(caplog, harness.function)[-1]
    assert (line["event"], line["outcome"], line["note"]) == (
        "ended",
        "rolled_back",
        ending.text,
    )


def test_events_are_those_of_the_documented_table() -> None:
    page = (DOCS / "web-ui.md").read_text().partition("## The log of a worker")[2]
    rows = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    documented = {event for row in rows for event in re.findall(r"`([^`]+)`", row)}
    source = inspect.getsource(release_log)
    own = set(re.findall(r'_log\(\s*"([a-z ]+)"', source)) | set(release_log.EVENTS.values())
    assert documented == own | set(DESCRIPTIONS)


async def test_configuration_is_not_logged(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {"TOKEN": "s3cr3t-value"}
    ending = await harness.release(
        configuration={"Environment": {"Variables": variables}}, **ALL_AT_ONCE
    )
    assert ending.kind == "Completed"
    lines = read_lines(caplog, harness.function)
    assert "s3cr3t" not in json.dumps(lines, default=str)
