"""What restores service comes first: word from a workflow to the worker that runs it, and from whoever stops a release to Temporal.

An activity that restores service is announced, since it comes with the answer to a workflow task.
Temporal hands such an activity over with the next word to the worker, past every queue, if the worker says that it has room (an "eager"
activity). A worker that is busy has none, and cannot see for what it is asked: it would send the rollback to the end of the one queue in four that
Temporal happens to put it in. So the workflow's outbound interceptor announces it, and :mod:`activities.limits.slots` finds room for what was announced.

Before that, the workflow must hear of the verdict. When the bakes of thousands end together, each of them wakes up, and the verdict waits in one line with
them all. So whoever gives it – the watch on an alarm, a person's abort – first tells Temporal that this workflow comes before all others
from now on (:func:`prioritize_workflow`).
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

_ANNOUNCEMENT_SECONDS: Final = 1.0
"""Seconds that an announcement stands: the answer to a workflow task leaves within milliseconds, or not at all."""

HIGHEST_PRIORITY_KEY: Final = 1
"""The priority key of what restores service."""


class RollbackAnnouncements:
    """What was announced and has not come yet. Announced from threads that run workflows, taken from threads of Temporal's core."""

    def __init__(self) -> None:
        """Nothing was announced."""
        self._lock = threading.Lock()
        self._announced: list[float] = []

    def announce(self) -> None:
        """One more urgent activity is on its way."""
        with self._lock:
            self._announced.append(time.monotonic())

    def consume(self) -> bool:
        """Whether one is on its way; from then on it is not, any more."""
        with self._lock:
            since = time.monotonic() - _ANNOUNCEMENT_SECONDS
            self._announced = [at for at in self._announced if at > since]
            return bool(self._announced and self._announced.pop(0))


ROLLBACK_ANNOUNCEMENTS: Final = RollbackAnnouncements()
"""This process's."""


_REQUEST_TIMEOUT: Final = timedelta(seconds=1)

log = logging.getLogger("releases.urgency")


async def prioritize_workflow(client: Client, workflow_id: str, run_id: str | None) -> None:
    """Have a workflow's own turns served before all others' from now on. Again is as once; where Temporal does not do it, all goes on without."""
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
        await client.workflow_service.update_workflow_execution_options(request, timeout=_REQUEST_TIMEOUT)
    except RPCError as error:
        log.info("%s is not put before others: %s", workflow_id, error.message)
