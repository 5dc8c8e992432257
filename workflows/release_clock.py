"""The clock of a release: it stands still while the release is paused."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from temporalio import workflow


class ClockState(BaseModel):
    """Since when a clock stands still, if it does, and for how long it stood still before."""

    model_config = ConfigDict(frozen=True)

    stopped_at: datetime | None = None
    paused: timedelta = timedelta()


class ReleaseClock:
    """The time of a release: that of its workflow, less its pauses.

    What it shows has no date. Differences count: how long a step has lasted without pauses.
    """

    def __init__(self, state: ClockState | None = None) -> None:
        """Begin, or go on with the :attr:`state` of another clock."""
        self.state = state or ClockState()

    @property
    def is_stopped(self) -> bool:
        """Whether it stands still."""
        return self.state.stopped_at is not None

    def read(self) -> datetime:
        """Return the time without pauses."""
        return (self.state.stopped_at or workflow.now()) - self.state.paused

    def stop(self) -> None:
        """Stand still, unless it does already."""
        if not self.is_stopped:
            self.state = ClockState(stopped_at=workflow.now(), paused=self.state.paused)

    def start(self) -> None:
        """Go on, unless it does already."""
        if self.state.stopped_at is not None:
            stood = workflow.now() - self.state.stopped_at
            self.state = ClockState(paused=self.state.paused + stood)
