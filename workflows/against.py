"""Who or what stopped a release, by the facts of its history."""

from __future__ import annotations

from enum import StrEnum

from workflows.domain.judgement import Outcome as Judged
from workflows.domain.probe import Probe
from workflows.recorded import AlarmsSeen, Asked, Fact, HookAnswered, Probed, Ruled, Said


class Cause(StrEnum):
    """Who or what stopped a release. ``other``: an error of AWS's, somebody else's change, silence, an approval that did not come."""

    METRICS = "metrics"
    ALARM = "alarm"
    HOOK = "hook"
    PROBE = "probe"
    PERSON = "person"
    OTHER = "other"


class Against:
    """Who spoke against a release first: that is who stopped it, if it was stopped."""

    def __init__(self) -> None:
        """Nobody has, yet."""
        self.cause = Cause.OTHER
        self._ignored: frozenset[str] | None = None
        self._hotfix = False
        self._probes: list[Probe] = []
        self._sent = self._failed = 0

    def hear(self, fact: Fact) -> None:
        """Take a fact, in order."""
        if isinstance(fact, Asked) and fact.request:
            self._hotfix = fact.request.hotfix or False
            self._probes = [step for step in fact.request.strategy.steps if isinstance(step, Probe)]
        found = self._who(fact)
        if self.cause is Cause.OTHER and found:
            self.cause = found

    def _who(self, fact: Fact) -> Cause | None:
        match fact:
            case Ruled(assessed=assessed) if assessed.verdict is Judged.FAILED:
                return Cause.METRICS
            case AlarmsSeen(red=red):
                if self._ignored is None:
                    self._ignored = red if self._hotfix else frozenset()
                return Cause.ALARM if red - self._ignored else None
            case HookAnswered(verdict=answer) if not answer.accept:
                return Cause.HOOK
            case Probed(failure=failure) if self._probes:
                return self._probed(self._probes[0], failure)
            case Said(stop=True):
                return Cause.PERSON
            case _:
                return None

    def _probed(self, step: Probe, failure: str | None) -> Cause | None:
        """A probe that fails speaks against the candidate once more of its step have failed than may."""
        self._sent, self._failed = self._sent + 1, self._failed + (failure is not None)
        if self._failed > step.max_failures:
            return Cause.PROBE
        if self._sent == step.times:
            self._probes, self._sent, self._failed = self._probes[1:], 0, 0
        return None
