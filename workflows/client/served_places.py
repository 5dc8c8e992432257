"""Who serves which account and region, as Temporal knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.client import Client
from temporalio.service import RPCError

from activities.identity import ServedAccount
from activities.limits.sharing import list_heartbeats, list_pollers
from workflows.client.errors import is_unavailable, translate_errors

DEFAULT_QUEUE: Final = "lambda-releases"
"""The task queue of a worker with one place."""

_STOPPED: Final = {
    WorkerStatus.WORKER_STATUS_SHUTDOWN,
    WorkerStatus.WORKER_STATUS_SHUTTING_DOWN,
}


@dataclass(frozen=True)
class ServedQueue:
    """A task queue, and what its workers serve; None for workers that do not say."""

    task_queue: str
    served: ServedAccount | None


async def list_served_queues(client: Client, *likely: str) -> list[ServedQueue]:
    """List the queues of all workers, and of those that poll the default queue or a ``likely`` one.

    Some Temporal servers keep no list of workers: there only those queues are known. One that was
    killed lately is listed, too. Raises ``Unreachable``.
    """
    found = await _list_registered(client)
    for task_queue in (DEFAULT_QUEUE, *likely):
        with translate_errors():
            pollers = await list_pollers(client, task_queue)
        found |= {ServedQueue(task_queue, ServedAccount.parse(each)) for each in pollers}
    return sorted(found, key=lambda queue: (str(queue.served), queue.task_queue))


async def _list_registered(client: Client) -> set[ServedQueue]:
    try:
        beats = await list_heartbeats(client)
    except RPCError as error:
        if is_unavailable(error):
            with translate_errors():
                raise
        return set()
    return {
        ServedQueue(beat.task_queue, served)
        for beat in beats
        if beat.status not in _STOPPED and (served := ServedAccount.parse(beat.worker_identity))
    }
