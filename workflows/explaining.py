"""Why a release was promoted or rolled back, read from its history; and what other rules would have made of the same measurements.

Both read what CloudWatch answered at the time, as the release itself did (:mod:`workflows.reading`). Rejudging cannot know what the callers of a ramp
would have met if it had sent them other traffic: it says what the rules make of the traffic that there was.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from workflows.domain.judgement import Outcome as Judged
from workflows.domain.judgement import Rules, key
from workflows.domain.status import Assessed
from workflows.measuring import others_of, rules_of
from workflows.reading import Reading
from workflows.recorded import Against, Asked, Cause, Ended, Fact, Measured, Moved, Ruled
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.runs import Ending, Outcome, Run

MOST_LINES: Final = 200
"""Lines of an explanation: of more, the first and the last are told."""


@dataclass(frozen=True)
class Line:
    """One line of an explanation; ``assessed`` is what was thought of the candidate then, where that is news."""

    at: datetime
    text: str
    assessed: Assessed | None = None


@dataclass(frozen=True)
class Explanation:
    """What a release was asked, the rules that it was judged by, what happened, and how it ended. ``left_out`` is how many lines there are in between."""

    run: Run
    rules: tuple[str, ...]
    lines: tuple[Line, ...]
    left_out: int = 0
    ending: Ending | None = None
    stopped_by: Cause | None = None


async def explain(run: Run, facts: AsyncIterable[Fact]) -> Explanation:
    """Explain a run by the facts of its history, in their order."""
    rules: tuple[Rules, ...] = ()
    judge: Judge | None = None
    against = Against()
    ended: Ending | None = None
    lines: list[Line] = []
    async for fact in facts:
        against.hear(fact)
        match fact:
            case Asked(request=request):
                rules = _rules(request)
                judge = Judge(rules[0] if rules else Rules(), rules)
            case Measured() if judge:
                if (line := judge.hear(fact)) is not None:
                    lines.append(line)
            case Ruled(at=at, assessed=assessed):
                lines.append(Line(at, f"Verdict: {assessed.verdict}: {assessed.reason}", assessed))
            case Ended(ending=found):
                ended = found
            case _ if fact.text and (not lines or lines[-1].text != fact.text):
                lines.append(Line(fact.at, fact.text))
            case _:
                pass
    left_out = max(0, len(lines) - MOST_LINES)
    kept = [*lines[: MOST_LINES // 2], *lines[len(lines) - MOST_LINES // 2 :]] if left_out else lines
    ending = ended or run.ending
    stopped = ending is not None and ending.outcome not in {Outcome.SUCCEEDED, Outcome.REJECTED}
    return Explanation(run, tuple(map(str, rules)), tuple(kept), left_out, ending, against.cause if stopped else None)


def _rules(request: ReleaseRequest | RollbackRequest | None) -> tuple[Rules, ...]:
    return rules_of(request.strategy, request.judged_by) if request else ()


class Judge:
    """Judges recorded answers of CloudWatch by rules, one after the other. ``recorded`` are the rules that the answers were asked for by."""

    def __init__(self, rules: Rules, recorded: Iterable[Rules]) -> None:
        """Nothing was heard yet."""
        self._rules = rules
        self._recorded = tuple(recorded)
        self._told: tuple[object, ...] = ()
        self._slow_above: float | None = None
        self.reading: Reading | None = None
        self._before: Measured | None = None

    def hear(self, fact: Measured) -> Line | None:
        """Take an answer; a line for it, if it makes any difference."""
        if fact.before:
            self._before = fact
            return None
        candidate, stable = fact.asked.versions[0], fact.asked.versions[-1]
        if self.reading is None:
            settle = timedelta(seconds=fact.asked.settle)
            self.reading = Reading((self._rules, *self._recorded), others_of(self._recorded), stable=stable, settle=settle)
            if self._before:
                self.reading.before(self._before.told)
        self._slow_above = fact.asked.slow_above
        self.reading.read(fact.told, candidate=candidate)
        found = self.assessed
        if found is None:
            return None
        telling = (found.verdict, found.candidate, found.stable, fact.told.status)
        if telling == self._told:
            return None
        self._told = telling
        what = "Measured" if fact.told.status == "Complete" else f"CloudWatch answered {fact.told.status}"
        return Line(fact.at, what, found)

    @property
    def assessed(self) -> Assessed | None:
        """What the rules make of what was heard; None before anything was."""
        return self.reading.assessed(self.reading.assess(self._rules)) if self.reading else None

    @property
    def missing(self) -> tuple[str, ...]:
        """Of the rules, those that nothing was recorded for."""
        known = {key(other) for other in others_of(self._recorded)}
        unknown = [str(limit) for limit in self._rules.limits if not isinstance(limit.metric, str) and key(limit.metric) not in known]
        if self._slow_above is None:
            unknown += [str(rule) for rule in self._rules.not_worse if rule.metric == "slow_rate"]
            unknown += [str(limit) for limit in self._rules.limits if limit.metric == "slow_rate"]
        return tuple(unknown)


class Was(StrEnum):
    """What a release turned out to be: good if it succeeded; bad if metrics, an alarm, a hook or a person stopped it; neither otherwise."""

    GOOD = "good"
    BAD = "bad"
    NEITHER = "neither"


@dataclass(frozen=True)
class Rejudged:
    """A past release, judged by other rules. ``verdict`` is None where nothing was measured.

    ``after`` is how long after its first traffic the rules would have stopped it; ``assessed`` what was known of it then, or in the end.
    ``missing`` are rules that nothing was recorded for.
    """

    run: Run
    was: Was
    verdict: Judged | None
    after: timedelta | None = None
    assessed: Assessed | None = None
    missing: tuple[str, ...] = ()


async def rejudge(run: Run, facts: AsyncIterator[Fact], rules: Rules) -> Rejudged:
    """Judge a run of the past by ``rules``."""
    judge: Judge | None = None
    against = Against()
    ending = run.ending
    traffic: datetime | None = None
    stopped: tuple[datetime, Assessed] | None = None
    async for fact in facts:
        against.hear(fact)
        match fact:
            case Asked(request=request):
                judge = Judge(rules, _rules(request))
            case Moved(at=at):
                traffic = traffic or at
            case Measured(at=at) if judge:
                judge.hear(fact)
                found = judge.assessed
                if found and found.verdict is Judged.FAILED and stopped is None:
                    stopped = (at, found)
            case Ended(ending=ended):
                ending = ending or ended
            case _:
                pass
    was = _was(ending, against.cause)
    last = judge.assessed if judge else None
    if stopped is not None:
        return Rejudged(run, was, Judged.FAILED, stopped[0] - (traffic or stopped[0]), stopped[1], judge.missing if judge else ())
    return Rejudged(run, was, last.verdict if last else None, None, last, judge.missing if judge and last else ())


def _was(ending: Ending | None, cause: Cause) -> Was:
    if ending is None:
        return Was.NEITHER
    if ending.outcome is Outcome.SUCCEEDED:
        return Was.GOOD
    return Was.BAD if ending.outcome is Outcome.ROLLED_BACK and cause is not Cause.OTHER else Was.NEITHER


def summary(rejudged: Iterable[Rejudged]) -> str:
    """``2 of 3 bad releases would have been stopped, 0 of 9 good ones; 4 have no measurements``."""
    runs = list(rejudged)
    measured = [one for one in runs if one.verdict is not None]
    bad, good = ([one for one in measured if one.was is was] for was in (Was.BAD, Was.GOOD))
    caught, false = (sum(one.verdict is Judged.FAILED for one in group) for group in (bad, good))
    passed = sum(one.verdict is Judged.PASSED for one in good)
    words = f"{caught} of {len(bad)} bad releases would have been stopped, {false} of {len(good)} good ones; {passed} good ones would have passed by evidence"
    unmeasured = len(runs) - len(measured)
    return words + (f"; {unmeasured} without measurements" if unmeasured else "")
