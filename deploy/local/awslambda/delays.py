"""How long changes take on this machine: short, but never instant, as on AWS."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

SETTLE_SECONDS: Final = float(os.environ.get("RELEASES_LOCAL_SETTLE_SECONDS", "0.5"))
"""Seconds until a changed function, version or event source mapping has settled."""

PROVISION_SECONDS: Final = float(os.environ.get("RELEASES_LOCAL_PROVISION_SECONDS", "0.5"))
"""Seconds until provisioned concurrency is allocated. AWS takes minutes."""

METRICS_SECONDS: Final = float(os.environ.get("RELEASES_LOCAL_METRICS_SECONDS", "0"))
"""Seconds after the end of a minute until GetMetricData returns it; 0 returns it while it lasts.

Alarms read every minute while it lasts.
"""


def call_later(seconds: float, action: Callable[[], object]) -> None:
    """Call ``action`` later, in the account and region of the current request.

    It runs on the event loop, as every request does, so it reads no half-done change of another.
    """
    asyncio.get_running_loop().call_later(seconds, action)
