"""The runtime of a worker process: its identity, logs, metrics and heartbeats."""

from __future__ import annotations

import logging
import os
import socket
import uuid

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from activities.limits.sharing import HEARTBEAT_INTERVAL
from workflows.release_metrics import BUCKETS


def create_identity() -> str:
    """A unique identity of this process.

    In containers, process id and host name may be those of another worker.
    """
    return f"{os.getpid()}@{socket.gethostname()}/{uuid.uuid4().hex[:8]}"


def create_runtime(metrics: str | None) -> Runtime:
    """A runtime that logs to Python's logging, and serves Prometheus at the address ``metrics``."""
    prometheus = (
        PrometheusConfig(
            bind_address=metrics,
            durations_as_seconds=True,
            unit_suffix=True,
            counters_total_suffix=True,
            histogram_bucket_overrides=BUCKETS,
        )
        if metrics
        else None
    )
    # The fields of a line are added as those of all lines are (workflows/temporal/logs.py).
    forwarding = LogForwardingConfig(
        logger=logging.getLogger("temporal.core"), append_log_fields_to_message=False
    )
    logs = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding
    )
    return Runtime(
        telemetry=TelemetryConfig(metrics=prometheus, logging=logs),
        worker_heartbeat_interval=HEARTBEAT_INTERVAL,
    )
