"""Rollbacks first: a slot in the worker for each, and a priority in Temporal.

Temporal can hand an activity to a worker together with the response to a workflow task, without
a task queue in between (an "eager" activity). It does so only if the worker reserves a slot for
it. A busy worker has no free slot, and the request for a slot does not name the activity. The
rollback would then wait in one of the queue's four partitions. So the workflow's outbound
interceptor announces each rollback activity to its own process first, and
:mod:`activities.limits.slots` reserves a slot for what was announced.

The workflow must also learn early that it has to roll back. When the bakes of thousands of
releases end together, all their workflow tasks wait in one queue. So the sender (the watch on an
alarm, or an operator's abort) first raises the priority of that workflow in Temporal
(:func:`prioritize_workflow`).
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.service import RPCError

HIGHEST_PRIORITY_KEY: Final = 1
"""Temporal's priority key of rollback activities: 1 is served before 5."""

_ANNOUNCEMENT_SECONDS: Final = 1.0
"""How long an announcement is valid.

The response to a workflow task leaves within milliseconds.
"""

_REQUEST_TIMEOUT: Final = timedelta(seconds=1)

log = logging.getLogger("releases.urgency")


class RollbackAnnouncements:
    """Rollback activities that are about to be scheduled on this process's workers, by task queue.

    Thread-safe: threads that run workflows announce, threads of Temporal's core consume.
    """

    def __init__(self) -> None:
        """Start without an announcement."""
        self._lock = threading.Lock()
        self._announced_at: dict[str, list[float]] = {}

    def announce(self, task_queue: str) -> None:
        """Add one rollback activity of a task queue."""
        with self._lock:
            self._announced_at.setdefault(task_queue, []).append(time.monotonic())

    def consume(self, task_queue: str) -> bool:
        """Remove the oldest valid announcement of a queue; return whether there was one."""
        with self._lock:
            oldest = time.monotonic() - _ANNOUNCEMENT_SECONDS
            valid = [at for at in self._announced_at.pop(task_queue, []) if at > oldest]
            if valid[1:]:
                self._announced_at[task_queue] = valid[1:]
            return bool(valid)


ROLLBACK_ANNOUNCEMENTS: Final = RollbackAnnouncements()
"""The announcements of this process."""


async def prioritize_workflow(client: Client, workflow_id: str, run_id: str | None) -> None:
    """Have the workflow tasks of one workflow served before all others from now on.

    Idempotent. An error of Temporal's is logged and ignored: the workflow then keeps its priority.
    """
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id or ""),
        workflow_execution_options=WorkflowExecutionOptions(
            priority=Priority(priority_key=HIGHEST_PRIORITY_KEY)
        ),
        update_mask=FieldMask(paths=["priority"]),
        identity=client.identity,
    )
    try:
        await client.workflow_service.update_workflow_execution_options(
            request, timeout=_REQUEST_TIMEOUT
        )
    except RPCError as error:
        log.info("%s is not put before others: %s", workflow_id, error.message)
