"""A burst: so many releases begun at once, timed together and one by one."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Burst:
    """Begins when it is made."""

    begun: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)
    walls: list[float] = field(default_factory=list)

    async def timed(self, release: Awaitable[Any]) -> None:
        """Carry one out and note when, since the beginning of the burst, it was over."""
        await release
        self.walls.append(time.monotonic() - self.begun)


def print_burst(burst: Burst) -> None:
    """Print what it took, for the process that asked for it."""
    print(json.dumps({"walls": burst.walls, "cpu": time.process_time() - burst.cpu}), flush=True)
