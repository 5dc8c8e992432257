"""Explains from the history of a release why it was promoted or rolled back."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, Iterator
from dataclasses import replace
from typing import Final

from workflows.client.explanation import Explanation, ExplanationLine, LineKind
from workflows.client.facts import (
    ActivityFailed,
    AlarmsRead,
    AliasMoved,
    ControlReceived,
    Fact,
    HookAnswered,
    InvocationLost,
    MetricsRead,
    ProbeAnswered,
    ReleaseEnded,
    ReleaseRequested,
    StepStarted,
    TimerEvent,
    VerdictReached,
)
from workflows.client.recorded_analysis import RecordedAnalysis
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.client.step_tracker import StepTracker
from workflows.client.stop_cause import StopCauseFinder
from workflows.domain.adaptive import Adaptive
from workflows.domain.measurement import COMPLETE
from workflows.domain.probe import Probe
from workflows.domain.rules import Rules
from workflows.domain.strategy import Analysis
from workflows.metric_mapping import all_rules
from workflows.request import ContinuedRelease, ContinuedRollback, ReleaseRequest, RollbackRequest

MAX_LINES: Final = 200
"""Lines of an explanation.

Of more, measurements that changed nothing are left out first, then lines in the middle.
"""

_KINDS: Final[dict[type[Fact], LineKind]] = {
    AliasMoved: LineKind.MOVED,
    ControlReceived: LineKind.CONTROL,
    ActivityFailed: LineKind.FAILED,
    InvocationLost: LineKind.FAILED,
}
_EXPIRED: Final = "What came before has expired in Temporal: the namespace retains it no longer"
_UNREADABLE: Final = "The request is recorded in a form that this version cannot read"


async def explain(run: Run, facts: AsyncIterable[Fact]) -> Explanation:
    """Explain a run by the facts of its history, in their order.

    For a killed rollout the facts go on with those of the workflow that put the alias back.
    """
    builder = _ExplanationBuilder(run)
    async for fact in facts:
        builder.add(fact)
    return builder.build()


class _ExplanationBuilder:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._candidate = run.candidate
        self._request: ReleaseRequest | RollbackRequest | None = None
        self._analysis: RecordedAnalysis | None = None
        self._steps: StepTracker | None = None
        self._stop_cause = StopCauseFinder()
        self._ending: RunEnding | None = None
        self._percent = 0
        self._lines: list[ExplanationLine] = []

    def add(self, fact: Fact) -> None:
        self._stop_cause.add(fact)
        if isinstance(fact, ReleaseRequested):
            self._add_request(fact)
        if isinstance(fact, AliasMoved):
            self._percent = fact.routing.percent(self._candidate) if fact.routing else 0
        if isinstance(fact, ReleaseEnded):
            self._ending = fact.ending
        if self._steps and self._analysis:
            self._steps.add(fact)
            self._analysis.rules = self._steps.rules
        line = self._build_line(fact)
        if line and line.text and not self._is_repeated(line):
            self._lines.append(replace(line, percent=self._percent))

    def build(self) -> Explanation:
        request, lines = self._request, self._lines
        kept = lines if len(lines) <= MAX_LINES else list(_drop_unchanged(lines))
        if len(kept) > MAX_LINES:
            kept = [*kept[: MAX_LINES // 2], *kept[len(kept) - MAX_LINES // 2 :]]
        ending = self._ending or self._run.ending
        was_stopped = ending is not None and ending.outcome not in {
            RunOutcome.SUCCEEDED,
            RunOutcome.REJECTED,
        }
        return Explanation(
            run=self._run,
            reason=request.reason if request else "",
            hotfix=bool(request and request.hotfix),
            judged_by=tuple(_list_rules(request)) if request else (),
            lines=tuple(kept),
            left_out=len(lines) - len(kept),
            ending=ending,
            stopped_by=self._stop_cause.cause if was_stopped else None,
        )

    def _add_request(self, fact: ReleaseRequested) -> None:
        self._request = request = fact.request
        if request is None:
            self._lines.append(ExplanationLine(fact.at, LineKind.FAILED, _UNREADABLE))
            return
        if isinstance(request, ContinuedRelease | ContinuedRollback):
            self._lines.append(ExplanationLine(fact.at, LineKind.FAILED, _EXPIRED))
        rules = all_rules(request.strategy, request.judged_by)
        self._steps = StepTracker(request.strategy.steps, rules[0] if rules else Rules())
        self._analysis = RecordedAnalysis(self._steps.rules, rules)

    def _build_line(self, fact: Fact) -> ExplanationLine | None:
        match fact:
            case MetricsRead():
                return self._build_measurement(fact)
            case VerdictReached(at=at, analysis=analysis):
                text = f"Verdict: {analysis.verdict}: {analysis.reason}"
                return ExplanationLine(at, LineKind.VERDICT, text, assessed=analysis)
            case TimerEvent() if self._steps and self._steps.is_ramp:
                return None  # a ramp is explained by its moves
            case StepStarted():
                return None  # a step is explained by what is done in it
            case _:
                kind, text = _describe(fact)
                return ExplanationLine(fact.at, kind, text)

    def _build_measurement(self, fact: MetricsRead) -> ExplanationLine | None:
        """A line for a response of CloudWatch, where it changed the analysis."""
        if self._analysis is None or (found := self._analysis.add(fact)) is None:
            return None
        status = fact.response.status
        text = "Measured" if status == COMPLETE else f"CloudWatch answered {status}"
        return ExplanationLine(fact.at, LineKind.MEASURED, text, assessed=found)

    def _is_repeated(self, line: ExplanationLine) -> bool:
        if not self._lines or line.assessed:
            return False
        last = self._lines[-1]
        return (last.kind, last.text) == (line.kind, line.text)


def _drop_unchanged(lines: list[ExplanationLine]) -> Iterator[ExplanationLine]:
    """Drop measurements of an unchanged verdict, if another measurement follows."""
    verdict: object = None
    for line, following in itertools.pairwise([*lines, None]):
        if line is None or line.kind is not LineKind.MEASURED or line.assessed is None:
            yield from [line] if line else []
            continue
        before, verdict = verdict, line.assessed.verdict
        if verdict != before or following is None or following.kind is not LineKind.MEASURED:
            yield line


def _describe(fact: Fact) -> tuple[LineKind, str]:
    """Kind and text of the line for a fact; no text for what is shown elsewhere."""
    text = fact.text
    match fact:
        case HookAnswered(answer=answer):
            result = "it accepts" if answer.accept else f"it refuses: {answer.reason}"
            return LineKind.ANSWERED, f"{text}: {result}"
        case ProbeAnswered(failure=failure):
            return LineKind.ANSWERED, f"{text}: {failure or 'as expected'}"
        case AlarmsRead(reason=reason):
            return LineKind.ANSWERED, f"{text}: {reason or 'none is red'}"
        case TimerEvent(has_fired=False):
            return LineKind.STARTED, text
        case ReleaseRequested() | ReleaseEnded():
            # The request and the ending have their own places in an explanation.
            killed = isinstance(fact, ReleaseEnded) and fact.ending.outcome is RunOutcome.KILLED
            return LineKind.FAILED, text if killed else ""
        case _:
            return _KINDS.get(type(fact), LineKind.DONE), text


def _list_rules(request: ReleaseRequest | RollbackRequest) -> Iterator[str]:
    """Everything that may stop a release by itself, a line each."""
    if rules := request.judged_by:
        yield f"all the time: {_format_rules(rules)}"
    for number, step in enumerate(request.strategy.steps, 1):
        match step:
            case Adaptive():
                yield f"step {number}, the ramp: {_format_rules(step.rules)}"
            case Analysis():
                yield f"step {number}, analysis: {step.summary} (alpha {step.alpha:g})"
            case Probe():
                yield f"step {number}, probe: {step.summary}; {step.max_failures} may fail"
            case _:
                pass
    if alarms := request.guards.alarms:
        yield f"alarms: {', '.join(alarms)}"
    for when, hook in (
        ("before_traffic", request.hooks.before_traffic),
        ("after_traffic", request.hooks.after_traffic),
    ):
        if hook:
            yield f"hook: {hook} ({when})"


def _format_rules(rules: Rules) -> str:
    return f"{rules} (alpha {rules.alpha:g})"
