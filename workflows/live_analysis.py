"""What CloudWatch tells of a candidate and of stable while a release runs, and what that comes to.

One watch for a release, whatever asks: guards that hold all the time, analysis steps, a ramp, a bake that waits for enough requests. Each piece
of news is the result of one activity, so the history holds every number that a verdict was made from. AWS is asked once a look, for all metrics of
both versions: every 5 s for a ramp, every 15 s otherwise. Looks that tell nothing new add nothing to the history.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse
from workflows import actions
from workflows.analysis_run import AnalysisRun
from workflows.call import fault_of
from workflows.domain.adaptive import Adaptive
from workflows.domain.measurement import COMPLETE, MINUTE
from workflows.domain.rules import Rules
from workflows.domain.strategy import Steps
from workflows.domain.target import Target
from workflows.metric_mapping import asked, others_of, rules_of, seconds

_LOOK_BACK: Final = timedelta(minutes=6)
"""How far back each look goes at least, beyond what takes its time to settle, and twice that at most: what is later is not waited for."""

_HOUR: Final = timedelta(hours=1)

LOOK_EVERY: Final = timedelta(seconds=15)
RAMP_LOOKS_EVERY: Final = timedelta(seconds=5)

_SELDOM: Final = timedelta(minutes=4)
"""After the first hour, how long news are left to gather before the next look: a day's bake is some 300 pieces of news then, not 1,500."""


class LiveAnalysis(AnalysisRun):
    """Follows what is measured of one candidate. ``news`` counts what was told so far."""

    def __init__(
        self,
        target: Target,
        strategy: Steps,
        guards: Rules | None,
        *,
        stable: str,
        settle: timedelta,
    ) -> None:
        """Nothing is known yet."""
        self._rules = rules_of(strategy, guards)
        super().__init__(self._rules, others_of(self._rules), stable=stable, settle=settle)
        self._target = target
        self._ramps = any(isinstance(step, Adaptive) for step in strategy.steps)
        self._began: datetime | None = None
        self._known: str | None = None
        self.news = 0

    async def look_back(self) -> MetricsResponse:
        """How stable did in the hour before."""
        told = await _answered(
            actions.measure(
                self._request([self._stable], since=workflow.now() - _HOUR, candidate=self._stable)
            )
        )
        self.before(told)
        return told

    async def follow(self, candidate: str, tell: Callable[[], None]) -> None:
        """Take what CloudWatch tells, for ever; ``tell`` is called at each piece of news."""
        every = RAMP_LOOKS_EVERY if self._ramps else LOOK_EVERY
        while True:
            self._take(
                await _answered(
                    actions.watch_metrics(self._of_both(candidate), every=every, known=self._known)
                ),
                candidate,
            )
            tell()
            if not self._ramps and workflow.now() - self._beginning > _HOUR:
                await workflow.sleep(_SELDOM, summary="Let measurements gather")

    async def look(self, candidate: str) -> None:
        """Ask once, now."""
        self._take(await _answered(actions.measure(self._of_both(candidate))), candidate)

    def heard(self, since: datetime) -> bool:
        """Whether CloudWatch answers, and has told of invocations of the candidate in a minute that began after ``since``: a part of one is little."""
        heard = self.seen.last_invoked_minute
        return self.seen.status == COMPLETE and heard is not None and heard >= since

    def invocations_since(self, since: datetime) -> float:
        """How often the candidate was invoked in minutes that ended after that, as far as told."""
        return sum(
            point.invocations or 0.0
            for minute, point in self.seen.candidate.items()
            if minute + MINUTE > since
        )

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

    # --- asking ------------------------------------------------------------------------------------------------------------------

    @property
    def _beginning(self) -> datetime:
        """When both versions were first asked about."""
        self._began = self._began or workflow.now()
        return self._began

    def _of_both(self, candidate: str) -> MetricsRequest:
        """What is asked about both versions. The first minute stands still for a while: that keeps answers small, and one like the other."""
        began = self._beginning
        since = (
            began + max(0, (workflow.now() - self.settle - began) // _LOOK_BACK - 1) * _LOOK_BACK
        )
        return self._request([candidate, self._stable], since=since, candidate=candidate)

    def _request(self, versions: list[str], *, since: datetime, candidate: str) -> MetricsRequest:
        names = {
            "function": self._target.name,
            "alias": self._target.alias,
            "candidate": candidate,
            "stable": self._stable,
        }
        return MetricsRequest(
            function_name=self._target.name,
            name=self._target.alias,
            versions=versions,
            since=since,
            settle=seconds(self.settle),
            slow_above=self.slow_above,
            others=asked(self._others, names),
        )

    def _take(self, told: MetricsResponse, candidate: str) -> None:
        self._known = told.digest
        self.read(told, candidate=candidate)
        self.news += 1


async def _answered(asking: Awaitable[MetricsResponse]) -> MetricsResponse:
    """What CloudWatch says, or that nothing could be learnt: an activity that fails for good is silence as well."""
    try:
        return await asking
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return MetricsResponse(at=workflow.now(), status=fault_of(error), digest="")
