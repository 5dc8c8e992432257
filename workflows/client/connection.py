"""Connects to Temporal as its own command line does, with errors in one sentence."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any, Final, cast

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime

from workflows.client.errors import Unreachable
from workflows.temporal.plugin import LambdaReleases

_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
_DEFAULT_ADDRESS: Final = "localhost:7233"


async def connect_temporal(runtime: Runtime | None = None) -> Client:
    """Connect by Temporal's environment variables and configuration file.

    Without any, connects to localhost:7233. Raises ``Unreachable`` after at most five seconds. An
    unknown namespace is reported by the first call after this.
    """
    address = _DEFAULT_ADDRESS
    try:
        config = ClientConfig.load_client_connect_config()
        address = config.setdefault("target_host", address)
        # Client.connect has no timeout of its own: a server may accept and never answer.
        async with asyncio.timeout(_CONNECT_TIMEOUT.total_seconds()):
            return await Client.connect(
                **cast("Any", config), plugins=[LambdaReleases()], runtime=runtime
            )
    except TimeoutError:
        raise Unreachable(f"Temporal does not answer at {address} (TEMPORAL_ADDRESS)") from None
    except (RuntimeError, ValueError, OSError) as error:
        raise Unreachable(
            f"cannot connect to Temporal at {address} (TEMPORAL_ADDRESS): {_find_cause(error)}"
        ) from error


def _find_cause(error: Exception) -> str:
    """The cause of a failed connection.

    The SDK reports it as the debug text of nested Rust types; the innermost message is the cause.
    """
    messages = re.findall(r'message: "([^"]+)"', str(error))
    return str(messages[-1]) if messages else str(error)
