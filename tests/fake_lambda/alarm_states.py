"""The states of alarms by name, and when each of them changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.cloudwatch.metrics import read_clock


@dataclass(frozen=True)
class StateChange:
    """A change of an alarm's state; ``before`` is empty for a new alarm."""

    alarm: str
    before: str
    after: str
    at: datetime


class AlarmStates(dict[str, str]):
    """A dictionary that remembers its changes.

    The clock is that of the workflow whose call changes it, elsewhere the machine's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[StateChange] = []

    def __setitem__(self, name: str, state: str) -> None:
        self.change(name, state, at=read_clock())

    def change(self, name: str, state: str, *, at: datetime) -> None:
        """Change a state at a moment; nothing happens where it is the same."""
        if self.get(name) != state:
            self.changes.append(StateChange(name, self.get(name, ""), state, at))
        super().__setitem__(name, state)

    def find_last(self, name: str) -> StateChange | None:
        """The last change of an alarm; None for one that was made without."""
        return next((each for each in reversed(self.changes) if each.alarm == name), None)
