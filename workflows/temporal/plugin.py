"""The plugin: everything that a client, a worker and a replayer of releases must agree on, in one piece.

``Client.connect(..., plugins=[LambdaReleases()])`` is all that a client needs; a worker and a replayer take it from their client, or
the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    Worker,
    WorkerConfig,
)

from workflows.eviction import IDLE_WORKFLOWS
from workflows.past_rollouts import read_journal_activity, read_previous_version
from workflows.plan import Plan
from workflows.release import Release
from workflows.rollback import Rollback
from workflows.rollout import Rollout
from workflows.temporal.interceptors import InputCount, RollbackAnnouncer
from workflows.temporal.payloads import make_data_converter
from workflows.temporal.sandbox import make_sandboxed_runner, drop_serialization_context

WORKFLOWS: Sequence[type] = (Release, Rollback, Rollout, Plan)


class LambdaReleases(SimplePlugin):
    """The workflows, their strict converter, and the sandbox they run in. A worker adds the operations of AWS that it serves."""

    def __init__(self) -> None:
        """Join everything together."""
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
            "lambda-releases",
            data_converter=make_data_converter,
            interceptors=[InputCount(), RollbackAnnouncer()],
            activities=[read_previous_version, read_journal_activity],
            workflows=WORKFLOWS,
            workflow_runner=make_sandboxed_runner,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See :class:`temporalio.plugin.SimplePlugin`; and the sandbox is asked no more than the client's converter needs."""
        configured = super().configure_worker(config)
        told = cast("dict[str, Any]", configured)
        told["workflow_runner"] = drop_serialization_context(
            told["workflow_runner"], told["client"].config()["data_converter"]
        )
        return configured

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """See :class:`temporalio.plugin.SimplePlugin`; and workflows that only wait, for long, are forgotten meanwhile."""
        forgetting = asyncio.create_task(IDLE_WORKFLOWS.evict_from(worker))
        try:
            await super().run_worker(worker, next)
        finally:
            forgetting.cancel()
