"""The status of a release: in every answer, result and failure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

from workflows.domain.assessment import Verdict
from workflows.domain.target import Target


class Phase(StrEnum):
    """The phase of a release.

    ``WAITING_FOR_WORKER``: it is started, and no worker has taken it yet.
    """

    WAITING_FOR_WORKER = "waiting_for_worker"
    PREPARING = "preparing"
    SHIFTING = "shifting"
    BAKING = "baking"
    AWAITING_APPROVAL = "awaiting_approval"
    PROMOTING = "promoting"
    SUCCEEDED = "succeeded"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"


PAUSED: Final = "paused"
"""What lists show as the phase of a release while it is paused."""

_NEVER_PAUSED: Final = {Phase.SUCCEEDED, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.REJECTED}


class TrafficSplit(BaseModel):
    """The division of the traffic: ``percent`` to the canary, the rest to stable."""

    model_config = ConfigDict(frozen=True)

    stable: str | None = None
    canary: str | None = None
    percent: int = 0


class VersionMetrics(BaseModel):
    """The metrics of one version, as CloudWatch reported them.

    - ``invocations``: how many there were while both versions were serving.
    - ``error_rate``: their error rate, from 0 to 1.
    - ``p99``: of Duration, in milliseconds, in the last minute that has one.
    """

    model_config = ConfigDict(frozen=True)

    invocations: float = 0
    error_rate: float | None = None
    p99: float | None = None


class AnalysisStatus(BaseModel):
    """The assessment of the candidate, and the confidence in it.

    - ``worse``: the confidence, from 0 to 1, that the candidate is worse than stable.
    - ``not_worse``: the confidence that it is not worse by the margin.
    - ``at``: the time of the last poll of CloudWatch.

    The confidence is 1 - 1/e, valid for any number of polls (:mod:`workflows.domain.evidence`).
    """

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    reason: str
    worse: float = 0
    not_worse: float = 0
    candidate: VersionMetrics = VersionMetrics()
    stable: VersionMetrics = VersionMetrics()
    at: datetime | None = None


class InputProblem(BaseModel):
    """One problem of what was requested: the path of its field, and what is wrong with it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    field: str
    problem: str


_UNKNOWN_FUNCTION: Final = "(unknown)"


def _read_target(value: object, validate: ValidatorFunctionWrapHandler) -> Target:
    """Read a target; that of a request which named none, too."""
    members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if members.get("function") == _UNKNOWN_FUNCTION:
        return _make_unknown_target()
    target: Target = validate(value)
    return target


def _make_unknown_target() -> Target:
    # Not validated: it is no function's name, so that no function can be taken for it.
    return Target.model_construct(function=_UNKNOWN_FUNCTION, alias="live")


class SkippedSteps(BaseModel):
    """Steps that a person skipped: from which one on, counted from 1, and who promoted."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    first: int
    by: str


class ReleaseStatus(BaseModel):
    """A release at one moment.

    - ``target``: of the function ``(unknown)`` where it was rejected for naming none.
    - ``account`` and ``region``: where the function is, once that is known.
    - ``step``: how many of the ``steps`` are done; None where Temporal's list is all that is known.
    - ``ends_at``: when the current wait ends; None where it has no end.
    - ``revision``: what the candidate was built from, only where the request says it.
    - ``analysis``: only where metrics are assessed.
    - ``hotfix``: only where the release is one.
    - ``skipped``: only where a person promoted before the last step was over.
    - ``stopped_step``: only where it is rolled back: the step in which it was stopped, from 1; one
      more than there are in the promotion and after it.
    - ``notes``: what a person should know, and what does not stop the release.
    - ``rollout``: the id of the ``Rollout``, where ``Release`` or ``Rollback`` says it.
    - ``problems``: only where it was rejected for what was requested.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    phase: Phase = Phase.PREPARING
    note: str = ""
    target: Annotated[Target, WrapValidator(_read_target)]
    account: str | None = Field(default=None, exclude_if=lambda value: value is None)
    region: str | None = Field(default=None, exclude_if=lambda value: value is None)
    stable: str | None = None
    candidate: str | None = None
    revision: str | None = Field(default=None, exclude_if=lambda value: value is None)
    routing: TrafficSplit = TrafficSplit()
    step: int | None = 0
    steps: int | None = 0
    paused: bool = False
    ends_at: datetime | None = None
    analysis: AnalysisStatus | None = Field(default=None, exclude_if=lambda value: value is None)
    hotfix: bool = Field(default=False, exclude_if=lambda value: not value)
    skipped: SkippedSteps | None = Field(default=None, exclude_if=lambda value: value is None)
    stopped_step: int | None = Field(default=None, exclude_if=lambda value: value is None)
    notes: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    rollout: str | None = Field(default=None, exclude_if=lambda value: value is None)
    problems: tuple[InputProblem, ...] = Field(default=(), exclude_if=lambda value: not value)

    @property
    def candidate_name(self) -> str:
        """The candidate with what it was built from: ``8 (3f2a9c1)``; empty without one."""
        if self.candidate is None:
            return ""
        return f"{self.candidate} ({self.revision})" if self.revision else self.candidate

    @property
    def listed_phase(self) -> str:
        """The phase as lists show it: ``paused`` as long as it is paused."""
        return PAUSED if self.paused and self.phase not in _NEVER_PAUSED else self.phase.value

    @staticmethod
    def rejected(
        note: str, target: Target | None, problems: tuple[InputProblem, ...]
    ) -> ReleaseStatus:
        """Return the status of a request that was rejected before it was understood."""
        return ReleaseStatus.model_construct(
            phase=Phase.REJECTED,
            note=note,
            target=target or _make_unknown_target(),
            problems=problems,
        )
