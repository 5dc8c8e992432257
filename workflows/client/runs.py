"""One release or rollback as Temporal lists it, and how it ended.

All of it is readable without a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, FailureError

from workflows import search_attributes
from workflows.domain.rollout_id import RolloutId
from workflows.domain.status import PAUSED, Phase, ReleaseStatus, TrafficSplit
from workflows.domain.strategy import Steps
from workflows.domain.target import Target
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.rollout_request import RolloutRequest


class RunOutcome(StrEnum):
    """How a release ended.

    ``KILLED``: it was terminated or timed out, so it could not put anything back itself.
    """

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    NOT_ROLLED_BACK = "not_rolled_back"
    KILLED = "killed"


_OUTCOMES: Final = {
    "ReleaseRejected": RunOutcome.REJECTED,
    "ReleaseRolledBack": RunOutcome.ROLLED_BACK,
}
"""The outcome by the type of the workflow's failure."""


class RunEnding(BaseModel):
    """How a release ended, and why; ``status`` is its last one, where it has one."""

    model_config = ConfigDict(frozen=True)

    outcome: RunOutcome
    note: str
    status: ReleaseStatus | None = None


class Run(BaseModel):
    """One release or rollback of an alias: a run of its ``Rollout``, or several in a row.

    ``run_id`` is the last of them; ``started_at`` is when the first one started. ``release`` is the
    id of the ``Release`` or ``Rollback`` that started it.

    ``status`` is built from search attributes, which change with the phase and have no step. The
    list of the running releases has what they answer themselves, where they do in time. ``words``
    (the request in one line), ``reason``, ``ending`` and ``strategy`` are filled in for single
    releases and for histories only.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    run_id: str
    release: str | None = None
    status: ReleaseStatus
    state: str
    requested_by: str = ""
    reason: str = ""
    started_at: datetime
    closed_at: datetime | None = None
    words: str = ""
    ending: RunEnding | None = None
    strategy: Steps | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state == WorkflowExecutionStatus.RUNNING.name

    @property
    def location(self) -> str:
        """Account and region: ``123456789012/eu-west-1``; empty where they are not known yet."""
        return "/".join(filter(None, (self.status.account, self.status.region)))

    @property
    def candidate(self) -> str | None:
        """The version that was released, by the last status where it is known."""
        final = self.ending.status if self.ending else None
        return (final.candidate if final else None) or self.status.candidate

    @classmethod
    def from_execution(cls, execution: WorkflowExecution) -> Run:
        """The run of a listed or described ``Rollout``."""
        found = execution.typed_search_attributes
        percent = found.get(search_attributes.TRAFFIC_PERCENT) or 0
        phase = found.get(search_attributes.PHASE) or Phase.PREPARING
        version = found.get(search_attributes.VERSION)
        place = RolloutId.parse(execution.id)
        # Not validated: anybody may start a Rollout under any id, and it is rejected.
        target = Target.model_construct(
            function=place.function
            if place
            else found.get(search_attributes.FUNCTION, execution.id),
            alias=place.alias if place else found.get(search_attributes.ALIAS, "live"),
        )
        return cls(
            id=execution.id,
            run_id=execution.run_id,
            release=execution.parent_id,
            status=ReleaseStatus(
                phase=Phase.BAKING if phase == PAUSED else Phase(phase),
                paused=phase == PAUSED,
                note="as Temporal lists it",
                target=target,
                account=place.account if place else None,
                region=place.region if place else None,
                candidate=version,
                step=None,
                steps=None,
                routing=TrafficSplit(canary=version if percent else None, percent=percent),
            ),
            state=(execution.status or WorkflowExecutionStatus.RUNNING).name,
            requested_by=found.get(search_attributes.REQUESTED_BY) or "",
            started_at=execution.start_time,
            closed_at=execution.close_time,
        )

    @classmethod
    def from_rejected(cls, execution: WorkflowExecution, ending: RunEnding | None) -> Run:
        """The run of a ``Release`` or ``Rollback`` that ended without a ``Rollout``."""
        found = execution.typed_search_attributes
        # Not validated: an input that was rejected may name an impossible function.
        target = Target.model_construct(
            function=found.get(search_attributes.FUNCTION) or execution.id,
            alias=found.get(search_attributes.ALIAS) or "live",
        )
        status = (ending and ending.status) or ReleaseStatus(
            phase=Phase.REJECTED, note=ending.note if ending else "", target=target
        )
        return cls(
            id=execution.id,
            run_id=execution.run_id,
            release=execution.id,
            status=status,
            state=(execution.status or WorkflowExecutionStatus.RUNNING).name,
            requested_by=found.get(search_attributes.REQUESTED_BY) or "",
            started_at=execution.start_time,
            closed_at=execution.close_time,
            ending=ending,
        )


async def read_ending(event: HistoryEvent, converter: DataConverter) -> RunEnding | None:
    """How a workflow ended, by its closing event; None for any other event.

    A failure of an unknown type counts as not rolled back: an operator has to check the alias.
    """
    match event.WhichOneof("attributes"):
        case "workflow_execution_completed_event_attributes":
            completed = event.workflow_execution_completed_event_attributes
            status = _parse_status(await converter.decode(completed.result.payloads[:1]))
            is_skipped = status is not None and status.phase is Phase.REJECTED
            return RunEnding(
                outcome=RunOutcome.REJECTED if is_skipped else RunOutcome.SUCCEEDED,
                note=status.note if status else "completed",
                status=status,
            )
        case "workflow_execution_failed_event_attributes":
            failure = await converter.decode_failure(
                event.workflow_execution_failed_event_attributes.failure
            )
            kind = failure.type if isinstance(failure, ApplicationError) else None
            note = failure.message if isinstance(failure, FailureError) else str(failure)
            details: Sequence[object] = (
                failure.details if isinstance(failure, ApplicationError) else ()
            )
            return RunEnding(
                outcome=_OUTCOMES.get(kind or "", RunOutcome.NOT_ROLLED_BACK),
                note=note,
                status=_parse_status(details),
            )
        case "workflow_execution_canceled_event_attributes":
            canceled = event.workflow_execution_canceled_event_attributes
            # A release of before has left no status.
            left = _parse_status(await converter.decode(canceled.details.payloads[:1]))
            note = left.note if left else "cancelled; the alias is where it was before"
            return RunEnding(
                outcome=RunOutcome.ROLLED_BACK,
                note=note.removeprefix("Rolled back: "),
                status=left,
            )
        case "workflow_execution_terminated_event_attributes":
            terminated = event.workflow_execution_terminated_event_attributes
            # An abort leaves a status: it has met a release that no worker had taken.
            aborted = _parse_status(await converter.decode(terminated.details.payloads[:1]))
            killed = "terminated" + (f": {terminated.reason}" if terminated.reason else "")
            return RunEnding(
                outcome=RunOutcome.REJECTED if aborted else RunOutcome.KILLED,
                note=aborted.note if aborted else killed,
                status=aborted,
            )
        case "workflow_execution_timed_out_event_attributes":
            return RunEnding(outcome=RunOutcome.KILLED, note="timed out")
        case _:
            return None


async def read_request(
    event: HistoryEvent, converter: DataConverter
) -> ReleaseRequest | RollbackRequest | None:
    """The request of a rollout, by the event that started it.

    None for any other event, and for an input that this version cannot read.
    """
    started = event.workflow_execution_started_event_attributes
    if started.workflow_type.name != "Rollout":
        return None
    try:
        [request] = await converter.decode(started.input.payloads, [RolloutRequest])
    except (ApplicationError, ValueError):
        return None
    return request.root if isinstance(request, RolloutRequest) else None


def _parse_status(values: Sequence[object]) -> ReleaseStatus | None:
    """The status that is the first value; None where it is anything else."""
    try:
        return ReleaseStatus.model_validate(values[0]) if values else None
    except ValidationError:
        return None
