"""The statuses of several running releases, from their rollouts themselves.

What Temporal lists has the phase and the traffic, and no step. So each rollout is queried: at most
a hundred, for at most three seconds in all. The others stay as they are listed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from workflows.client.runs import Run
from workflows.domain.status import ReleaseStatus

_MOST: Final = 100
_CONCURRENT: Final = 20
_SECONDS: Final = 3.0


async def read_live_statuses(client: Client, runs: Sequence[Run]) -> list[Run]:
    """Return the runs with the statuses that their rollouts answer in time."""
    turns = asyncio.Semaphore(_CONCURRENT)

    async def query(run: Run) -> ReleaseStatus | None:
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        async with turns:
            try:
                found: ReleaseStatus = await handle.query("status", result_type=ReleaseStatus)
            except (RPCError, WorkflowQueryFailedError):  # it has no worker, or just begins
                return None
            return found

    queries = [asyncio.create_task(query(run)) for run in runs[:_MOST]]
    if not queries:
        return list(runs)
    answered, late = await asyncio.wait(queries, timeout=_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    statuses = [task.result() if task in answered else None for task in queries]
    known = {run.id: status for run, status in zip(runs, statuses, strict=False) if status}
    return [run.model_copy(update={"status": known.get(run.id, run.status)}) for run in runs]
