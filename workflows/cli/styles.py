"""Colours and symbols of the command line's output."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from activities.check_result import CheckState
from workflows.client.explanation import LineKind
from workflows.client.runs import RunOutcome
from workflows.client.stop_cause import StopCause
from workflows.client.timeline import EntryKind
from workflows.domain.assessment import Verdict
from workflows.domain.status import PAUSED, Phase
from workflows.domain.step_list import StepMark

GOOD: Final = "green"
BAD: Final = "red"
WARNING: Final = "yellow"
BUSY: Final = "cyan"
DIM: Final = "dim"

PHASES: Final[dict[str, str]] = {
    Phase.SUCCEEDED: GOOD,
    Phase.ROLLED_BACK: WARNING,
    Phase.ROLLING_BACK: BAD,
    Phase.REJECTED: BAD,
    Phase.AWAITING_APPROVAL: WARNING,
    Phase.WAITING_FOR_WORKER: WARNING,
    PAUSED: WARNING,
}
"""The colour of a phase; any other is ``BUSY``."""

VERDICTS: Final = {
    Verdict.PASSED: GOOD,
    Verdict.FAILED: BAD,
    Verdict.UNMEASURABLE: WARNING,
    Verdict.INCONCLUSIVE: WARNING,
}
"""The colour of a verdict; any other is ``BUSY``."""

ENTRIES: Final[dict[EntryKind, tuple[str, str]]] = {
    "request": ("●", "bold"),
    "start": ("▶", BUSY),
    "measurement": ("∙", DIM),
    "done": ("✓", GOOD),
    "absent": ("–", DIM),
    "failed": ("✗", BAD),
    "control": ("»", WARNING),
}
"""Symbol and colour of a timeline entry."""

STEPS: Final = {
    StepMark.DONE: ("✓", GOOD),
    StepMark.CURRENT: ("▶", BUSY),
    StepMark.SKIPPED: ("»", WARNING),
    StepMark.STOPPED: ("✗", BAD),
    StepMark.LATER: ("·", DIM),
}
"""Symbol and colour of a step of a release."""

LINES: Final = {
    LineKind.MOVED: ("→", "bold"),
    LineKind.MEASURED: ("∙", DIM),
    LineKind.VERDICT: ("■", "bold"),
    LineKind.ANSWERED: ("?", BUSY),
    LineKind.CONTROL: ("»", WARNING),
    LineKind.FAILED: ("✗", BAD),
    LineKind.STARTED: ("▶", BUSY),
    LineKind.DONE: ("✓", DIM),
}
"""Symbol and colour of a line of an explanation."""

OUTCOMES: Final = {
    RunOutcome.SUCCEEDED: ("✓", GOOD, ""),
    RunOutcome.REJECTED: ("✗", BAD, "rejected, nothing was touched: "),
    RunOutcome.ROLLED_BACK: ("↩", WARNING, "rolled back: "),
    RunOutcome.NOT_ROLLED_BACK: ("✗", "bold red", "NOT ROLLED BACK, look at the alias: "),
    RunOutcome.KILLED: ("✗", "bold red", "KILLED, look at the alias: "),
}
"""Symbol, colour and prefix of an outcome."""

CAUSES: Final = {
    StopCause.METRICS: "what CloudWatch measured",
    StopCause.ALARM: "an alarm",
    StopCause.HOOK: "a hook",
    StopCause.PROBE: "a probe",
    StopCause.PERSON: "a person",
    StopCause.ROLLBACK: "rolled back from later",
    StopCause.OTHER: "no metrics, alarm, hook, probe or person: see above",
}
"""A stop cause in words."""

CHECKS: Final = {
    CheckState.OK: ("✓", GOOD),
    CheckState.WARNING: ("!", WARNING),
    CheckState.FAILED: ("✗", BAD),
}
"""Symbol and colour of what ``doctor`` finds."""

SHORTEST_DURATION: Final = timedelta(seconds=1)
_MAX_CHARACTERS: Final = 500


def shorten_text(text: str) -> str:
    """Cut a text after 500 characters."""
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def format_time(at: datetime) -> str:
    """Format a time to the minute, in the zone of this machine, which is named."""
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"
