"""What other rules would have decided about past releases.

They assess what was measured at the time. That answers whether the rules would have stopped the bad
releases, and how many of the good ones. It cannot answer how the callers of a ramp would have fared
with other traffic, nor what would have come after a release was stopped: the rules assess the
traffic that there was.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from workflows.client.facts import AliasMoved, Fact, MetricsRead, ReleaseRequested
from workflows.client.recorded_analysis import RecordedAnalysis
from workflows.client.runs import Run, RunEnding, RunOutcome
from workflows.client.stop_cause import StopCause, StopCauseFinder
from workflows.domain.alias_history import is_older_version
from workflows.domain.assessment import Verdict
from workflows.domain.rules import Rules
from workflows.domain.status import AnalysisStatus, Phase
from workflows.request import ReleaseRequest, RollbackRequest


class ReleaseQuality(StrEnum):
    """Whether a release turned out to be good.

    Good: it succeeded, and its version was not rolled back from later. Bad: metrics, an alarm, a
    hook, a probe or a person stopped it, and it was rolled back; or a rollback left its version
    later. Neither: anything else, such as an AWS error.
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


class ReleaseJudge:
    """Assesses the past runs of an alias by ``rules``.

    A run without a trial of a candidate is not assessed: a rollback, or one that moved no traffic.
    But a version that a rollback has left was bad, however its release had ended.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._found: list[Rejudgement] = []
        self._left = _LeftVersions()

    async def take(self, run: Run, facts: AsyncIterable[Fact]) -> None:
        """Take the next run; they come in the order in which they began."""
        builder = _RejudgementBuilder(run, self._rules)
        async for fact in facts:
            builder.add(fact)
        self._left.take(run, is_rollback=builder.is_rollback)
        if (found := builder.build()) is not None:
            self._found.append(found)

    def judge(self) -> list[Rejudgement]:
        """Return the assessments, the newest first."""
        return [
            replace(found, was=ReleaseQuality.BAD, cause=StopCause.ROLLBACK)
            if found.was is ReleaseQuality.GOOD and found.run.run_id in self._left.run_ids
            else found
            for found in reversed(self._found)
        ]


class _LeftVersions:
    """The releases whose versions were live, and were rolled back from later."""

    def __init__(self) -> None:
        self._made_live: dict[str, str] = {}
        """The run that made a version live last, by version."""

        self._left: dict[str, str] = {}
        """The run of each version that was rolled back from, by version."""

    @property
    def run_ids(self) -> set[str]:
        """The runs of the releases."""
        return set(self._left.values())

    def take(self, run: Run, *, is_rollback: bool) -> None:
        """Take the next run. A rollback *to* a version that was left takes that back."""
        status = run.ending.status if run.ending else None
        if status is None or status.phase is not Phase.SUCCEEDED or status.candidate is None:
            return
        version, before = status.candidate, status.stable
        if not is_rollback:
            self._made_live[version] = run.run_id
            return
        is_known = version in self._made_live or (before and is_older_version(version, before))
        if self._left.pop(version, None) is None and is_known and before in self._made_live:
            self._left[before] = self._made_live[before]


def summarize(rejudgements: Iterable[Rejudgement]) -> str:
    """Count the verdicts by the quality of the releases, in one line.

    ``2 of 3 bad releases would have been stopped (1 undecided), 0 of 9 good ones (9 passed); not
    counted: 4 without measurements``.
    """
    runs = list(rejudgements)
    measured = [one for one in runs if one.verdict is not None]
    bad, good = (
        [one for one in measured if one.was is quality]
        for quality in (ReleaseQuality.BAD, ReleaseQuality.GOOD)
    )
    rest = {
        "without measurements": len(runs) - len(measured),
        "neither good nor bad": sum(one.was is ReleaseQuality.NEITHER for one in measured),
    }
    uncounted = [f"{number} {words}" for words, number in rest.items() if number]
    tail = f"; not counted: {', '.join(uncounted)}" if uncounted else ""
    return f"{_count_both(bad, good)}{tail}"


def _count_both(bad: list[Rejudgement], good: list[Rejudgement]) -> str:
    """Count the bad and the good releases; say in words where there are none of a kind."""
    stopped = "would have been stopped"
    match bool(bad), bool(good):
        case True, True:
            words = _count_stopped(bad, f"bad releases {stopped}")
            return f"{words}, {_count_stopped(good, 'good ones')}"
        case True, False:
            words = _count_stopped(bad, f"bad releases {stopped}")
            return f"{words}; no good release was measured"
        case False, True:
            words = _count_stopped(good, f"good releases {stopped}")
            return f"no bad release was measured; {words}"
        case _:
            return "no release was measured, so these rules cannot be compared with any"


class _RejudgementBuilder:
    def __init__(self, run: Run, rules: Rules) -> None:
        self._run = run
        self._rules = rules
        self._stop_cause = StopCauseFinder()
        self._analysis: RecordedAnalysis | None = None
        self.is_rollback = False
        self._traffic_at: datetime | None = None
        """When the candidate got its first traffic."""

        self._first: dict[Verdict, tuple[datetime, AnalysisStatus]] = {}
        """When each verdict was first reached, and on what evidence."""

    def add(self, fact: Fact) -> None:
        self._stop_cause.add(fact)
        match fact:
            case ReleaseRequested(request=ReleaseRequest() as request):
                self._analysis = RecordedAnalysis.from_request(self._rules, request)
            case ReleaseRequested(request=RollbackRequest()):
                self.is_rollback = True
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
