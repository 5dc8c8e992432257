"""What other rules would have decided about past releases.

They assess what was measured at the time. That answers whether the rules would have stopped the bad
releases, and how many of the good ones. It cannot answer how the callers of a ramp would have fared
with other traffic, nor what would have come after a release was stopped: the rules assess the
traffic that there was.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from workflows.client.facts import AliasMoved, Fact, MetricsRead, ReleaseRequested
from workflows.client.recorded_analysis import RecordedAnalysis
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.client.stop_cause import StopCause, StopCauseFinder
from workflows.domain.assessment import Verdict
from workflows.domain.rules import Rules
from workflows.domain.status import AnalysisStatus
from workflows.request import ReleaseRequest


class ReleaseQuality(StrEnum):
    """Whether a release turned out to be good.

    Good: it succeeded. Bad: metrics, an alarm, a hook, a probe or a person stopped it, and it was
    rolled back. Neither: anything else, such as an AWS error.
    """

    GOOD = "good"
    BAD = "bad"
    NEITHER = "neither"


@dataclass(frozen=True)
class Rejudgement:
    """A past release, assessed by other rules.

    ``verdict`` is ``failed`` if the rules would ever have stopped it, else ``passed`` if it ever
    passed them, else undecided; None where nothing was measured. ``after`` is the time from the
    first traffic to that verdict. ``assessed`` is the analysis at that time, or the last one.
    ``missing`` are rules that nothing was recorded for.
    """

    run: Run
    was: ReleaseQuality
    cause: StopCause | None
    verdict: Verdict | None = None
    after: timedelta | None = None
    assessed: AnalysisStatus | None = None
    missing: tuple[str, ...] = ()

    @property
    def requests(self) -> float:
        """How many requests of the candidate were measured by then."""
        return self.assessed.candidate.invocations if self.assessed else 0

    @property
    def errors(self) -> int:
        """How many of those requests had failed."""
        return round(self.requests * ((self.assessed and self.assessed.candidate.error_rate) or 0))


async def rejudge(run: Run, facts: AsyncIterable[Fact], rules: Rules) -> Rejudgement | None:
    """Assess a past run by ``rules``.

    None for a run without a trial of a candidate: a rollback, or one that moved no traffic.
    """
    builder = _RejudgementBuilder(run, rules)
    async for fact in facts:
        builder.add(fact)
    return builder.build()


def summarize(rejudgements: Iterable[Rejudgement]) -> str:
    """Count the verdicts by the quality of the releases, in one line.

    ``2 of 3 bad releases would have been stopped (1 undecided), 0 of 9 good ones (9 passed); not
    counted: 4 without measurements``.
    """
    runs = list(rejudgements)
    measured = [one for one in runs if one.verdict is not None]
    bad, good = (
        _count_stopped([one for one in measured if one.was is quality], words)
        for quality, words in (
            (ReleaseQuality.BAD, "bad releases would have been stopped"),
            (ReleaseQuality.GOOD, "good ones"),
        )
    )
    rest = {
        "without measurements": len(runs) - len(measured),
        "neither good nor bad": sum(one.was is ReleaseQuality.NEITHER for one in measured),
    }
    uncounted = [f"{number} {words}" for words, number in rest.items() if number]
    return f"{bad}, {good}" + (f"; not counted: {', '.join(uncounted)}" if uncounted else "")


class _RejudgementBuilder:
    def __init__(self, run: Run, rules: Rules) -> None:
        self._run = run
        self._rules = rules
        self._stop_cause = StopCauseFinder()
        self._analysis: RecordedAnalysis | None = None
        self._traffic_at: datetime | None = None
        """When the candidate got its first traffic."""

        self._first: dict[Verdict, tuple[datetime, AnalysisStatus]] = {}
        """When each verdict was first reached, and on what evidence."""

    def add(self, fact: Fact) -> None:
        self._stop_cause.add(fact)
        match fact:
            case ReleaseRequested(request=ReleaseRequest() as request):
                self._analysis = RecordedAnalysis.from_request(self._rules, request)
            case AliasMoved(at=at):
                self._traffic_at = self._traffic_at or at
            case MetricsRead(at=at) if self._analysis:
                self._analysis.add(fact)
                if latest := self._analysis.latest:
                    self._first.setdefault(latest.verdict, (at, latest))
            case _:
                pass

    def build(self) -> Rejudgement | None:
        run, analysis, traffic_at = self._run, self._analysis, self._traffic_at
        if analysis is None or traffic_at is None:
            return None
        ending, found = run.ending, self._stop_cause.cause
        quality = _classify_release(ending, found)
        was_stopped = ending is not None and ending.outcome is not RunOutcome.SUCCEEDED
        cause = found if was_stopped else None
        for verdict in (Verdict.FAILED, Verdict.PASSED):
            if verdict in self._first:
                at, assessed = self._first[verdict]
                after = max(at - traffic_at, timedelta())
                return Rejudgement(run, quality, cause, verdict, after, assessed, analysis.missing)
        if (last := analysis.latest) is None:
            return Rejudgement(run, quality, cause)
        return Rejudgement(run, quality, cause, last.verdict, None, last, analysis.missing)


def _classify_release(ending: RunEnding | None, cause: StopCause) -> ReleaseQuality:
    if ending is None:
        return ReleaseQuality.NEITHER
    if ending.outcome is RunOutcome.SUCCEEDED:
        return ReleaseQuality.GOOD
    if ending.outcome is RunOutcome.ROLLED_BACK and cause is not StopCause.OTHER:
        return ReleaseQuality.BAD
    return ReleaseQuality.NEITHER


def _count_stopped(group: list[Rejudgement], words: str) -> str:
    stopped = sum(one.verdict is Verdict.FAILED for one in group)
    passed = sum(one.verdict is Verdict.PASSED for one in group)
    others = {"passed": passed, "undecided": len(group) - stopped - passed}
    counts = ", ".join(f"{number} {verdict}" for verdict, number in others.items() if number)
    return f"{stopped} of {len(group)} {words}" + (f" ({counts})" if counts else "")
