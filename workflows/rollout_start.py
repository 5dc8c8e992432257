"""Starts the one ``Rollout`` of an alias, as the child of the workflow that waits for its end."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows import search_attributes
from workflows.call import shield_from_cancel
from workflows.domain.alias_history import RunKind
from workflows.domain.status import Phase, ReleaseStatus
from workflows.domain.target import Place
from workflows.past_rollouts import KIND_MEMO, REVISION_MEMO
from workflows.request import ReleaseRequest, RollbackRequest
from workflows.rollout import Rollout
from workflows.rollout_cancel import cancel_rollout
from workflows.rollout_lock import RolloutLock
from workflows.rollout_request import RolloutRequest
from workflows.trigger_notes import BESIDE_PREFLIGHT, TRIGGERS_MEMO
from workflows.watch_end import ENDED_WATCH_MEMO

_SUMMARY_LENGTH: Final = 200

RolloutHandle = workflow.ChildWorkflowHandle[Any, ReleaseStatus]


async def start_rollout(
    request: ReleaseRequest | RollbackRequest,
    place: Place,
    lock: RolloutLock,
    ended_watch: str | None,
) -> RolloutHandle | None:
    """Start the rollout, which is given the function's ARN: no other account has it.

    ``ended_watch`` is the sentence about the watch that was ended for it. None where a rollout of
    the alias runs already.
    """
    target = request.target.bare
    located = request.model_copy(update={"target": request.target.at(place)})
    requested_by = search_attributes.truncate(request.requested_by)
    is_rollback = isinstance(request, RollbackRequest)
    is_urgent = is_rollback or request.hotfix
    try:
        return await workflow.start_child_workflow(
            Rollout.run,
            RolloutRequest(located),
            id=lock.id,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            static_summary=request.summary[:_SUMMARY_LENGTH],
            static_details=_details(request),
            memo={
                KIND_MEMO: RunKind.ROLLBACK if is_rollback else RunKind.RELEASE,
                TRIGGERS_MEMO: None if is_urgent else BESIDE_PREFLIGHT,
                **({ENDED_WATCH_MEMO: ended_watch} if ended_watch else {}),
                **({REVISION_MEMO: request.revision} if request.revision else {}),
            },
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(search_attributes.FUNCTION, target.name),
                    SearchAttributePair(search_attributes.ALIAS, target.alias),
                    SearchAttributePair(search_attributes.REQUESTED_BY, requested_by),
                    SearchAttributePair(search_attributes.PHASE, Phase.PREPARING),
                    SearchAttributePair(search_attributes.TRAFFIC_PERCENT, 0),
                ]
            ),
        )
    except WorkflowAlreadyStartedError:
        return None


async def wait_for_end(rollout: RolloutHandle) -> ReleaseStatus:
    """Wait for the end of a rollout; hand on a cancel to whichever of its runs is the latest.

    The reason of the cancel is handed on, too: the rollout's status says it.
    """
    try:
        return await asyncio.shield(rollout)
    except asyncio.CancelledError:
        reason = workflow.cancellation_reason()
        rollout.cancel(reason)
        if workflow.patched("cancel-reaches-later-runs"):
            run_id = rollout.first_execution_run_id or ""
            await shield_from_cancel(cancel_rollout(rollout.id, run_id, reason or ""))
    return await rollout


def _details(request: ReleaseRequest | RollbackRequest) -> str:
    requested_by = f"Requested by {request.requested_by}" if request.requested_by else ""
    return "\n\n".join(line for line in (request.reason, requested_by) if line)
