"""The number of running releases by phase, as a metric.

Temporal counts them. So it is right after a restart, and every worker of a queue serves the same
numbers: take the maximum, and not the sum.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.service import RPCError

from workflows import search_attributes
from workflows.release_metrics import RUNNING, RUNNING_PHASES

_INTERVAL_SECONDS: Final = 15.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


async def count_running_releases(
    client: Callable[[], Client], task_queue: str, meter: MetricMeter
) -> None:
    """Count every 15 s, until cancelled. While Temporal does not answer, the numbers stay.

    ``client`` returns the one of now: the connection may be renewed.
    """
    gauge = meter.create_gauge(RUNNING, "Releases of this task queue that run, by phase")
    problem = ""
    while True:
        try:
            for phase in RUNNING_PHASES:
                # Only one that waits for a worker has a phase without having a rollout.
                query = (
                    "WorkflowType IN ('Rollout', 'Release', 'Rollback') AND "
                    f"TaskQueue = '{task_queue}' AND "
                    f"ExecutionStatus = 'Running' AND {search_attributes.PHASE.name} = '{phase}'"
                )
                found = await client().count_workflows(query)
                gauge.set(found.count, {"phase": phase, "task_queue": task_queue})
        except RPCError as error:
            if error.message != problem:
                log.warning("running releases cannot be counted", reason=error.message)
            problem = error.message
        await asyncio.sleep(_INTERVAL_SECONDS)
