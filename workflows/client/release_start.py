"""Starts ``Release`` and ``Rollback``."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.client.errors import Refused, translate_errors
from workflows.client.lookup import generate_workflow_id
from workflows.domain.status import ReleaseStatus
from workflows.request import ReleaseRequest, RollbackRequest

Handle = WorkflowHandle[Any, ReleaseStatus]
"""The handle of a ``Release`` or ``Rollback``; its result is the final status."""


async def start_release(
    client: Client,
    request: ReleaseRequest | RollbackRequest,
    *,
    id: str | None,
    task_queue: str,
) -> Handle:
    """Start the workflow for a request, and return at once."""
    workflow = "Rollback" if isinstance(request, RollbackRequest) else "Release"
    workflow_id = id or generate_workflow_id(workflow.lower(), request.target)
    try:
        with translate_errors():
            return await client.start_workflow(
                workflow,
                request,
                id=workflow_id,
                task_queue=task_queue,
                static_summary=request.summary[:200],
                static_details=request.reason or None,
                result_type=ReleaseStatus,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
    except WorkflowAlreadyStartedError:
        raise Refused(f"{workflow_id} is running already") from None
