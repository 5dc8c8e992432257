"""Who may speak against a candidate: hooks, which are asked, alarms, which are watched, and what CloudWatch measures of it.

Hooks are asked once before traffic moves and once after. Alarms are watched from the first move, or from the first wait if that comes
earlier, to the end; and looked at once more wherever a wait is over or all traffic is about to move at once, as the watch may be seconds behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from activities.errors import Fault
from workflows import actions
from workflows.actions import alarm_in
from workflows.call import root_cause
from workflows.domain.assessment import Assessment, Verdict
from workflows.domain.journal import Journal
from workflows.domain.rules import Rules
from workflows.domain.status import Phase
from workflows.live_analysis import LiveAnalysis
from workflows.metric_mapping import is_measured
from workflows.past_rollouts import VERDICT
from workflows.preflight import Findings, Rejected
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.steering import Steered

_WAITING = {Phase.BAKING, Phase.AWAITING_APPROVAL}


class ReleaseStopped(Exception):
    """A hook, an alarm or a probe speaks against the candidate, or somebody else has changed what it was to be made of."""


class Judged(Steered):
    """A workflow whose candidate may be refused."""

    _request: ReleaseRequest | RollbackRequest
    _journal: Journal

    def __init__(self) -> None:
        """Nobody has spoken yet."""
        super().__init__()
        self._red: frozenset[str] = frozenset()
        self._analyst: LiveAnalysis | None = None
        self._rules: Rules | None = None
        self._following: asyncio.Task[None] | None = None
        self._judgement = Assessment(Verdict.PENDING, ())

    @property
    def _alarms(self) -> tuple[str, ...]:
        """The alarms that may stop the release: those that were red before a hotfix began may not."""
        return tuple(name for name in self._request.guards.alarms if name not in self._red)

    async def _prepare_to_judge(self, found: Findings) -> None:
        """Look at how stable did before the release, if what CloudWatch measures is to be judged. Rejects where it may not be asked."""
        if self._request.hotfix:
            self._red = frozenset(name for name, state in found.alarms.items() if state == "ALARM")
            ignored = (
                f"; red already, so ignored: {', '.join(sorted(self._red))}" if self._red else ""
            )
            self._tell(note=f"Hotfix: {self._request.reason}{ignored}", hotfix=True)
        strategy, guards = self._request.strategy, self._request.judged_by
        stable = self._journal.stable
        if stable is None or not is_measured(strategy, guards):
            return
        self._analyst = LiveAnalysis(
            self._journal.target,
            strategy,
            guards,
            stable=stable,
            settle=timedelta(seconds=found.longest),
        )
        told = await self._analyst.look_back()
        if told.status in {Fault.DENIED, Fault.INVALID}:
            raise Rejected(
                f"{'guards.metrics' if guards else 'strategy'}: CloudWatch cannot be asked: {told.reason or told.status}"
            )

    def _follow(self, candidate: str) -> None:
        """Begin to judge what CloudWatch measures, as soon as traffic moves."""
        if self._analyst is not None:
            self._following = asyncio.create_task(self._judge_on(self._analyst, candidate))

    async def _judge_on(self, analyst: LiveAnalysis, candidate: str) -> None:
        try:
            await workflow.wait_condition(lambda: self._journal.shifting)
            await analyst.follow(candidate, self._judge)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody would judge any more
            if not is_cancelled_exception(error):
                self._controls.stop(f"the metrics cannot be judged: {root_cause(error)}")

    def _judge(self) -> None:
        """Judge by what was told last, and have the release stopped if the guards say so, or the rules of the step that it is in, paused or not."""
        analyst, guards = self._analyst, self._request.judged_by
        if analyst is None:
            return
        self._judgement = analyst.assess(self._rules or analyst.first_rules)
        self._tell(analysis=analyst.assessed(self._judgement))
        binding = [
            *([analyst.assess(guards)] if guards else []),
            *([self._judgement] if self._rules else []),
        ]
        for found in binding:
            if found.verdict is Verdict.FAILED and not self._controls.stopped:
                self._record(found)
                self._controls.stop(
                    f"version {self._journal.candidate} does worse than it may: {found.reason}"
                )

    @contextmanager
    def _by(self, rules: Rules) -> Generator[None]:
        """Judge by these rules as well while a step lasts."""
        self._rules = rules
        self._judge()
        try:
            yield
        finally:
            self._rules = None

    def _record(self, judgement: Assessment) -> None:
        """Write a verdict, with its numbers, into the history."""
        if self._analyst is not None:
            workflow.upsert_memo({VERDICT: self._analyst.assessed(judgement)})

    @property
    def _measured(self) -> LiveAnalysis:
        """Who follows what is measured: there is one wherever a step is judged by it."""
        if self._analyst is None:
            raise RuntimeError("nothing is measured")
        return self._analyst

    async def _guard(self) -> None:
        """Have the release stopped as soon as one of its alarms goes off, or cannot be read any more."""
        if not self._request.guards.alarms:
            return
        await workflow.wait_condition(
            lambda: (
                self._journal.shifting
                or self._controls.paused
                or self._progress.status.phase in _WAITING
            )
        )
        if not self._alarms:
            return
        try:
            self._controls.stop(await actions.watch(self._alarms))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody would watch any more
            if not is_cancelled_exception(error):
                self._controls.stop(f"the alarms cannot be read: {root_cause(error)}")

    async def _last_look(self) -> None:
        """Look at the alarms, now."""
        alarms = self._alarms
        if alarms and (off := alarm_in(await actions.look(alarms), alarms)):
            raise ReleaseStopped(off)

    async def _consult(self, name: str, found: Findings, candidate: str) -> None:
        """Ask a hook, if there is one."""
        hook: str | None = getattr(self._request.hooks, name)
        if hook is None:
            return
        await self._unpaused()
        self._tell(note=f"Asking {hook} ({name})")
        stable = self._journal.stable
        question: dict[str, object] = {
            "hook": name,
            "release": workflow.info().workflow_id,
            "target": {"function": found.function, "alias": self._request.target.alias},
            "stable": stable,
            "stable_arn": f"{found.arn}:{stable}" if stable else None,
            "candidate": candidate,
            "candidate_arn": f"{found.arn}:{candidate}",
        }
        answer = await actions.consult(hook, question, name=name)
        if not answer.accept:
            raise ReleaseStopped(
                f"hook {hook} ({name}) refused version {candidate}: {answer.reason}"
            )
