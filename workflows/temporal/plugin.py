"""The plugin: all that client, worker and replayer of releases must agree on.

A client needs only ``Client.connect(..., plugins=[LambdaReleases()])``. A worker takes the plugin
from its client. A replayer has no client, and is given the plugin directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker, WorkerConfig

from workflows.current_release import find_running_release_activity
from workflows.diagnosis import Diagnosis
from workflows.eviction import IDLE_WORKFLOWS
from workflows.handed_control import hand_on_control_activity
from workflows.past_packages import read_past_package
from workflows.past_rollouts import (
    read_alias_history,
    read_journal_activity,
    read_previous_version,
)
from workflows.plan import Plan
from workflows.promotion import read_last_state_activity
from workflows.release import Release
from workflows.reset_runs import follow_rollout_activity, read_reset_journal_activity
from workflows.rollback import Rollback
from workflows.rollout import Rollout
from workflows.rollout_cancel import cancel_rollout_activity, read_cancelled_status_activity
from workflows.rollout_lock import is_slashed_rollout_running
from workflows.survey import Survey
from workflows.temporal.cancel_details import CancelReporter
from workflows.temporal.interceptors import InputCountChecker, RollbackAnnouncer
from workflows.temporal.payloads import make_data_converter
from workflows.temporal.private_attributes import PrivateStarts
from workflows.temporal.rollout_queries import RolloutQueries, RolloutReader
from workflows.temporal.sandbox import (
    drop_serialization_context,
    hide_what_people_write,
    make_sandboxed_runner,
)
from workflows.watch_end import await_watch_end_activity, end_watch_activity

WORKFLOWS: Sequence[type] = (Release, Rollback, Rollout, Plan, Diagnosis, Survey)


class LambdaReleases(SimplePlugin):
    """The workflows with their converters, interceptors and sandbox.

    A worker adds the operations of AWS that it serves.
    """

    def __init__(self, *, is_private: bool = False) -> None:
        """``is_private``: no requester, and no reason, where no codec encrypts it.

        See :mod:`workflows.temporal.private_attributes`.
        """
        self._rollouts = RolloutReader()
        self._is_private = is_private
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - Temporal's own type is partly unknown
            "lambda-releases",
            data_converter=make_data_converter,
            interceptors=[
                CancelReporter(),
                RolloutQueries(self._rollouts),
                InputCountChecker(),
                RollbackAnnouncer(),
                *([PrivateStarts()] if is_private else []),
            ],
            activities=[
                read_alias_history,
                read_previous_version,
                read_journal_activity,
                read_last_state_activity,
                read_past_package,
                read_reset_journal_activity,
                is_slashed_rollout_running,
                find_running_release_activity,
                follow_rollout_activity,
                hand_on_control_activity,
                cancel_rollout_activity,
                read_cancelled_status_activity,
                end_watch_activity,
                await_watch_end_activity,
            ],
            workflows=WORKFLOWS,
            workflow_runner=make_sandboxed_runner,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Configure a worker, without serialization contexts where its client uses none."""
        configured = super().configure_worker(config)
        options = cast("dict[str, Any]", configured)
        options["workflow_runner"] = drop_serialization_context(
            options["workflow_runner"], options["client"].config()["data_converter"]
        )
        if self._is_private:
            options["workflow_runner"] = hide_what_people_write(options["workflow_runner"])
        return configured

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker, and evict idle workflows from its cache meanwhile."""
        eviction = asyncio.create_task(IDLE_WORKFLOWS.evict_from(worker))
        try:
            with self._rollouts.serve(worker):
                await super().run_worker(worker, next)
        finally:
            eviction.cancel()
