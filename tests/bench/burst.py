"""A burst: releases that are started at the same time, and their times."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Burst:
    """The times of a burst, which starts when this is created."""

    started: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)
    walls: list[float] = field(default_factory=list)

    async def run_timed(self, release: Awaitable[Any]) -> None:
        """Run one release and record the seconds from the start of the burst to its end."""
        await release
        self.walls.append(time.monotonic() - self.started)


def print_burst(burst: Burst) -> None:
    """Print the times and the CPU seconds as JSON, for the parent process."""
    print(json.dumps({"walls": burst.walls, "cpu": time.process_time() - burst.cpu}), flush=True)
