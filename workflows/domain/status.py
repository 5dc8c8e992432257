"""How a release stands: the one answer that every query, update, result and failure gives."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from workflows.domain.target import Target


class Phase(StrEnum):
    """Where in its life a release is."""

    PREPARING = "preparing"
    SHIFTING = "shifting"
    BAKING = "baking"
    AWAITING_APPROVAL = "awaiting_approval"
    PROMOTING = "promoting"
    SUCCEEDED = "succeeded"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"


class TrafficSplit(BaseModel):
    """How this release divides the alias' traffic: ``percent`` of it to the canary."""

    model_config = ConfigDict(frozen=True)

    stable: str | None = None
    canary: str | None = None
    percent: int = 0


class ReleaseStatus(BaseModel):
    """A release at one moment. ``step`` counts the steps that are done; ``ends_at`` is when the current wait ends, if it does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    phase: Phase = Phase.PREPARING
    note: str = ""
    target: Target
    stable: str | None = None
    candidate: str | None = None
    routing: TrafficSplit = TrafficSplit()
    step: int = 0
    steps: int = 0
    paused: bool = False
    ends_at: datetime | None = None
