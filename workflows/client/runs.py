"""One release or rollback as Temporal keeps it: who, what, when, and how it ended. All of it is readable without a worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, FailureError

from workflows import search_attributes
from workflows.domain.status import Phase, ReleaseStatus, TrafficSplit
from workflows.domain.strategy import Steps
from workflows.domain.target import Target
from workflows.request import RolloutRequest


class RunOutcome(StrEnum):
    """How a release ended. ``KILLED``: terminated or timed out, so that it could not put anything back itself."""

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    NOT_ROLLED_BACK = "not_rolled_back"
    KILLED = "killed"


class RunEnding(BaseModel):
    """How a release ended, and why; ``status`` is its last one, where it left one."""

    model_config = ConfigDict(frozen=True)

    outcome: RunOutcome
    note: str
    status: ReleaseStatus | None = None


_OUTCOMES = {"ReleaseRejected": RunOutcome.REJECTED, "ReleaseRolledBack": RunOutcome.ROLLED_BACK}


async def ending(event: HistoryEvent, converter: DataConverter) -> RunEnding | None:
    """How the event that closes a workflow of ours says that it ended; None for any other event.

    A failure that is not one of ours counts as not rolled back: somebody has to look.
    """
    match event.WhichOneof("attributes"):
        case "workflow_execution_completed_event_attributes":
            payloads = event.workflow_execution_completed_event_attributes.result.payloads
            status = await _status(converter, payloads)
            return RunEnding(
                outcome=RunOutcome.SUCCEEDED,
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
                status=_read(details),
            )
        case "workflow_execution_canceled_event_attributes":
            return RunEnding(
                outcome=RunOutcome.ROLLED_BACK, note="cancelled; the alias is where it was before"
            )
        case "workflow_execution_terminated_event_attributes":
            reason = event.workflow_execution_terminated_event_attributes.reason
            return RunEnding(
                outcome=RunOutcome.KILLED, note="terminated" + (f": {reason}" if reason else "")
            )
        case "workflow_execution_timed_out_event_attributes":
            return RunEnding(outcome=RunOutcome.KILLED, note="timed out")
        case _:
            return None


async def _status(converter: DataConverter, payloads: Sequence[Payload]) -> ReleaseStatus | None:
    return _read(await converter.decode(payloads[:1]))


def _read(values: Sequence[object]) -> ReleaseStatus | None:
    """The status that stands first, if one does: what ends differently is no reason to know nothing."""
    try:
        return ReleaseStatus.model_validate(values[0]) if values else None
    except ValidationError:
        return None


async def strategy_of(event: HistoryEvent, converter: DataConverter) -> Steps | None:
    """The steps of a rollout, by the event that started it; None for any other event, and where they cannot be read."""
    started = event.workflow_execution_started_event_attributes
    if started.workflow_type.name != "Rollout":
        return None
    try:
        [request] = await converter.decode(started.input.payloads, [RolloutRequest])
    except (ApplicationError, ValueError):
        return None
    return request.root.strategy if isinstance(request, RolloutRequest) else None


class Run(BaseModel):
    """One release or rollback of an alias: a run of its ``Rollout``.

    ``status`` is put together from search attributes, which change with the phase: exact for a run that is over, and not older than
    the phase for one that is under way. ``words`` (what was asked), ``ending`` and ``strategy`` are read for one release and for histories only.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    run_id: str
    status: ReleaseStatus
    state: str
    requested_by: str = ""
    started_at: datetime
    closed_at: datetime | None = None
    words: str = ""
    ending: RunEnding | None = None
    strategy: Steps | None = None

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self.state == WorkflowExecutionStatus.RUNNING.name

    @property
    def where(self) -> str:
        """Account and region: ``123456789012/eu-west-1``."""
        return "/".join(self.id.split("/")[1:3])

    @classmethod
    def of(cls, execution: WorkflowExecution) -> Run:
        """A listed or described ``Rollout``."""
        found = execution.typed_search_attributes
        percent, version = (
            found.get(search_attributes.PERCENT) or 0,
            found.get(search_attributes.VERSION),
        )
        name, alias = execution.id.rsplit("/", 1)[-1].rsplit(":", 1)
        return cls(
            id=execution.id,
            run_id=execution.run_id,
            status=ReleaseStatus(
                phase=Phase(found.get(search_attributes.PHASE) or Phase.PREPARING),
                note="as Temporal lists it",
                target=Target(function=name, alias=alias),
                candidate=version,
                routing=TrafficSplit(canary=version if percent else None, percent=percent),
            ),
            state=(execution.status or WorkflowExecutionStatus.RUNNING).name,
            requested_by=found.get(search_attributes.REQUESTED_BY) or "",
            started_at=execution.start_time,
            closed_at=execution.close_time,
        )

    @classmethod
    def refused(cls, execution: WorkflowExecution, ending: RunEnding | None) -> Run:
        """A ``Release`` or ``Rollback`` that ended before it had a ``Rollout``."""
        found = execution.typed_search_attributes
        known = Target.model_construct(
            function=found.get(search_attributes.FUNCTION) or execution.id,
            alias=found.get(search_attributes.ALIAS) or "live",
        )
        status = (ending and ending.status) or ReleaseStatus(
            phase=Phase.REJECTED, note=ending.note if ending else "", target=known
        )
        return cls(
            id=execution.id,
            run_id=execution.run_id,
            status=status,
            state=(execution.status or WorkflowExecutionStatus.RUNNING).name,
            requested_by=found.get(search_attributes.REQUESTED_BY) or "",
            started_at=execution.start_time,
            closed_at=execution.close_time,
            ending=ending,
        )
