"""One release as ``status -o json`` prints it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from workflows.client.runs import Run, RunOutcome
from workflows.domain.status import ReleaseStatus
from workflows.domain.step_list import StepMark, list_steps


class ShownStep(BaseModel):
    """A step in one line, and how far the release is with it."""

    model_config = ConfigDict(frozen=True)

    mark: StepMark
    text: str


class ShownRelease(ReleaseStatus):
    """The status of a release, with who started it, when and why, and its steps.

    ``id`` is that of the ``Release`` or ``Rollback``, and ``run_id`` that of the ``Rollout``, whose
    id is ``rollout``. ``step_list`` has one more than ``steps``: all traffic to the candidate.
    """

    id: str | None = None
    run_id: str | None = None
    requested_by: str = ""
    reason: str = ""
    started_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: RunOutcome | None = None
    step_list: tuple[ShownStep, ...] = ()

    @classmethod
    def of(cls, status: ReleaseStatus, run: Run | None) -> ShownRelease:
        """Return a status with what Temporal has recorded of the release."""
        known = {name: getattr(status, name) for name in ReleaseStatus.model_fields}
        if run is None:
            return cls.model_validate(known)
        steps = list_steps(status, run.strategy) if run.strategy and status.steps else ()
        added = {
            "rollout": run.id if run.release != run.id else status.rollout,
            "id": run.release or run.id,
            "run_id": run.run_id,
            "requested_by": run.requested_by,
            "reason": run.reason,
            "started_at": run.started_at,
            "closed_at": run.closed_at,
            "outcome": run.ending.outcome if run.ending else None,
            "step_list": tuple(ShownStep(mark=step.mark, text=step.text) for step in steps),
        }
        return cls.model_validate({**known, **added})
