"""How a ``Rollout`` has ended, as the workflow that started it has to know."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutError,  # noqa: A004 - Temporal's name
)

from workflows.domain.status import ReleaseStatus
from workflows.killed_rollout import Remains


class Outcome(StrEnum):
    """Temporal's status of a closed workflow."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"


class RolloutEnd(BaseModel):
    """The end of one run: its result, or its failure with type, message and details."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    workflow_id: str
    run_id: str
    outcome: Outcome
    result: ReleaseStatus | None = None
    failure_type: str | None = None
    message: str = ""
    details: list[Any] = Field(default_factory=list[Any])

    @property
    def remains(self) -> Remains:
        """What to begin with, where the rollout was killed."""
        is_terminated = self.outcome is Outcome.TERMINATED
        killed = "the rollout was terminated" if is_terminated else "the rollout timed out"
        return Remains(workflow_id=self.workflow_id, run_id=self.run_id, killed=killed)

    @property
    def status(self) -> ReleaseStatus | None:
        """The status a rollout failed with; one that was refused for its input has none."""
        try:
            return ReleaseStatus.model_validate(self.details[0]) if self.details else None
        except ValidationError:
            return None


def read_failure(workflow_id: str, run_id: str, cause: BaseException | None) -> RolloutEnd:
    """Return how a run has ended that has no result, by the cause that Temporal gives."""
    failure_type, message, details = None, "", list[Any]()
    match cause:
        case CancelledError():
            outcome = Outcome.CANCELED
        case TerminatedError():
            outcome = Outcome.TERMINATED
        case TimeoutError():
            outcome = Outcome.TIMED_OUT
        case ApplicationError():
            outcome, failure_type = Outcome.FAILED, cause.type
            message, details = cause.message, [*cause.details]
        case _:
            outcome, failure_type = Outcome.FAILED, "RollbackFailed"
            message = f"the rollout ended: {cause}"
    return RolloutEnd(
        workflow_id=workflow_id,
        run_id=run_id,
        outcome=outcome,
        failure_type=failure_type,
        message=message,
        details=details,
    )
