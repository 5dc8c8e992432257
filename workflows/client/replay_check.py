"""``ReplayCheck``: whether the code of this environment goes on with the releases that run now.

Each open history is fetched from Temporal and replayed here, as a worker would that takes it over.
Nothing is written. A replay reaches the last event of now: what comes after it is not tried.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.client import Client, WorkflowExecution, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from activities.check_result import CheckResult, CheckState
from activities.product_version import read_product_version
from workflows.client.errors import translate_errors
from workflows.temporal.plugin import LambdaReleases

REPLAY_CHECK: Final = "replay"

_OPEN: Final = "WorkflowType IN ('Release', 'Rollback', 'Rollout') AND ExecutionStatus = 'Running'"
_MOST_FETCHES: Final = 8
"""Histories that are fetched while one is replayed: no more are in memory."""

_REASON_LENGTH: Final = 500


class ReplayCheck:
    """Replays the open releases of a namespace, or of one of its task queues."""

    def __init__(self, client: Client, *, task_queue: str | None = None) -> None:
        """``client`` must have the plugin of releases, and the keys of what is encrypted."""
        self._client = client
        self._query = _OPEN + (f" AND TaskQueue = '{task_queue}'" if task_queue else "")
        self._where = f"of task queue {task_queue}" if task_queue else f"of {client.namespace}"

    async def run(self) -> list[CheckResult]:
        """Return what would break, and how many replay.

        A release that is pinned to an older build is not met by this code: that is a warning.
        Raises the errors of the client where Temporal does not answer.
        """
        replayer = Replayer(
            workflows=[],
            plugins=[LambdaReleases()],
            namespace=self._client.namespace,
            data_converter=self._client.data_converter,
            runtime=self._client.service_client.config.runtime,
        )
        findings = list[CheckResult]()
        replayed = 0
        with translate_errors():
            async with (
                aclosing(self._fetch_histories()) as histories,
                replayer.workflow_replay_iterator(histories) as results,
            ):
                async for result in results:
                    if result.replay_failure is None:
                        replayed += 1
                    else:
                        findings.append(await self._describe(result.history, result.replay_failure))
        return [*findings, self._sum_up(replayed, len(findings))]

    async def _fetch_histories(self) -> AsyncGenerator[WorkflowHistory, None]:
        """Fetch a few histories ahead. What has ended and is gone meanwhile is left out."""
        fetches = deque[asyncio.Task[WorkflowHistory | None]]()
        listed: AsyncIterator[WorkflowExecution] = self._client.list_workflows(self._query)
        try:
            async for execution in listed:
                fetches.append(asyncio.create_task(self._fetch(execution)))
                if len(fetches) == _MOST_FETCHES and (history := await fetches.popleft()):
                    yield history
            while fetches:
                if history := await fetches.popleft():
                    yield history
        finally:
            for fetch in fetches:
                fetch.cancel()

    async def _fetch(self, execution: WorkflowExecution) -> WorkflowHistory | None:
        handle = self._client.get_workflow_handle(execution.id, run_id=execution.run_id)
        try:
            return await handle.fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def _describe(self, history: WorkflowHistory, failure: Exception) -> CheckResult:
        started = history.events[0].workflow_execution_started_event_attributes
        reason = " ".join(str(failure).split())[:_REASON_LENGTH]
        text = (
            f"{started.workflow_type.name} {history.workflow_id} would not go on with this code: "
            f"{reason}"
        )
        if build := await self._read_pinned_build(history):
            return CheckResult(
                check=REPLAY_CHECK,
                state=CheckState.WARNING,
                text=f"{text}; it is pinned to build {build}",
                remedy=f"keep workers of build {build} until it has ended",
            )
        return CheckResult(
            check=REPLAY_CHECK,
            state=CheckState.FAILED,
            text=text,
            remedy=f"let it end first (releases watch {history.workflow_id}), or deploy this code "
            "as a build of its own, beside the workers of now (docs/upgrade.md)",
        )

    async def _read_pinned_build(self, history: WorkflowHistory) -> str | None:
        handle = self._client.get_workflow_handle(history.workflow_id, run_id=history.run_id)
        info = (await handle.describe()).raw_description.workflow_execution_info.versioning_info
        is_pinned = info.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
        return info.deployment_version.build_id or None if is_pinned else None

    def _sum_up(self, replayed: int, broken: int) -> CheckResult:
        version = f"lambda-releases {read_product_version()}"
        if replayed == broken == 0:
            text = f"no release {self._where} runs: any version may follow"
        else:
            text = f"{replayed} of {replayed + broken} open workflows {self._where} go on with "
            text += f"{version}, up to their last event of now"
        return CheckResult(check=REPLAY_CHECK, state=CheckState.OK, text=text)
