"""Why a release was promoted or rolled back, read from its history: by what it was judged, what happened, and what was known at each moment."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from workflows.client.history import (
    ActivityFailed,
    AlarmsRead,
    AliasMoved,
    ControlReceived,
    Fact,
    HookAnswered,
    MetricsRead,
    ProbeAnswered,
    ReleaseEnded,
    ReleaseRequested,
    TimerEvent,
    VerdictReached,
)
from workflows.client.rejudge import Judge
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.client.stop_cause import StopCause, StopCauseFinder
from workflows.domain.adaptive import Adaptive
from workflows.domain.formatting import format_duration
from workflows.domain.measurement import COMPLETE
from workflows.domain.probe import Probe
from workflows.domain.rules import Rules
from workflows.domain.status import AnalysisStatus
from workflows.domain.strategy import Analysis, Approval, Bake, SetWeight, Step
from workflows.metric_mapping import rules_of
from workflows.request import ReleaseRequest, RollbackRequest

MOST_LINES: Final = 200
"""Lines of an explanation: of more, measurements are left out that changed nothing, and then what is neither among the first nor the last."""


class Kind(StrEnum):
    """What a line of an explanation is about."""

    MOVED = "moved"
    MEASURED = "measured"
    VERDICT = "verdict"
    ANSWERED = "answered"
    SAID = "said"
    FAILED = "failed"
    BEGUN = "begun"
    DONE = "done"


@dataclass(frozen=True)
class Line:
    """One line of an explanation: ``percent`` of the traffic was on the candidate then, and ``assessed`` is what was thought of it, where that is news."""

    at: datetime
    kind: Kind
    text: str
    percent: int = 0
    assessed: AnalysisStatus | None = None


@dataclass(frozen=True)
class Explanation:
    """What a release was judged by, what happened, and how it ended.

    ``reason`` is why it was asked for. ``left_out`` is how many lines there are besides those that are told. ``stopped_by`` is who stopped it, if anybody did.
    """

    run: Run
    reason: str
    hotfix: bool
    judged_by: tuple[str, ...]
    lines: tuple[Line, ...]
    left_out: int = 0
    ending: RunEnding | None = None
    stopped_by: StopCause | None = None


async def explain(run: Run, facts: AsyncIterable[Fact]) -> Explanation:
    """Explain a run by the facts of its history, in their order, and of the workflow's that mended it, if one did."""
    story = _Story(run)
    async for fact in facts:
        story.hear(fact)
    return story.told


class _Story:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._candidate = (
            run.ending and run.ending.status and run.ending.status.candidate
        ) or run.status.candidate
        self._request: ReleaseRequest | RollbackRequest | None = None
        self._judge: Judge | None = None
        self._stage: Stage | None = None
        self._against = StopCauseFinder()
        self._ending: RunEnding | None = None
        self._percent = 0
        self._lines: list[Line] = []

    def hear(self, fact: Fact) -> None:
        self._against.hear(fact)
        if isinstance(fact, ReleaseRequested):
            self._begin(fact)
        if isinstance(fact, AliasMoved):
            self._percent = fact.routing.percent(self._candidate) if fact.routing else 0
        if isinstance(fact, ReleaseEnded):
            self._ending = fact.ending
        if self._stage and self._judge:
            self._stage.hear(fact)
            self._judge.rules = self._stage.rules
        line = self._line(fact)
        if (
            line
            and line.text
            and not (
                self._lines
                and (self._lines[-1].kind, self._lines[-1].text) == (line.kind, line.text)
                and not line.assessed
            )
        ):
            self._lines.append(replace(line, percent=self._percent))

    def _begin(self, asked: ReleaseRequested) -> None:
        self._request = request = asked.request
        if request is None:
            self._lines.append(
                Line(
                    asked.at,
                    Kind.FAILED,
                    "What was asked is recorded in a form that this version cannot read",
                )
            )
            return
        rules = rules_of(request.strategy, request.judged_by)
        self._stage = Stage(request.strategy.steps, rules[0] if rules else Rules())
        self._judge = Judge(self._stage.rules, rules)

    def _line(self, fact: Fact) -> Line | None:
        match fact:
            case MetricsRead():
                return self._measured(fact)
            case VerdictReached(assessed=assessed):
                return Line(
                    fact.at,
                    Kind.VERDICT,
                    f"Verdict: {assessed.verdict}: {assessed.reason}",
                    assessed=assessed,
                )
            case TimerEvent() if self._stage and self._stage.ramps:
                return None  # the moves tell it
            case _:
                kind, text = _said(fact)
                return Line(fact.at, kind, text)

    def _measured(self, fact: MetricsRead) -> Line | None:
        """A line for what CloudWatch told, if it is news."""
        if self._judge is None or (found := self._judge.hear(fact)) is None:
            return None
        words = (
            "Measured"
            if fact.told.status == COMPLETE
            else f"CloudWatch answered {fact.told.status}"
        )
        return Line(fact.at, Kind.MEASURED, words, assessed=found)

    @property
    def told(self) -> Explanation:
        request, lines = self._request, self._lines
        kept = lines if len(lines) <= MOST_LINES else list(_telling(lines))
        if len(kept) > MOST_LINES:
            kept = [*kept[: MOST_LINES // 2], *kept[len(kept) - MOST_LINES // 2 :]]
        ending = self._ending or self._run.ending
        stopped = ending is not None and ending.outcome not in {
            RunOutcome.SUCCEEDED,
            RunOutcome.REJECTED,
        }
        return Explanation(
            run=self._run,
            reason=request.reason if request else "",
            hotfix=bool(request and request.hotfix),
            judged_by=tuple(_judged_by(request)) if request else (),
            lines=tuple(kept),
            left_out=len(lines) - len(kept),
            ending=ending,
            stopped_by=self._against.cause if stopped else None,
        )


def _telling(lines: list[Line]) -> Iterator[Line]:
    """The lines without measurements that came to the same as the one before, if another one follows."""
    verdict: object = None
    for line, following in itertools.pairwise([*lines, None]):
        if line is None or line.kind is not Kind.MEASURED or line.assessed is None:
            yield from [line] if line else []
            continue
        before, verdict = verdict, line.assessed.verdict
        if verdict != before or following is None or following.kind is not Kind.MEASURED:
            yield line


def _said(fact: Fact) -> tuple[Kind, str]:
    """What kind of line a fact is worth, and its words; no words for what is told elsewhere."""
    text = fact.text
    match fact:
        case HookAnswered(answer=answer):
            return Kind.ANSWERED, f"{text}: " + (
                "it accepts" if answer.accept else f"it refuses: {answer.reason}"
            )
        case ProbeAnswered(failure=failure):
            return Kind.ANSWERED, f"{text}: {failure or 'as expected'}"
        case AlarmsRead(against=against):
            return Kind.ANSWERED, f"{text}: {against or 'none is red'}"
        case TimerEvent(over=False):
            return Kind.BEGUN, text
        case ReleaseRequested() | ReleaseEnded():
            killed = isinstance(fact, ReleaseEnded) and fact.ending.outcome is RunOutcome.KILLED
            return Kind.FAILED, text if killed else ""
        case _:
            return _KINDS.get(type(fact), Kind.DONE), text


_KINDS: Final[dict[type[Fact], Kind]] = {
    AliasMoved: Kind.MOVED,
    ControlReceived: Kind.SAID,
    ActivityFailed: Kind.FAILED,
}


class Stage:
    """Which rules a candidate is judged by, as far as the history tells which step a release is in: those of the step, else the first.

    Steps are known by the words of the moves and timers that :mod:`workflows.strategy_runner` begins them with. Where those change, the verdicts beside older
    measurements are by the first rules; a verdict that a release acted on is in its history as it was.
    """

    def __init__(self, steps: tuple[Step, ...], first: Rules) -> None:
        """No step has begun, unless it is a ramp, which judges before it moves anything."""
        self._steps = steps
        self._first = first
        self._at = 0 if steps and isinstance(steps[0], Adaptive) else -1

    def hear(self, fact: Fact) -> None:
        """Take a fact, in order: the beginning of a later step, perhaps."""
        for number, step in enumerate(self._steps[self._at + 1 :], self._at + 1):
            if _begins(step, fact):
                self._at = number
            if not isinstance(
                step, Approval | Probe
            ):  # which may leave no trace of when they began
                return

    @property
    def ramps(self) -> bool:
        """Whether a ramp is under way: what it waits for is told by its moves."""
        return self._at >= 0 and isinstance(self._steps[self._at], Adaptive)

    @property
    def rules(self) -> Rules:
        """What is judged by now."""
        match self._steps[self._at] if self._at >= 0 else None:
            case Adaptive() as ramp:
                return ramp.rules
            case Analysis() as analysis:
                return analysis
            case _:
                return self._first


def _begins(step: Step, fact: Fact) -> bool:
    match step, fact:
        case SetWeight(percent=percent), AliasMoved(text=text):
            return text.startswith(f"{percent}% to version ")
        case Adaptive(), AliasMoved(text=text):
            return "of a minute's requests" in text
        case Bake(), TimerEvent(text=text, over=False):
            return text.startswith("Bake at ")
        case Analysis(duration=duration), TimerEvent(text=text, over=False):
            return text == f"Analysis for {format_duration(duration)}"
        case _:
            return False


def _judged_by(request: ReleaseRequest | RollbackRequest) -> Iterator[str]:
    """All that may speak against a candidate, a line each; people may at any time."""
    if rules := request.judged_by:
        yield f"all the time: {_told(rules)}"
    for number, step in enumerate(request.strategy.steps, 1):
        match step:
            case Adaptive():
                yield f"step {number}, the ramp: {_told(step.rules)}"
            case Analysis():
                yield f"step {number}, analysis: {step.summary} (alpha {step.alpha:g})"
            case Probe():
                yield f"step {number}, probe: {step.summary}; {step.max_failures} may fail"
            case _:
                pass
    if alarms := request.guards.alarms:
        yield f"alarms: {', '.join(alarms)}"
    for when in ("before_traffic", "after_traffic"):
        if hook := getattr(request.hooks, when):
            yield f"hook: {hook} ({when})"


def _told(rules: Rules) -> str:
    return f"{rules} (alpha {rules.alpha:g})"
