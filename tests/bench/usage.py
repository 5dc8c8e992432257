"""CPU time and memory of processes, from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


def read_cpu_seconds(pid: int) -> float:
    """Read the CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_A_SECOND


def read_memory_bytes(pid: int) -> int:
    """Read the bytes that a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Meter:
    """CPU seconds of several processes, from the creation of this meter on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """Start to count."""
        self._pids = pids
        self._start = {name: read_cpu_seconds(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, float]:
        """Read what each process has used since."""
        return {name: read_cpu_seconds(pid) - self._start[name] for name, pid in self._pids.items()}
