"""The workers of a task queue, as Temporal lists them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from temporalio.api.enums.v1 import WorkerStatus, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.client import Client
from temporalio.service import RPCError

from activities.identity import ServedAccount
from activities.limits.sharing import iterate_pollers, list_heartbeats


@dataclass(frozen=True, slots=True)
class QueueWorker:
    """One worker: who it is, which account it serves, and its version.

    ``build_id`` is that of Worker Versioning; None for a worker without. ``sdk`` is empty where
    Temporal does not list workers, or not to us.
    """

    identity: str
    polled_at: datetime
    deployment: str | None = None
    build_id: str | None = None
    sdk: str = ""

    @property
    def served(self) -> ServedAccount | None:
        """The account and region that it serves; None for a worker that does not say."""
        return ServedAccount.parse(self.identity)

    def describe(self, now: datetime) -> str:
        """Describe the worker in one line."""
        version = (
            f"build {self.build_id} of deployment {self.deployment}"
            if self.build_id
            else "not versioned"
        )
        seconds = max(round((now - self.polled_at).total_seconds()), 0)
        parts = (
            str(self.served or "account unknown"),
            self.sdk,
            version,
            f"polled {seconds} s ago",
            self.identity,
        )
        return ", ".join(filter(None, parts))


async def list_queue_workers(client: Client, task_queue: str) -> list[QueueWorker]:
    """List the workers that have polled a queue in the last five minutes, and were not stopped.

    One that was killed is listed until then. Raises ``RPCError``.
    """
    found: dict[str, QueueWorker] = {}
    async for poller in iterate_pollers(client, task_queue):
        worker = _read_poller(poller)
        other = found.get(worker.identity)
        if other is None or other.polled_at < worker.polled_at:
            found[worker.identity] = worker
    for identity, sdk in (await _list_sdks(client, task_queue)).items():
        if sdk is None:
            found.pop(identity, None)
        elif identity in found:
            found[identity] = replace(found[identity], sdk=sdk)
    return sorted(found.values(), key=lambda worker: worker.identity)


def _read_poller(poller: PollerInfo) -> QueueWorker:
    options = poller.deployment_options
    versioned = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    is_versioned = options.worker_versioning_mode == versioned
    return QueueWorker(
        identity=poller.identity,
        polled_at=poller.last_access_time.ToDatetime(tzinfo=UTC),
        deployment=options.deployment_name if is_versioned else None,
        build_id=options.build_id if is_versioned else None,
    )


async def _list_sdks(client: Client, task_queue: str) -> dict[str, str | None]:
    """The SDK of each worker by its identity, None for one that was stopped.

    Empty where Temporal keeps no list of workers, or may not give it.
    """
    try:
        beats = await list_heartbeats(client, task_queue)
    except RPCError:
        return {}
    # One that drains takes no release any more. It says no more about itself when it has ended.
    stopped = {WorkerStatus.WORKER_STATUS_SHUTDOWN, WorkerStatus.WORKER_STATUS_SHUTTING_DOWN}
    sdks: dict[str, str | None] = {beat.worker_identity: None for beat in beats}
    for beat in beats:
        if beat.status not in stopped:
            sdks[beat.worker_identity] = f"{beat.sdk_name} {beat.sdk_version}".strip()
    return sdks
