"""How long things take to settle on this machine: short, but never instant, because on AWS nothing is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

SETTLE: Final = float(os.environ.get("RELEASES_LOCAL_SETTLE_SECONDS", "0.5"))
"""Seconds until a created, updated or published function is ready, or an event source mapping is where it was told to go."""

PROVISION: Final = float(os.environ.get("RELEASES_LOCAL_PROVISION_SECONDS", "0.5"))
"""Seconds until provisioned concurrency is allocated. AWS takes minutes."""

METRICS: Final = float(os.environ.get("RELEASES_LOCAL_METRICS_SECONDS", "0"))
"""Seconds after the end of a minute until GetMetricData tells of it, as on AWS; 0: at once, while it lasts. Alarms see everything at once."""


def later(seconds: float, action: Callable[[], object]) -> None:
    """Do it after so many seconds, in the account and region of the request that asked for it.

    Runs on the event loop, as every request does: an action sees no half-done change of another.
    """
    asyncio.get_running_loop().call_later(seconds, action)
