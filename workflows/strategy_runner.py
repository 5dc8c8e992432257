"""How a candidate is tried: the steps of a strategy, one after the other, and the watch over it once it has all the traffic.

Weights, bakes and approvals; probes, which ask the candidate itself; analyses, which judge what CloudWatch measures; and the ramp, which sends as much traffic as the evidence allows.
Whatever speaks against the candidate ends its trial by an exception, and the release goes back.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.errors import Fault
from workflows import actions
from workflows.call import fault_of, root_cause
from workflows.domain.adaptive import Adaptive, Dose, RampAction, Ramp, decide_next_action
from workflows.domain.assessment import Verdict
from workflows.domain.formatting import format_duration, format_number
from workflows.domain.probe import Probe
from workflows.domain.routing import Routing
from workflows.domain.status import Phase, TrafficSplit
from workflows.domain.strategy import Analysis, Approval, Bake, OnNoData, SetWeight, Step
from workflows.guards import Judged, ReleaseStopped
from workflows.live_analysis import LiveAnalysis
from workflows.past_rollouts import JOURNAL

_SECOND = timedelta(seconds=1)


class Foreign(Exception):
    """Somebody else moved the alias while we held it: nothing more may be touched."""


class Trial(Judged):
    """A workflow that tries a candidate on an alias."""

    def __init__(self) -> None:
        """The alias has not been looked at yet."""
        super().__init__()
        self._revision: str | None = None

    async def _take_steps(self, stable: str, candidate: str) -> None:
        for number, step in enumerate(self._request.strategy.steps):
            await self._unpaused()
            if self._controls.promoted:
                return
            await self._take(step, stable, candidate)
            self._tell(step=number + 1)

    async def _take(self, step: Step, stable: str, candidate: str) -> None:
        match step:
            case SetWeight(percent=percent):
                self._tell(
                    Phase.SHIFTING, f"Moving {percent}% of the traffic to version {candidate}"
                )
                routing = Routing.split(stable=stable, candidate=candidate, percent=percent)
                await self._route(routing, f"{percent}% to version {candidate}")
                self._tell(routing=self._split(candidate, percent))
            case Bake(duration=duration):
                since, percent = workflow.now(), self._progress.status.routing.percent
                self._tell(
                    Phase.BAKING,
                    f"{percent}% to version {candidate} for {format_duration(duration)}",
                )
                await self._wait(
                    duration, summary=f"Bake at {percent}% for {format_duration(duration)}"
                )
                await self._hear(step, since)
                await self._last_look()
            case Analysis():
                with self._by(step):
                    await self._analyse(step, candidate)
                await self._last_look()
            case Adaptive():
                with self._by(step.rules):
                    await self._ramp(step, stable, candidate)
                await self._last_look()
            case Approval(timeout=timeout):
                await self._ask(
                    "Waiting for approval"
                    + (f", at most {format_duration(timeout)}" if timeout else ""),
                    within=timeout,
                )
                await self._last_look()
            case Probe():
                await self._probe(step, candidate)
                await self._last_look()

    async def _ask(self, why: str, *, within: timedelta | None = None) -> None:
        """Wait for a person to approve, or to promote. Refused if nobody has in time."""
        self._controls.approved = False
        self._tell(Phase.AWAITING_APPROVAL, why)
        if not await self._wait(within, summary="Wait for approval", approval=True):
            raise ReleaseStopped(f"nobody approved within {format_duration(within or _SECOND)}")

    async def _probe(self, probe: Probe, candidate: str) -> None:
        """Send the candidate requests, one after the other, and refuse it with the first failure that is one too many."""
        sent, failed, version = 0, 0, f"version {candidate}"
        self._tell(Phase.BAKING, f"Probing {version} {probe.summary}")
        for request in probe.planned_requests:
            if sent and await self._wait(
                probe.every,
                summary=f"Until the next probe of {version}: {sent} of {probe.request_count} sent",
            ):
                break
            sent += 1
            which = f"{sent} of {probe.request_count}" + (f", {request.name}" if request.name else "")
            failure = await actions.probe(
                self._journal.target.name, candidate, request, within=probe.max_latency, which=which
            )
            if failure is not None:
                failed += 1
                told = f"{version} failed a probe ({which}): {failure}"
                if failed > probe.max_failures:
                    raise ReleaseStopped(
                        told
                        + (
                            f"; {failed} failed, {probe.max_failures} may"
                            if probe.max_failures
                            else ""
                        )
                    )
                self._tell(note=f"V{told[1:]}; {failed} failed, {probe.max_failures} may")
        self._tell(note=f"Probed {version}: {sent} of {probe.request_count} sent, {failed} failed")

    # --- what is measured --------------------------------------------------------------------------------------------------------

    async def _hear(self, bake: Bake, since: datetime) -> None:
        """Let a bake last until CloudWatch has told of it: of so many requests as it asks for, or of any if metrics guard it."""
        analyst, percent = self._analyst, self._progress.status.routing.percent
        if (
            analyst is None
            or self._controls.promoted
            or not percent
            or not (bake.min_invocations or self._request.judged_by)
        ):
            return
        least = bake.min_invocations or 0

        def heard() -> bool:
            return analyst.heard(since) and analyst.invocations_since(since) >= least

        if not heard():
            enough = f"{least} invocations" if least else "what CloudWatch measured"
            self._tell(
                note=f"The bake goes on until there is {enough}, at most {format_duration(bake.effective_max_duration)} in all"
            )
            await self._wait(
                since + bake.effective_max_duration - workflow.now(), summary=f"Bake on for {enough}", until=heard
            )
        if not heard():
            told = (
                f"{format_number(analyst.invocations_since(since))} invocations were measured"
                if analyst.heard(since)
                else analyst.silence
            )
            await self._lack(
                bake.effective_on_no_data,
                f"not enough to judge by within {format_duration(bake.effective_max_duration)}: {told}",
            )

    async def _analyse(self, step: Analysis, candidate: str) -> None:
        """Judge the candidate until its time is over; or it passes, where that may be early. If it fails, the release is stopped meanwhile."""
        analyst, since = self._measured, workflow.now()

        def passed() -> bool:
            return self._judgement.verdict is Verdict.PASSED and analyst.heard(since)

        self._tell(Phase.BAKING, f"Judging version {candidate}: {step.summary}")
        early = passed if step.early else lambda: False
        await self._wait(
            step.duration, summary=f"Analysis for {format_duration(step.duration)}", until=early
        )
        await self._wait(
            since + step.effective_max_duration - workflow.now(), summary="Wait for more to judge by", until=passed
        )
        if self._controls.promoted:
            return
        judgement = analyst.assess(step, until=workflow.now())
        self._record(judgement)
        if passed():
            self._tell(note=f"Version {candidate} passed: {judgement.reason}")
        else:
            await self._lack(
                step.effective_on_no_data,
                f"no verdict within {format_duration(step.effective_max_duration)}: {judgement.reason or analyst.silence}",
            )

    async def _lack(self, policy: OnNoData, why: str) -> None:
        """Do what the user wants done where too little was measured."""
        if self._controls.promoted:
            return
        match policy:
            case "pass":
                self._tell(note=f"Going on all the same: {why}")
            case "fail":
                raise ReleaseStopped(why)
            case "hold":
                await self._ask(
                    f"A person has to decide: {why}. Approve to go on, abort to put the alias back"
                )

    async def _ramp(self, step: Adaptive, stable: str, candidate: str) -> None:
        """Send dose by dose what the evidence allows. Over when it is enough, or a person says so."""
        analyst, rules = self._measured, step.rules
        ramp = Ramp(workflow.now(), settle=analyst.settle)
        while not self._controls.promoted:
            now, news = workflow.now(), analyst.news
            judgement = analyst.assess(rules, until=ramp.began + step.max_duration)
            advice = decide_next_action(step, assessment=judgement, measurements=analyst.seen, ramp=ramp, now=now)
            if advice.action in {RampAction.PROMOTE, RampAction.ROLL_BACK}:
                self._record(judgement)
            match advice.action:
                case RampAction.PROMOTE:
                    self._tell(note=f"Version {candidate} passed: {advice.reason}")
                    return
                case RampAction.ROLL_BACK:
                    raise ReleaseStopped(
                        f"version {candidate} does worse than it may: {advice.reason}"
                    )
                case RampAction.HOLD:
                    await self._have(0, stable, candidate, advice.reason)
                    await self._ask(
                        f"A person has to decide: {advice.reason}. Approve to promote, abort to put the alias back"
                    )
                    return
                case RampAction.SEND | RampAction.WAIT:
                    await self._have(advice.percent, stable, candidate, advice.reason)
            if (
                advice.reason != self._progress.status.note and advice.ramp.dose is not ramp.dose
            ) or advice.action is RampAction.WAIT:
                self._tell(Phase.BAKING, advice.reason, ends_at=ramp.began + step.max_duration)
            ramp = _sent(advice.ramp) if advice.ramp.dose is not ramp.dose else ramp
            stirred = await self._stirred(analyst, news, advice.review_at, summary=advice.reason[:200])
            if self._controls.paused:
                ramp = await self._pause_ramp(ramp, stable, candidate)
            elif not stirred and advice.action is RampAction.WAIT:
                await analyst.look(candidate)

    async def _stirred(
        self, analyst: LiveAnalysis, news: int, until: datetime, *, summary: str
    ) -> bool:
        """Wait until CloudWatch tells more, or a person speaks; False if neither happened in time."""
        controls = self._controls
        try:
            await workflow.wait_condition(
                lambda: analyst.news != news or controls.paused or controls.promoted,
                timeout=max(until - workflow.now(), _SECOND),
                timeout_summary=summary,
            )
        except TimeoutError:
            return False
        return True

    async def _pause_ramp(self, ramp: Ramp, stable: str, candidate: str) -> Ramp:
        """A pause ends a dose, and does not use up the time."""
        paused_at = workflow.now()
        await self._have(0, stable, candidate, f"Paused: no traffic to version {candidate}")
        await self._unpaused()
        dose = ramp.dose and replace(ramp.dose, end=min(ramp.dose.end, paused_at))
        return replace(ramp, began=ramp.began + (workflow.now() - paused_at), dose=dose)

    async def _watch_over(self, candidate: str) -> None:
        """Keep the old version ready for a while, guards watching: whatever they find puts the alias back in one call. Promote ends it."""
        span, stable = self._request.guards.after, self._journal.stable
        if span is None:
            return
        self._controls.promoted = False
        ready = f"; version {stable} stays ready" if stable else ""
        self._tell(
            Phase.BAKING,
            f"All traffic is on version {candidate}, watched for {format_duration(span)}{ready}",
        )
        await self._wait(
            span, summary=f"Watch over version {candidate} for {format_duration(span)}"
        )
        await self._last_look()

    # --- traffic -----------------------------------------------------------------------------------------------------------------

    async def _have(self, percent: int, stable: str, candidate: str, why: str) -> None:
        """Have this share of the traffic on the candidate, unless it is there already."""
        if percent != self._progress.status.routing.percent:
            self._tell(Phase.BAKING, why)
            await self._route(
                Routing.split(stable=stable, candidate=candidate, percent=percent), why[:200]
            )
            self._tell(routing=self._split(candidate, percent))

    async def _route(self, routing: Routing, summary: str) -> None:
        """Move traffic. Between asking and knowing the answer, the revision is unknown."""
        self._note(shifting=True)
        revision, self._revision = self._revision, None
        try:
            self._revision = await actions.route(
                self._journal.target, routing, revision=revision, summary=summary
            )
        except ActivityError as error:
            if fault_of(error) is Fault.STALE:
                raise Foreign(
                    f"somebody else moved {self._journal.target}: {root_cause(error)}; it was left like that"
                ) from error
            raise

    def _note(self, **changes: object) -> None:
        """The undo is recorded before the deed: in the memo too, where whoever started us finds it if we are killed."""
        before, self._journal = self._journal, self._journal.model_copy(update=changes)
        if self._journal != before:
            workflow.upsert_memo({JOURNAL: self._journal})

    def _split(self, candidate: str | None, percent: int) -> TrafficSplit:
        return TrafficSplit(
            stable=self._journal.stable, canary=candidate if percent else None, percent=percent
        )


def _sent(ramp: Ramp) -> Ramp:
    """A dose begins when AWS has it, which may be later than it was decided."""
    now = workflow.now()
    return ramp.with_dose(Dose(ramp.dose.percent, now, max(now, ramp.dose.end))) if ramp.dose else ramp
