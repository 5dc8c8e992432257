"""What ``Release`` and ``Rollback`` have in common: they start the ``Rollout`` that holds the alias, and mend what it leaves if it is killed.

The pair protects the alias from being left half-way: if this workflow is terminated, its child gets a cancel and rolls back; if the child
is terminated, this workflow puts back what the child had written down in its memo. Only killing both at once leaves the alias as it is.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NoReturn

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,  # noqa: A004 - Temporal's name
    WorkflowAlreadyStartedError,
)

from activities.operation import WRITE
from workflows import search_attributes
from workflows.call import root_cause, shield_from_cancel
from workflows.domain.adaptive import Adaptive
from workflows.domain.journal import Journal
from workflows.domain.status import Phase, ReleaseStatus, TrafficSplit
from workflows.domain.strategy import Analysis, Approval, Bake
from workflows.domain.target import Target
from workflows.eviction import IDLE_WORKFLOWS
from workflows.past_rollouts import read_journal
from workflows.preflight import Rejected, locate, place_of
from workflows.request import ReleaseRequest, RollbackRequest, RolloutRequest
from workflows.rollout import Rollout
from workflows.undo import NotPutBack, put_back, restored


class Supervisor:
    """A workflow of any id that starts the one ``Rollout`` of an alias and reports its end as its own."""

    async def hold(self, request: ReleaseRequest | RollbackRequest) -> ReleaseStatus:
        """Run the rollout, and end as it ends; see ``Rollout.run`` for the endings."""
        target = request.target.bare
        search_attributes.upsert(
            search_attributes.FUNCTION.value_set(target.name),
            search_attributes.ALIAS.value_set(target.alias),
            search_attributes.REQUESTED_BY.value_set(
                search_attributes.truncate(request.requested_by)
            ),
        )
        workflow.set_current_details(f"**{request.words}**\n\n{request.reason}")
        try:
            lock = await self._locate(request.target)
        except Rejected as problem:
            raise self._rejected(target, str(problem)) from None
        try:
            rollout = await workflow.start_child_workflow(
                Rollout.run,
                RolloutRequest(request),
                id=lock,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
                static_summary=request.words[:200],
                static_details=_details(request),
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(search_attributes.FUNCTION, target.name),
                        SearchAttributePair(search_attributes.ALIAS, target.alias),
                        SearchAttributePair(
                            search_attributes.REQUESTED_BY,
                            search_attributes.truncate(request.requested_by),
                        ),
                        SearchAttributePair(search_attributes.PHASE, Phase.PREPARING),
                        SearchAttributePair(search_attributes.PERCENT, 0),
                    ]
                ),
            )
        except WorkflowAlreadyStartedError:
            raise self._rejected(target, f"{target} is being released already: {lock}") from None
        if _unhurried(request):
            IDLE_WORKFLOWS.mark_idle(workflow.info().run_id)
        try:
            status = await rollout
        except ChildWorkflowError as error:
            return await self._report(target, error)
        self._end(status.phase)
        return status

    async def _locate(self, target: Target) -> str:
        """The id of the rollout: where the function lives is known to AWS only."""
        return place_of(await locate(target)).rollout_id(target.alias)

    async def _report(self, target: Target, error: ChildWorkflowError) -> ReleaseStatus:
        """End as the rollout ended, in its own words; if it was killed, put back what it may have changed."""
        match error.cause:
            case ApplicationError() as cause:
                status = _status_in(cause)
                self._end(status.phase if status else Phase.ROLLING_BACK)
                raise ApplicationError(
                    cause.message, *cause.details, type=cause.type, non_retryable=True
                ) from None
            case CancelledError():
                raise self._rolled_back(
                    target, "cancelled; the alias is back where it was"
                ) from None
            case TerminatedError():
                return await shield_from_cancel(
                    self._mend(target, error, "the rollout was terminated")
                )
            case TimeoutError():
                return await shield_from_cancel(self._mend(target, error, "the rollout timed out"))
            case cause:
                self._end(Phase.ROLLING_BACK)
                raise ApplicationError(
                    f"the rollout ended: {cause}", type="RollbackFailed", non_retryable=True
                ) from None

    async def _mend(self, target: Target, error: ChildWorkflowError, killed: str) -> NoReturn:
        """Put back what a killed rollout noted that it was about to change."""
        try:
            journal = await read_journal(error.workflow_id, error.run_id)
        except ActivityError as problem:
            why = f"{killed}, and what it had changed cannot be known: {error.workflow_id} was deleted ({root_cause(problem)})"
            raise self._failure(target, Phase.ROLLING_BACK, why, "RollbackFailed") from None
        if journal is None:
            raise self._rolled_back(target, f"{killed} before it changed anything")
        workflow.set_current_details(f"{killed.capitalize()}: putting everything back.")
        try:
            leftovers = await put_back(journal, revision=None, once_back=lambda: None, calm=_calm)
        except NotPutBack as problem:
            raise self._failure(
                target, Phase.ROLLING_BACK, f"{killed}; {problem}", "RollbackFailed", journal
            ) from None
        raise self._rolled_back(
            target, "; ".join([killed, restored(journal.before), *leftovers]), journal
        )

    def _rolled_back(
        self, target: Target, why: str, journal: Journal | None = None
    ) -> BaseException:
        """The end of a release that was put back; of one that was cancelled, the end that Temporal has for that."""
        failure = self._failure(target, Phase.ROLLED_BACK, why, "ReleaseRolledBack", journal)
        return failure if workflow.cancellation_reason() is None else asyncio.CancelledError(why)

    def _rejected(self, target: Target, why: str) -> ApplicationError:
        return self._failure(target, Phase.REJECTED, why, "ReleaseRejected")

    def _failure(
        self, target: Target, phase: Phase, why: str, kind: str, journal: Journal | None = None
    ) -> ApplicationError:
        stable, candidate = (journal.stable, journal.candidate) if journal else (None, None)
        status = ReleaseStatus(
            phase=phase,
            note=why,
            target=target,
            stable=stable,
            candidate=candidate,
            routing=TrafficSplit(stable=stable, percent=0),
        )
        self._end(phase)
        return ApplicationError(why, status, type=kind, non_retryable=True)

    def _end(self, phase: Phase) -> None:
        search_attributes.upsert(search_attributes.PHASE.value_set(phase))


_LONG = timedelta(minutes=1)
"""A bake that is worth forgetting a workflow for."""


def _unhurried(request: ReleaseRequest | RollbackRequest) -> bool:
    """Whether the rollout will mostly sleep."""
    waits = (
        isinstance(step, Approval | Adaptive)
        or (isinstance(step, Bake | Analysis) and step.duration >= _LONG)
        for step in request.strategy.steps
    )
    return request.guards.after is not None or any(waits)


async def _calm() -> None:
    """Wait until no write of a killed rollout can be under way any more. AWS refuses its late moves of the alias, and nothing else that is late."""
    if workflow.patched("mend-waits-for-late-writes"):
        await workflow.sleep(
            WRITE.start_to_close,
            summary="Wait until the killed rollout can have nothing under way any more",
        )


def _status_in(failure: ApplicationError) -> ReleaseStatus | None:
    """The status that a rollout failed with; one that was refused for its input has none."""
    try:
        return ReleaseStatus.model_validate(failure.details[0]) if failure.details else None
    except ValidationError:
        return None


def _details(request: ReleaseRequest | RollbackRequest) -> str:
    return "\n\n".join(
        line
        for line in (
            request.reason,
            f"Requested by {request.requested_by}" if request.requested_by else "",
        )
        if line
    )
