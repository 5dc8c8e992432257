"""The connection of a worker to Temporal."""

from __future__ import annotations

import os
from typing import Any, Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from workflows.temporal.plugin import LambdaReleases
from workflows.temporal.search_attribute_registration import summarize_error
from workflows.temporal.worker_runtime import create_identity, create_runtime
from workflows.worker.settings import WorkerStartError

_DEFAULT_TEMPORAL_ADDRESS: Final = "localhost:7233"


async def connect_to_temporal(metrics: str | None) -> Client:
    """Connect with the settings of ``temporalio.envconfig`` and with our plugin."""
    try:
        settings: dict[str, Any] = {
            "target_host": _DEFAULT_TEMPORAL_ADDRESS,
            **ClientConfig.load_client_connect_config(),
        }
        return await Client.connect(
            **settings,
            identity=create_identity(),
            plugins=[LambdaReleases()],
            runtime=create_runtime(metrics),
        )
    except (RuntimeError, RPCError, ValueError, OSError) as error:
        address = os.environ.get("TEMPORAL_ADDRESS", _DEFAULT_TEMPORAL_ADDRESS)
        raise WorkerStartError(
            f"cannot reach Temporal at {address}: {summarize_error(error)} "
            "(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE)"
        ) from error
