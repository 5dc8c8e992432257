"""Tracks the current step of a release, and with it the rules that apply."""

from __future__ import annotations

from workflows.client.facts import AliasMoved, Fact, StepStarted, TimerEvent
from workflows.domain.adaptive import Adaptive
from workflows.domain.formatting import format_duration
from workflows.domain.probe import Probe
from workflows.domain.rules import Rules
from workflows.domain.strategy import Analysis, Approval, Bake, SetWeight, Step


class StepTracker:
    """The current step of a release, and the rules that its candidate is judged by.

    A release records the number of each step that begins, as :class:`StepStarted`. Histories of
    before that do not: there, a step is recognised by the summary of its first alias move or timer,
    as well as that can be done. An analysis that is resumed after a pause looks like a later one of
    the same length.
    """

    def __init__(self, steps: tuple[Step, ...], first: Rules) -> None:
        """``first`` are the rules for steps that have none of their own."""
        self._steps = steps
        self._first = first
        self._has_numbers = False
        self._current: int | None = None
        if steps and isinstance(steps[0], Adaptive):
            self._current = 0  # a ramp is judged before it moves anything

    def add(self, fact: Fact) -> None:
        """Take the next fact, in order: it may begin a later step."""
        if isinstance(fact, StepStarted):
            self._has_numbers = True
            self._current = fact.number - 1
        elif not self._has_numbers:
            self._recognise(fact)

    @property
    def is_ramp(self) -> bool:
        """Whether a ramp is under way."""
        return isinstance(self._step, Adaptive)

    @property
    def rules(self) -> Rules:
        """The rules that apply now: those of the step, else the first."""
        match self._step:
            case Adaptive() as ramp:
                return ramp.rules
            case Analysis() as analysis:
                return analysis
            case _:
                return self._first

    @property
    def _step(self) -> Step | None:
        """The current step; None before the first, and after the last."""
        if self._current is None or self._current >= len(self._steps):
            return None
        return self._steps[self._current]

    def _recognise(self, fact: Fact) -> None:
        following = 0 if self._current is None else self._current + 1
        for index, step in enumerate(self._steps[following:], following):
            if _is_beginning(step, fact):
                self._current = index
            if not isinstance(step, Approval | Probe):  # which may leave no trace of their start
                return


def _is_beginning(step: Step, fact: Fact) -> bool:
    """Whether a fact begins a step, by the summaries of before steps were numbered."""
    match step, fact:
        case SetWeight(percent=percent), AliasMoved(text=text):
            return text.startswith(f"{percent}% to version ")
        case Adaptive(), AliasMoved(text=text):
            return "of a minute's requests" in text
        case Bake(), TimerEvent(text=text, has_fired=False):
            return text.startswith("Bake at ")
        case Analysis(duration=duration), TimerEvent(text=text, has_fired=False):
            return text == f"Analysis for {format_duration(duration)}"
        case _:
            return False
