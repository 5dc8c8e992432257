"""What a run of a release hands to the next one, when its history has become long."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from workflows.controls import ControlsState
from workflows.domain.status import ReleaseStatus
from workflows.guards import GuardsState
from workflows.preflight import PreflightResult
from workflows.step_state import StepState
from workflows.traffic import TrafficState


class Stage(StrEnum):
    """The parts of a release once there is a candidate, in their order."""

    BEFORE_TRAFFIC = "before_traffic"
    STEPS = "steps"
    PROMOTION = "promotion"
    AFTER_TRAFFIC = "after_traffic"
    WATCH = "watch"
    CLOSE = "close"


class UndoState(BaseModel):
    """An undo: why the release is undone, and since when.

    ``is_refused``: somebody or something refused the candidate.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str
    is_refused: bool
    since: datetime


class CarriedState(BaseModel):
    """Everything that a release knows at a wait.

    - ``found``, ``candidate``: what preflight found, and the version on trial; None where the
      release is undone before it has them.
    - ``stage``, ``step``: how far it is. ``undo``: it is being undone.
    - ``status``, ``notes``: what it reported last, and the last notes with their times.
    - ``phase_since``: when the phase began that is in the status.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    found: PreflightResult | None
    candidate: str | None
    stage: Stage
    step: StepState
    undo: UndoState | None
    traffic: TrafficState
    guards: GuardsState
    controls: ControlsState
    status: ReleaseStatus
    notes: list[tuple[datetime, str]]
    phase_since: datetime | None = None
