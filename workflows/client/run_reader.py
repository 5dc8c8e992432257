"""Reads runs of rollouts from Temporal: lists, details and endings."""

from __future__ import annotations

import asyncio
from typing import Final

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowHistoryEventFilterType,
)

from workflows.client.errors import translate_errors
from workflows.client.runs import Run, RunEnding, RunOutcome, read_ending, read_request
from workflows.past_rollouts import REVISION_MEMO
from workflows.run_chain import LAST_RUNS, find_last_run, read_start

_MAX_CONCURRENT_READS: Final = 8


class RunReader:
    """Reads the runs of releases."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list_runs(self, query: str, *, limit: int | None) -> list[Run]:
        """List the releases that a visibility query finds, newest first, without details.

        A release that goes on in a new run is listed once, by its last run.
        """
        last = f"{query} AND {LAST_RUNS}"
        with translate_errors():
            runs = [
                await _read_listed(found)
                async for found in self._client.list_workflows(last, limit=limit)
            ]
        return sorted(runs, key=lambda run: run.started_at, reverse=True)

    async def list_details(self, query: str, *, limit: int | None) -> list[Run]:
        """List the runs that a visibility query finds, newest first, with details."""
        reads = asyncio.Semaphore(_MAX_CONCURRENT_READS)

        async def read(run: Run) -> Run:
            async with reads:
                return await self.read_details(run)

        return list(await asyncio.gather(*map(read, await self.list_runs(query, limit=limit))))

    async def read_details(self, run: Run) -> Run:
        """The same run with its request, its strategy, and its ending if it has ended.

        ``run`` is the last one of its release.
        """
        with translate_errors(f"the history of {run.id} has expired"):
            handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
            described = await handle.describe()
            first = await anext(aiter(handle.fetch_history_events(page_size=1)))
            request = await read_request(first, self._client.data_converter)
            details = {
                # Temporal does not hand the summary to the run that continues a release.
                "words": await described.static_summary() or (request.summary if request else ""),
                "reason": request.reason if request else "",
                # With RELEASES_PRIVATE no search attribute names the requester.
                "requested_by": run.requested_by or (request.requested_by if request else ""),
                "started_at": await read_start(described),
                "ending": await self.read_ending(described),
                "strategy": request.strategy if request else None,
            }
            return run.model_copy(update=details)

    async def read_ending(self, execution: WorkflowExecutionDescription) -> RunEnding | None:
        """How a run ended, by its last event; None while it is running.

        For a rollout that was killed it is the ending of its parent, which put the alias back.
        """
        if execution.close_time is None:
            return None
        handle = self._client.get_workflow_handle(execution.id, run_id=execution.run_id)
        with translate_errors(f"the history of {execution.id} has expired"):
            events = handle.fetch_history_events(
                event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
            )
            ending = await read_ending(await anext(aiter(events)), self._client.data_converter)
            if ending and ending.outcome is RunOutcome.KILLED and execution.parent_id:
                parent_run_id = execution.parent_run_id or ""
                parent = await find_last_run(self._client, execution.parent_id, parent_run_id)
                return await self.read_ending(parent) or ending
        return ending


async def _read_listed(found: WorkflowExecution) -> Run:
    """The run of a listed ``Rollout``, with what stands in its memo."""
    run, revision = Run.from_execution(found), await found.memo_value(REVISION_MEMO, None)
    status = run.status.model_copy(update={"revision": revision})
    return run.model_copy(update={"status": status, "started_at": await read_start(found)})
