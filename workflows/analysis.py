"""What CloudWatch tells of a candidate and of stable while a release runs, and what that comes to.

One watch for a release, whatever asks: guards that hold all the time, analysis steps, a ramp, a bake that waits for enough requests. Each piece
of news is the result of one activity, so the history holds every number that a verdict was made from. AWS is asked once a look, for all metrics of
both versions: every 5 s for a ramp, every 15 s otherwise. Looks that tell nothing new add nothing to the history.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.metrics import MetricsRequest, MetricsResponse, OtherMetric
from workflows import steps
from workflows.call import fault_of
from workflows.domain.adaptive import Adaptive
from workflows.domain.evidence import Share
from workflows.domain.judgement import Judgement, Ledger, Rules, assess
from workflows.domain.measurement import COMPLETE, MINUTE, Measure, Measurements, Point
from workflows.domain.status import Assessed, Measured
from workflows.domain.strategy import Steps
from workflows.domain.target import Target
from workflows.measuring import asked, look_of, others_of, points_of, rules_of, seconds

_LOOK_BACK: Final = timedelta(minutes=6)
"""How far back each look goes at least, beyond what takes its time to settle, and twice that at most: what is later is not waited for."""

_HOUR: Final = timedelta(hours=1)

LOOK_EVERY: Final = timedelta(seconds=15)
RAMP_LOOKS_EVERY: Final = timedelta(seconds=5)

_SELDOM: Final = timedelta(minutes=4)
"""After the first hour, how long news are left to gather before the next look: a day's bake is some 300 pieces of news then, not 1,500."""


_EVER: Final = datetime.max.replace(tzinfo=UTC)


class Analyst:
    """Follows what is measured of one candidate. ``news`` counts what was told so far."""

    def __init__(self, target: Target, strategy: Steps, guards: Rules | None, *, stable: str, settle: timedelta) -> None:
        """Nothing is known yet. ``settle`` is how long after a minute its numbers may be incomplete: as long as an invocation may last."""
        self._target = target
        self._stable = stable
        self.settle = settle
        self._ramps = any(isinstance(step, Adaptive) for step in strategy.steps)
        self._rules = rules_of(strategy, guards)
        self._others = others_of(self._rules)
        self._ledger = Ledger()
        self._slow_above: float | None = None
        self._began: datetime | None = None
        self._known: str | None = None
        measures: dict[Measure, None] = dict.fromkeys(("error_rate", *(measure for rules in self._rules for measure in rules.measures)))
        self.seen = Measurements(tuple(measures))
        self.news = 0

    async def look_back(self) -> MetricsResponse:
        """How stable did in the hour before: what the bets are fitted to, and from which duration on a request is slow.

        Where nothing is told, the judgement takes longer, and durations are not compared.
        """
        told = await self._ask(self._request([self._stable], since=workflow.now() - _HOUR, others=self._asked(self._stable)))
        points = points_of(told, self._stable).values()
        before = {measure: _sum(points, measure) for measure in self.seen.measures if measure != "slow_rate"}
        self.seen = replace(self.seen, before={measure: share for measure, share in before.items() if share.of})
        slowest = [point.quantiles["p99"] for point in points if point.quantiles.get("p99")]
        self._slow_above = median(slowest) if slowest else None
        return told

    async def follow(self, candidate: str, tell: Callable[[], None]) -> None:
        """Take what CloudWatch tells, for ever; ``tell`` is called at each piece of news."""
        self._began = self._began or workflow.now()
        while True:
            request = self._request([candidate, self._stable], since=self._since, others=self._asked(candidate))
            every = RAMP_LOOKS_EVERY if self._ramps else LOOK_EVERY
            told = await _answered(steps.watch_metrics(request, every=every, known=self._known))
            self._take(told, candidate)
            tell()
            if not self._ramps and workflow.now() - self._began > _HOUR:
                await workflow.sleep(_SELDOM, summary="Let measurements gather")

    async def look(self, candidate: str) -> None:
        """Ask once, now."""
        self._began = self._began or workflow.now()
        request = self._request([candidate, self._stable], since=self._since, others=self._asked(candidate))
        self._take(await self._ask(request), candidate)

    def assess(self, rules: Rules, *, until: datetime = _EVER) -> Judgement:
        """What is to be thought of the candidate by these rules, if there is time ``until`` then."""
        return assess(rules, self.seen, until=until, ledger=self._ledger)

    def heard(self, since: datetime) -> bool:
        """Whether CloudWatch answers, and has told of invocations of the candidate in a minute that ended after ``since``."""
        heard = self.seen.heard
        return self.seen.status == COMPLETE and heard is not None and heard + MINUTE > since

    def invocations_since(self, since: datetime) -> float:
        """How often the candidate was invoked in minutes that ended after that, as far as told."""
        return sum(point.invocations or 0.0 for minute, point in self.seen.candidate.items() if minute + MINUTE > since)

    @property
    def silence(self) -> str:
        """What is to be said of nothing."""
        return (
            "CloudWatch told of no invocations of the candidate"
            if self.seen.status == COMPLETE
            else f"CloudWatch answered {self.seen.status}"
        )

    @property
    def first_rules(self) -> Rules:
        """What the candidate is judged by as long as no step says anything else."""
        return self._rules[0] if self._rules else Rules()

    def assessed(self, judged: Judgement) -> Assessed:
        """What is thought of the candidate, for the status of the release."""
        found = [finding.evidence for finding in judged.findings if finding.evidence]
        contrasts = self.seen.contrasts.get("error_rate", ())
        return Assessed(
            verdict=judged.outcome,
            reason=judged.reason[:_REASON],
            worse=max((_sure(one.worse) for one in found), default=0.0),
            not_worse=min((_sure(one.not_worse) for one in found), default=0.0),
            candidate=_measured(sum((contrast.candidate for contrast in contrasts), Share()), self.seen.candidate),
            stable=_measured(sum((contrast.stable for contrast in contrasts), Share()), self.seen.stable),
            at=self.seen.at,
        )

    # --- asking ------------------------------------------------------------------------------------------------------------------

    @property
    def _since(self) -> datetime:
        """The first minute to ask for. It stands still for a while: another beginning would make the same answer look like news."""
        began = self._began or workflow.now()
        return began + max(0, (workflow.now() - self.settle - began) // _LOOK_BACK - 1) * _LOOK_BACK

    def _request(self, versions: list[str], *, since: datetime, others: list[OtherMetric] | None = None) -> MetricsRequest:
        return MetricsRequest(
            function_name=self._target.name,
            name=self._target.alias,
            versions=versions,
            since=since,
            settle=seconds(self.settle),
            slow_above=self._slow_above,
            others=others or [],
        )

    def _asked(self, candidate: str) -> list[OtherMetric]:
        names = {"function": self._target.name, "alias": self._target.alias, "candidate": candidate, "stable": self._stable}
        return asked(self._others, names)

    async def _ask(self, request: MetricsRequest) -> MetricsResponse:
        return await _answered(steps.measure(request))

    def _take(self, told: MetricsResponse, candidate: str) -> None:
        self._known = told.digest
        look = look_of(told, self._others, candidate=candidate, stable=self._stable)
        self.seen = self.seen.after(look, settle=self.settle)
        self.news += 1


async def _answered(asking: Awaitable[MetricsResponse]) -> MetricsResponse:
    """What CloudWatch says, or that nothing could be learnt: an activity that fails for good is silence as well."""
    try:
        return await asking
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return MetricsResponse(at=workflow.now(), status=fault_of(error), digest="")


_REASON: Final = 500


def _sure(e: float) -> float:
    """How sure an e-value makes: 1 - 1/e, valid at any time."""
    return round(1 - 1 / e, 4) if e > 1 else 0.0


def _sum(points: Iterable[Point], measure: Measure) -> Share:
    return sum((share for point in points if (share := point.share(measure))), Share())


def _measured(errors: Share, points: Mapping[datetime, Point]) -> Measured:
    last = next((point.quantiles["p99"] for _, point in sorted(points.items(), reverse=True) if "p99" in point.quantiles), None)
    return Measured(invocations=errors.of, error_rate=round(errors.rate, 6) if errors.of else None, p99=last)
