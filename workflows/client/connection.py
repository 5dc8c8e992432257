"""Connects to Temporal as its own command line does, with errors in one sentence."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.runtime import Runtime

from workflows.client.errors import Unreachable
from workflows.temporal.connection_fault import find_connection_fault
from workflows.temporal.connection_settings import (
    ConnectionSettingError,
    read_connection_settings,
)
from workflows.temporal.plugin import LambdaReleases

_CONNECT_TIMEOUT: Final = timedelta(seconds=5)


async def connect_temporal(runtime: Runtime | None = None) -> Client:
    """Connect by Temporal's environment variables and configuration file.

    Without any, connects to localhost:7233. Raises ``Unreachable`` after a few seconds. An unknown
    namespace is reported by the first call after this.
    """
    try:
        settings = read_connection_settings()
    except ConnectionSettingError as error:
        raise Unreachable(f"cannot connect to Temporal: {error}") from error
    address = settings["target_host"]
    try:
        # Client.connect has no timeout of its own: a server may accept and never answer.
        async with asyncio.timeout(_CONNECT_TIMEOUT.total_seconds()):
            return await Client.connect(**settings, plugins=[LambdaReleases()], runtime=runtime)
    except TimeoutError:
        raise Unreachable(f"Temporal does not answer at {address} (TEMPORAL_ADDRESS)") from None
    except (RuntimeError, ValueError, OSError) as error:
        fault = await find_connection_fault(settings, error)
        raise Unreachable(
            f"cannot connect to Temporal at {address} (TEMPORAL_ADDRESS): {fault}"
        ) from error
