"""The log of a worker: what a line holds, whoever writes it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

CORE = """
import logging
from types import SimpleNamespace
from workflows.temporal.logs import configure_logging

configure_logging("json", "info")
entry = SimpleNamespace(fields={"run_id": "01a2", "level": "core's", "error": ValueError("x")})
logging.getLogger("temporal.core").warning("slow", extra={"temporal_log": entry})
"""

WORKFLOW = """
import logging
from workflows.temporal.logs import configure_logging

configure_logging("json", "info")
context = {"workflow_id": "w", "run_id": "r", "attempt": 1, "namespace": "n"}
logging.getLogger("release").info(
    "shifted", extra={"temporal_workflow": context, "percent": 10, "alias": "live"}
)
logging.getLogger("aiobotocore.credentials").info("Found credentials in environment variables.")
"""


def read_lines(script: str) -> list[dict[str, Any]]:
    """Run a script; return the lines that it logs."""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_line_of_the_core_has_its_fields_and_no_object() -> None:
    (line,) = read_lines(CORE)
    del line["timestamp"]
    assert line == {
        "event": "slow",
        "level": "warning",
        "logger": "temporal.core",
        "run_id": "01a2",
        "error": "x",
    }


def test_line_of_a_workflow_has_its_ids_and_no_attempt() -> None:
    (line,) = read_lines(WORKFLOW)
    del line["timestamp"]
    assert line == {
        "event": "shifted",
        "level": "info",
        "logger": "release",
        "workflow_id": "w",
        "run_id": "r",
        "percent": 10,
        "alias": "live",
    }
