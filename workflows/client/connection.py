"""Connects to Temporal as its own command line does, with errors in one sentence."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.runtime import Runtime

from workflows.client.errors import Unreachable
from workflows.temporal.codec_settings import read_data_converter
from workflows.temporal.connection_fault import find_connection_fault
from workflows.temporal.connection_settings import (
    ConnectionSettingError,
    is_private,
    read_connection_settings,
)
from workflows.temporal.plugin import LambdaReleases

_PRIVATE_IDENTITY: Final = "releases"
"""In place of process and machine, which Temporal would list with each start and each control."""

_CONNECT_TIMEOUT: Final = timedelta(seconds=5)


async def connect_temporal(runtime: Runtime | None = None) -> Client:
    """Connect by Temporal's environment variables and configuration file.

    Without any, connects to localhost:7233. Payloads are encrypted as ``RELEASES_CODEC_KEYS`` or
    ``RELEASES_CODEC`` has it. Raises ``Unreachable`` after a few seconds. An unknown namespace is
    reported by the first call after this.
    """
    try:
        settings = read_connection_settings()
        converter, plugin = await read_data_converter(), LambdaReleases(is_private=is_private())
    except ConnectionSettingError as error:
        raise Unreachable(f"cannot connect to Temporal: {error}") from error
    address = settings["target_host"]
    try:
        # Client.connect has no timeout of its own: a server may accept and never answer.
        async with asyncio.timeout(_CONNECT_TIMEOUT.total_seconds()):
            return await Client.connect(
                **settings,
                identity=_PRIVATE_IDENTITY if is_private() else None,
                data_converter=converter,
                plugins=[plugin],
                runtime=runtime,
            )
    except TimeoutError:
        raise Unreachable(f"Temporal does not answer at {address} (TEMPORAL_ADDRESS)") from None
    except (RuntimeError, ValueError, OSError) as error:
        fault = await find_connection_fault(settings, error)
        raise Unreachable(
            f"cannot connect to Temporal at {address} (TEMPORAL_ADDRESS): {fault}"
        ) from error
