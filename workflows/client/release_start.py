"""Starts ``Release`` and ``Rollback``."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from workflows import search_attributes
from workflows.client.errors import Refused, lacks_search_attributes, translate_errors
from workflows.client.lookup import generate_workflow_id
from workflows.client.plain_text import refuse_plain_text
from workflows.client.queue_outage import find_outages
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
    """Start the workflow for a request, and return at once.

    Temporal lists it from then on, by its search attributes. Where the namespace lacks them, since
    no worker has registered them, it starts without.
    """
    await refuse_plain_text(client, request.target)
    workflow = "Rollback" if isinstance(request, RollbackRequest) else "Release"
    workflow_id = id or generate_workflow_id(workflow.lower(), request.target)

    attributes = search_attributes.of_start(request.target, requested_by=request.requested_by)

    async def start(found_by: TypedSearchAttributes) -> Handle:
        return await client.start_workflow(
            workflow,
            request,
            id=workflow_id,
            task_queue=task_queue,
            static_summary=request.summary[:200],
            static_details=request.reason or None,
            search_attributes=found_by,
            result_type=ReleaseStatus,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )

    try:
        with translate_errors():
            try:
                return await start(attributes)
            except RPCError as error:
                if not lacks_search_attributes(error):
                    raise
            return await start(TypedSearchAttributes.empty)
    except WorkflowAlreadyStartedError:
        raise Refused(f"{workflow_id} is running already") from None


async def check_start(client: Client, handle: Handle) -> tuple[str, ...]:
    """Check that a release that was just started will be taken, and found by its function.

    Returns each reason why not, with what to do; none where Temporal does not tell us.
    """
    try:
        execution = await handle.describe()
    except RPCError:
        return ()
    problems = await find_outages(client, execution.task_queue)
    if problems:
        problems = (*problems, "the release waits until a worker takes it")
    if execution.typed_search_attributes.get(search_attributes.FUNCTION) is None:
        missing = (
            f"namespace {client.namespace} lacks the search attributes of releases, which a worker "
            f"registers when it starts: until then find this release by its id, {handle.id}"
        )
        problems = (*problems, missing)
    return problems
