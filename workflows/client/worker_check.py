"""Checks the workers of a task queue, and the versions that Worker Versioning routes to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from activities.check_result import CheckResult, CheckState
from workflows.client.queue_workers import QueueWorker, list_queue_workers
from workflows.domain.target import Target
from workflows.temporal.deployment import make_current_command, read_routing

_WORKERS: Final = "workers"
VERSIONING_CHECK: Final = "versioning"


class WorkerCheck:
    """The workers of one queue, which a target's account and region has to be served by."""

    def __init__(self, client: Client, *, task_queue: str, target: Target | None) -> None:
        self._client = client
        self._task_queue = task_queue
        self._target = target

    async def run(self) -> list[CheckResult]:
        """Return one finding for each worker, and those about all of them.

        The first one fails where no worker polls. Raises ``RPCError``.
        """
        workers = await list_queue_workers(self._client, self._task_queue)
        if not workers:
            return [self._describe_absence()]
        now = datetime.now(UTC)
        findings = [
            CheckResult(check=_WORKERS, state=CheckState.OK, text=worker.describe(now))
            for worker in workers
        ]
        findings += self._check_accounts(workers)
        for deployment in sorted({worker.deployment for worker in workers if worker.deployment}):
            findings.append(await self._check_deployment(deployment, workers))
        return findings

    def _describe_absence(self) -> CheckResult:
        queue = self._task_queue
        return CheckResult(
            check=_WORKERS,
            state=CheckState.FAILED,
            text=f"no worker polls task queue {queue}",
            remedy=f"start one with: RELEASES_TASK_QUEUE={queue} python worker.py; or name another "
            "queue with --task-queue",
        )

    def _check_accounts(self, workers: Sequence[QueueWorker]) -> Iterator[CheckResult]:
        served = sorted({str(worker.served) for worker in workers if worker.served})
        if len(served) > 1:
            yield CheckResult(
                check=_WORKERS,
                state=CheckState.FAILED,
                text=f"workers of different accounts or regions share {self._task_queue}: "
                f"{', '.join(served)}",
                remedy="give each account and region a queue of its own (RELEASES_TASK_QUEUE)",
            )
        target = self._target
        places = [worker.served for worker in workers if worker.served]
        if not target or not target.account or not places:
            return
        is_served = any(
            place.account == target.account and target.region in {None, place.region}
            for place in places
        )
        if not is_served:
            where = " in ".join(filter(None, (f"account {target.account}", target.region)))
            yield CheckResult(
                check=_WORKERS,
                state=CheckState.FAILED,
                text=f"no worker of {self._task_queue} serves {where}, where {target} is",
                remedy="name the queue of that account and region with --task-queue",
            )

    async def _check_deployment(self, name: str, workers: Sequence[QueueWorker]) -> CheckResult:
        """Check that the current version of a deployment has a worker: new releases go to it."""
        builds = sorted(
            {worker.build_id for worker in workers if worker.deployment == name and worker.build_id}
        )
        served = ", ".join(builds)
        try:
            routing = await read_routing(self._client, name)
        except RPCError as error:
            text = f"deployment {name}: its current version is not known: {error.message}"
            return CheckResult(check=VERSIONING_CHECK, state=CheckState.WARNING, text=text)
        current = routing.current_deployment_version.build_id
        if current in builds:
            text = f"build {current} of deployment {name} is current; builds served: {served}"
            return CheckResult(check=VERSIONING_CHECK, state=CheckState.OK, text=text)
        if current:
            return CheckResult(
                check=VERSIONING_CHECK,
                state=CheckState.FAILED,
                text=f"build {current} of deployment {name} is current, and no worker runs it",
                remedy=f"start a worker of build {current}, or make another one current: "
                f"{make_current_command(self._client.namespace, name, builds[-1])}",
            )
        return CheckResult(
            check=VERSIONING_CHECK,
            state=CheckState.FAILED,
            text=f"deployment {name} has no current version: its workers get no new release",
            remedy=make_current_command(self._client.namespace, name, builds[-1]),
        )
