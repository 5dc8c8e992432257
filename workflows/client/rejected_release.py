"""The ``Release`` and ``Rollback`` workflows that ended before they had a ``Rollout``.

They were rejected, or aborted before a worker took them: nothing was touched. Temporal finds them
by function and alias, which stand in their search attributes from their start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from workflows.client.errors import NoSuchRelease, translate_errors
from workflows.client.run_reader import RunReader
from workflows.client.runs import Run
from workflows.domain.target import Target

_REJECTED: Final = (
    "WorkflowType IN ('Release', 'Rollback') AND ExecutionStatus != 'Running' "
    "AND ReleasePhase IN ('rejected', 'waiting_for_worker')"
)
"""One whose input was malformed ended in the phase that it began with."""

_MAX_CONCURRENT_READS: Final = 8
_MOST_LOOKED_AT: Final = 20


async def find_rejected(client: Client, target: Target) -> WorkflowExecutionDescription | None:
    """Find the last release of a target that ended without a rollout; None if there is none."""
    for run in await list_rejected(client, target, limit=_MOST_LOOKED_AT):
        with translate_errors(f"{run.id} has expired"):
            return await client.get_workflow_handle(run.id, run_id=run.run_id).describe()
    return None


async def list_rejected(client: Client, target: Target, *, limit: int) -> list[Run]:
    """List the releases of a target that ended without a rollout, newest first.

    ``limit`` counts all that were rejected, those that had a rollout included.
    """
    reads = asyncio.Semaphore(_MAX_CONCURRENT_READS)

    async def read(listed: WorkflowExecution) -> Run | None:
        async with reads:
            return await _read_run(client, listed)

    found = [listed async for listed in _list(client, target, limit=limit)]
    runs = await asyncio.gather(*map(read, found))
    return [run for run in runs if run is not None and _is_at(run, target)]


async def _list(client: Client, target: Target, *, limit: int) -> AsyncIterator[WorkflowExecution]:
    query = f"{_REJECTED} AND LambdaFunction = '{target.name}' AND LambdaAlias = '{target.alias}'"
    with translate_errors():
        try:
            async for found in client.list_workflows(query, limit=limit):
                yield found
        except RPCError as error:  # search attributes are not registered
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise


async def _read_run(client: Client, listed: WorkflowExecution) -> Run | None:
    """Read how one ended; None where it had a rollout, or has expired."""
    handle = client.get_workflow_handle(listed.id, run_id=listed.run_id)
    try:
        with translate_errors(f"{listed.id} has expired"):
            async for event in handle.fetch_history_events():
                if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                    return None
            found = await handle.describe()
            run = Run.from_rejected(found, await RunReader(client).read_ending(found))
            return run.model_copy(update={"words": await found.static_summary() or ""})
    except NoSuchRelease:
        return None


def _is_at(run: Run, target: Target) -> bool:
    """Whether it may be a release of this target, which may name account and region."""
    known = ((run.status.account, target.account), (run.status.region, target.region))
    return all(None in each or each[0] == each[1] for each in known)
