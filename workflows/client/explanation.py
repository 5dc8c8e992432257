"""The explanation of a release as values: rules, lines, ending, stop cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workflows.client.runs import Run, RunEnding
from workflows.client.stop_cause import StopCause
from workflows.domain.status import AnalysisStatus


class LineKind(StrEnum):
    """What a line is about. The values are part of the output of ``--json``."""

    MOVED = "moved"
    MEASURED = "measured"
    VERDICT = "verdict"
    ANSWERED = "answered"
    CONTROL = "said"
    FAILED = "failed"
    STARTED = "begun"
    DONE = "done"


@dataclass(frozen=True)
class ExplanationLine:
    """One line of an explanation.

    ``percent`` is the traffic of the candidate at that time. ``assessed`` is the analysis at that
    time, where it is new.
    """

    at: datetime
    kind: LineKind
    text: str
    percent: int = 0
    assessed: AnalysisStatus | None = None


@dataclass(frozen=True)
class Explanation:
    """The rules of a release, what happened, and how it ended.

    ``reason`` is the reason of the request. ``judged_by`` lists everything that may stop the
    release. ``left_out`` counts the lines that are not in ``lines``. ``stopped_by`` is set where
    the release was stopped.
    """

    run: Run
    reason: str
    hotfix: bool
    judged_by: tuple[str, ...]
    lines: tuple[ExplanationLine, ...]
    left_out: int = 0
    ending: RunEnding | None = None
    stopped_by: StopCause | None = None
