"""What other rules would have made of the measurements of past releases: would they have stopped the bad ones, and how many of the good ones?

They are read as the release itself read them (:mod:`workflows.analysis_run`). Rejudging cannot know what the callers of a ramp would have met if it had sent
them other traffic, nor what came after a release was stopped: it says what the rules make of the traffic that there was.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from workflows.analysis_run import AnalysisRun
from workflows.client.history import AliasMoved, Fact, MetricsRead, ReleaseRequested
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.client.stop_cause import StopCause, StopCauseFinder
from workflows.domain.assessment import Verdict
from workflows.domain.measurement import COMPLETE
from workflows.domain.rules import Rules, metric_key
from workflows.domain.status import AnalysisStatus
from workflows.metric_mapping import others_of, rules_of
from workflows.request import ReleaseRequest


class Judge:
    """Judges recorded answers of CloudWatch by ``rules``, one after the other. ``recorded`` are those that the answers were asked for by."""

    def __init__(self, rules: Rules, recorded: Iterable[Rules]) -> None:
        """Nothing was heard yet."""
        self.rules = rules
        self._recorded = tuple(recorded)
        self._known: object = None
        self._slow_above: float | None = None
        self._reading: AnalysisRun | None = None
        self._before: MetricsRead | None = None
        self.assessed: AnalysisStatus | None = None
        """What the rules make of what was heard; None before anything was."""

    def hear(self, fact: MetricsRead) -> AnalysisStatus | None:
        """Take an answer; what is thought of the candidate then, if that is news."""
        if fact.before:
            self._before = fact
            return None
        candidate, stable = fact.asked.versions[0], fact.asked.versions[-1]
        if self._reading is None:
            settle = timedelta(seconds=fact.asked.settle)
            self._reading = AnalysisRun(
                (self.rules, *self._recorded),
                others_of(self._recorded),
                stable=stable,
                settle=settle,
            )
            if self._before:
                self._reading.before(self._before.told)
        self._slow_above = fact.asked.slow_above
        self._reading.read(fact.told, candidate=candidate)
        self.assessed = found = self._reading.assessed(self._reading.assess(self.rules))
        known = (
            found.verdict,
            found.candidate,
            found.stable,
            found.worse,
            found.not_worse,
            fact.told.status,
        )
        empty = (
            fact.told.status == COMPLETE
            and not self._reading.seen.candidate
            and found.verdict is Verdict.PENDING
        )
        before, self._known = self._known, known
        return None if empty or known == before else found

    @property
    def missing(self) -> tuple[str, ...]:
        """Of the rules, those that nothing was recorded for."""
        known = {metric_key(other) for other in others_of(self._recorded)}
        unknown = [
            str(limit)
            for limit in self.rules.limits
            if not isinstance(limit.metric, str) and metric_key(limit.metric) not in known
        ]
        if self._slow_above is None:
            unknown += [str(rule) for rule in self.rules.not_worse if rule.metric == "slow_rate"]
            unknown += [str(limit) for limit in self.rules.limits if limit.metric == "slow_rate"]
        return tuple(unknown)


class Was(StrEnum):
    """What a release turned out to be.

    Good if it succeeded; bad if metrics, an alarm, a hook, a probe or a person stopped it and it was rolled back; neither otherwise (an error of AWS's, say).
    """

    GOOD = "good"
    BAD = "bad"
    NEITHER = "neither"


@dataclass(frozen=True)
class Rejudged:
    """A past release, judged by other rules: ``failed`` if they would ever have stopped it, ``passed`` if they were ever content, else undecided.

    ``verdict`` is None where nothing was measured. ``after`` is how long after its first traffic they said so; ``assessed`` what was known of it then, or
    in the end. ``missing`` are rules that nothing was recorded for.
    """

    run: Run
    was: Was
    cause: StopCause | None
    verdict: Verdict | None = None
    after: timedelta | None = None
    assessed: AnalysisStatus | None = None
    missing: tuple[str, ...] = ()

    @property
    def requests(self) -> float:
        """How many requests of the candidate were known by then."""
        return self.assessed.candidate.invocations if self.assessed else 0

    @property
    def errors(self) -> int:
        """How many of them had failed."""
        return round(self.requests * ((self.assessed and self.assessed.candidate.error_rate) or 0))


async def rejudge(run: Run, facts: AsyncIterable[Fact], rules: Rules) -> Rejudged | None:
    """Judge a run of the past by ``rules``. None for one that is no trial of a candidate: a rollback, or one that moved no traffic."""
    judging = _Judging(run, rules)
    async for fact in facts:
        judging.hear(fact)
    return judging.told


class _Judging:
    def __init__(self, run: Run, rules: Rules) -> None:
        self._run = run
        self._rules = rules
        self._against = StopCauseFinder()
        self._judge: Judge | None = None
        self._traffic: datetime | None = None
        self._first: dict[Verdict, tuple[datetime, AnalysisStatus]] = {}
        """When each verdict was first come to, and on what."""

    def hear(self, fact: Fact) -> None:
        self._against.hear(fact)
        match fact:
            case ReleaseRequested(request=ReleaseRequest() as request):
                self._judge = Judge(self._rules, rules_of(request.strategy, request.judged_by))
            case AliasMoved(at=at):
                self._traffic = self._traffic or at
            case MetricsRead(at=at) if self._judge:
                self._judge.hear(fact)
                if found := self._judge.assessed:
                    self._first.setdefault(found.verdict, (at, found))
            case _:
                pass

    @property
    def told(self) -> Rejudged | None:
        run, judge, traffic = self._run, self._judge, self._traffic
        if judge is None or traffic is None:
            return None
        was = _was(run.ending, self._against.cause)
        cause = (
            self._against.cause
            if run.ending and run.ending.outcome is not RunOutcome.SUCCEEDED
            else None
        )
        for verdict in (Verdict.FAILED, Verdict.PASSED):
            if verdict in self._first:
                at, found = self._first[verdict]
                return Rejudged(
                    run, was, cause, verdict, max(at - traffic, timedelta()), found, judge.missing
                )
        last = judge.assessed
        return (
            Rejudged(run, was, cause, last.verdict, None, last, judge.missing)
            if last
            else Rejudged(run, was, cause)
        )


def _was(ending: RunEnding | None, cause: StopCause) -> Was:
    if ending is None:
        return Was.NEITHER
    if ending.outcome is RunOutcome.SUCCEEDED:
        return Was.GOOD
    return (
        Was.BAD
        if ending.outcome is RunOutcome.ROLLED_BACK and cause is not StopCause.OTHER
        else Was.NEITHER
    )


def summary(rejudged: Iterable[Rejudged]) -> str:
    """``2 of 3 bad releases would have been stopped (1 undecided), 0 of 9 good ones (9 passed); not counted: 4 without measurements``."""
    runs = list(rejudged)
    measured = [one for one in runs if one.verdict is not None]
    bad, good = (
        _tally(
            [one for one in measured if one.was is was],
            f"{was} ones" if was is Was.GOOD else f"{was} releases",
        )
        for was in (Was.BAD, Was.GOOD)
    )
    rest = {
        "without measurements": len(runs) - len(measured),
        "neither good nor bad": sum(one.was is Was.NEITHER for one in measured),
    }
    uncounted = [f"{number} {what}" for what, number in rest.items() if number]
    return f"{bad}, {good}" + (f"; not counted: {', '.join(uncounted)}" if uncounted else "")


def _tally(group: list[Rejudged], what: str) -> str:
    stopped, passed = (
        sum(one.verdict is verdict for one in group) for verdict in (Verdict.FAILED, Verdict.PASSED)
    )
    others = {"passed": passed, "undecided": len(group) - stopped - passed}
    told = ", ".join(f"{number} {verdict}" for verdict, number in others.items() if number)
    words = f"{stopped} of {len(group)} {what}" + (
        " would have been stopped" if what.endswith("releases") else ""
    )
    return words + (f" ({told})" if told else "")
