"""The settings of a worker, as its operator gives them."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.worker import WorkerDeploymentConfig

from activities.access import Access


class WorkerStartError(Exception):
    """Temporal or STS cannot be reached; the message is one line."""


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of an operator; ``--help`` describes each of them."""

    task_queue: str
    account: str | None
    rate: float | None
    aws_rate: float
    cached: int
    workers: int | None
    metrics: str | None
    metrics_by_function: bool
    access: Access
    deployment: WorkerDeploymentConfig | None
