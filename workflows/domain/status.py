"""How a release stands: the one answer that every query, update, result and failure gives."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from workflows.domain.assessment import Verdict
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


class VersionMetrics(BaseModel):
    """One version as CloudWatch told of it: so many invocations while both were served, their error rate, and p99 in ms of the last minute told."""

    model_config = ConfigDict(frozen=True)

    invocations: float = 0
    error_rate: float | None = None
    p99: float | None = None


class AnalysisStatus(BaseModel):
    """What is thought of the candidate: the verdict, why, and how sure that is.

    ``worse`` and ``not_worse`` are how sure, from 0 to 1, that the candidate is worse than stable, and that it is not worse by the margin: 1 - 1/e,
    valid however often one looks (:mod:`workflows.domain.evidence`). ``at`` is when CloudWatch was last asked.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    reason: str
    worse: float = 0
    not_worse: float = 0
    candidate: VersionMetrics = VersionMetrics()
    stable: VersionMetrics = VersionMetrics()
    at: datetime | None = None


class ReleaseStatus(BaseModel):
    """A release at one moment. ``step`` counts the steps that are done; ``ends_at`` is when the current wait ends, if it does.

    ``analysis`` is there where metrics are judged, ``hotfix`` where the release is one.
    """

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
    analysis: AnalysisStatus | None = Field(default=None, exclude_if=lambda told: told is None)
    hotfix: bool = Field(default=False, exclude_if=lambda told: not told)
