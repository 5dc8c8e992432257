"""What stopped a release, by the facts of its history."""

from __future__ import annotations

from enum import StrEnum

from workflows.client.facts import (
    AlarmsRead,
    ControlReceived,
    Fact,
    HookAnswered,
    ProbeAnswered,
    ReleaseRequested,
    VerdictReached,
)
from workflows.domain.assessment import Verdict
from workflows.domain.probe import Probe


class StopCause(StrEnum):
    """What stopped a release.

    ``rollback``: it succeeded, and a rollback has left its version later. ``other`` stands for an
    AWS error, another writer's change, missing metrics, and an approval that was not given in time.
    """

    METRICS = "metrics"
    ALARM = "alarm"
    HOOK = "hook"
    PROBE = "probe"
    PERSON = "person"
    ROLLBACK = "rollback"
    OTHER = "other"


class StopCauseFinder:
    """Finds the first objection to a release: the cause, if the release was stopped."""

    def __init__(self) -> None:
        self.cause = StopCause.OTHER
        self._ignored_alarms: frozenset[str] | None = None
        self._is_hotfix = False
        self._probes: list[Probe] = []
        """The probe steps that are not over yet."""

        self._probes_sent = self._probes_failed = 0

    def add(self, fact: Fact) -> None:
        """Take the next fact, in the order of the history."""
        if isinstance(fact, ReleaseRequested) and fact.request:
            self._is_hotfix = fact.request.hotfix or False
            self._probes = [step for step in fact.request.strategy.steps if isinstance(step, Probe)]
        cause = self._find_cause(fact)
        if self.cause is StopCause.OTHER and cause:
            self.cause = cause

    def _find_cause(self, fact: Fact) -> StopCause | None:
        match fact:
            case VerdictReached(analysis=analysis) if analysis.verdict is Verdict.FAILED:
                return StopCause.METRICS
            case AlarmsRead(firing=firing):
                if self._ignored_alarms is None:
                    # A hotfix ignores the alarms that were in ALARM at its first read.
                    self._ignored_alarms = firing if self._is_hotfix else frozenset()
                return StopCause.ALARM if firing - self._ignored_alarms else None
            case HookAnswered(answer=answer) if not answer.accept:
                return StopCause.HOOK
            case ProbeAnswered(failure=failure) if self._probes:
                return self._add_probe(self._probes[0], failure)
            case ControlReceived(is_stop=True):
                return StopCause.PERSON
            case _:
                return None

    def _add_probe(self, step: Probe, failure: str | None) -> StopCause | None:
        """Count a probe of a step: the cause once more have failed than the step allows."""
        self._probes_sent += 1
        self._probes_failed += failure is not None
        if self._probes_failed > step.max_failures:
            return StopCause.PROBE
        if self._probes_sent == step.request_count:
            self._probes = self._probes[1:]
            self._probes_sent = self._probes_failed = 0
        return None
