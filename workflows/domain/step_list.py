"""The steps of a release as a list: each in a line, and how far the release is with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workflows.domain.adaptive import Adaptive
from workflows.domain.formatting import format_duration
from workflows.domain.probe import Probe
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.strategy import Analysis, Approval, Bake, SetWeight, Step, Steps

_ACTIVE_PHASES: Final = {Phase.SHIFTING, Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.PROMOTING}
"""The phases in which a step is under way."""

_STOPPED_PHASES: Final = {Phase.ROLLING_BACK, Phase.ROLLED_BACK}


class StepMark(StrEnum):
    """How far a release is with a step.

    ``STOPPED``: the release was stopped in it. ``LATER``: it is not under way.
    """

    DONE = "done"
    CURRENT = "current"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    LATER = "later"


@dataclass(frozen=True)
class ListedStep:
    """A step in one line. Where it was skipped, the line says by whom or why."""

    mark: StepMark
    text: str


def list_steps(status: ReleaseStatus, strategy: Steps) -> tuple[ListedStep, ...]:
    """List the steps of a release, and all traffic as the last one."""
    lines = [*map(describe_step, strategy.steps), "All traffic to the candidate"]
    return tuple(
        _list_step(status, number, line, last=len(lines)) for number, line in enumerate(lines, 1)
    )


def describe_step(step: Step, candidate: str = "the candidate") -> str:
    """Describe a step of a strategy as a line of a list."""
    match step:
        case SetWeight(percent=percent):
            return f"{percent}% to {candidate}"
        case Bake(duration=duration):
            return f"Bake for {format_duration(duration)}" + (
                f", and until {step.min_invocations} invocations" if step.min_invocations else ""
            )
        case Analysis(duration=duration):
            return f"Analysis for {format_duration(duration)}: {step.summary}"
        case Adaptive():
            return f"Adaptive: {step}"
        case Approval(timeout=timeout):
            return "Wait for approval" + (
                f", at most {format_duration(timeout)}" if timeout else ""
            )
        case Probe():
            return f"Probe {candidate} {step.summary}"


def _list_step(status: ReleaseStatus, number: int, line: str, *, last: int) -> ListedStep:
    if number < last and (why := _find_skip(status, number)):
        return ListedStep(StepMark.SKIPPED, f"{line}: {why}")
    if number == status.stopped_step and status.phase in _STOPPED_PHASES:
        return ListedStep(StepMark.STOPPED, line)
    is_promoted = status.phase is Phase.SUCCEEDED and status.routing.percent > 0
    done = last if is_promoted else last - 1 if status.skipped else status.step or 0
    if number <= done:
        return ListedStep(StepMark.DONE, line)
    is_current = number == done + 1 and status.phase in _ACTIVE_PHASES
    return ListedStep(StepMark.CURRENT if is_current else StepMark.LATER, line)


def _find_skip(status: ReleaseStatus, number: int) -> str | None:
    """Why a step was not taken, or not to its end."""
    if status.skipped and number >= status.skipped.first:
        return f"skipped by {status.skipped.by}"
    if status.stable is None and status.candidate and number <= (status.step or 0):
        return "not taken, the alias is new"
    return None
