"""Resets a workflow, as people do in the Temporal UI."""

from __future__ import annotations

import uuid
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode


async def reset_workflow(
    client: Client,
    workflow: WorkflowHandle[Any, Any],
    *,
    task: int = 0,
    request_id: str | None = None,
) -> None:
    """Reset the running run of a workflow to one of its workflow tasks, by default the first.

    ``NOT_FOUND`` where it has ended, or has completed no workflow task yet.
    """
    found = await workflow.describe()
    if found.close_time is not None:
        raise RPCError("it has ended already", RPCStatusCode.NOT_FOUND, b"")
    run = client.get_workflow_handle(found.id, run_id=found.run_id)
    completed = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    tasks = [
        event.event_id
        async for event in run.fetch_history_events()
        if event.event_type == completed
    ]
    if not tasks:
        raise RPCError("it has not begun", RPCStatusCode.NOT_FOUND, b"")
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=found.id, run_id=found.run_id),
            reason="a wrong click",
            request_id=request_id or str(uuid.uuid4()),
            workflow_task_finish_event_id=tasks[task],
        )
    )
