"""Who or what stopped a release, by the facts of its history."""

from __future__ import annotations

from enum import StrEnum

from workflows.client.history import (
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
    """Who or what stopped a release. ``other``: an error of AWS's, somebody else's change, silence, an approval that did not come."""

    METRICS = "metrics"
    ALARM = "alarm"
    HOOK = "hook"
    PROBE = "probe"
    PERSON = "person"
    OTHER = "other"


class StopCauseFinder:
    """Who spoke against a release first: that is who stopped it, if it was stopped."""

    def __init__(self) -> None:
        """Nobody has, yet."""
        self.cause = StopCause.OTHER
        self._ignored: frozenset[str] | None = None
        self._hotfix = False
        self._probes: list[Probe] = []
        self._sent = self._failed = 0

    def hear(self, fact: Fact) -> None:
        """Take a fact, in order."""
        if isinstance(fact, ReleaseRequested) and fact.request:
            self._hotfix = fact.request.hotfix or False
            self._probes = [step for step in fact.request.strategy.steps if isinstance(step, Probe)]
        found = self._who(fact)
        if self.cause is StopCause.OTHER and found:
            self.cause = found

    def _who(self, fact: Fact) -> StopCause | None:
        match fact:
            case VerdictReached(assessed=assessed) if assessed.verdict is Verdict.FAILED:
                return StopCause.METRICS
            case AlarmsRead(red=red):
                if self._ignored is None:
                    self._ignored = red if self._hotfix else frozenset()
                return StopCause.ALARM if red - self._ignored else None
            case HookAnswered(answer=answer) if not answer.accept:
                return StopCause.HOOK
            case ProbeAnswered(failure=failure) if self._probes:
                return self._probed(self._probes[0], failure)
            case ControlReceived(stop=True):
                return StopCause.PERSON
            case _:
                return None

    def _probed(self, step: Probe, failure: str | None) -> StopCause | None:
        """A probe that fails speaks against the candidate once more of its step have failed than may."""
        self._sent, self._failed = self._sent + 1, self._failed + (failure is not None)
        if self._failed > step.max_failures:
            return StopCause.PROBE
        if self._sent == step.request_count:
            self._probes, self._sent, self._failed = self._probes[1:], 0, 0
        return None
