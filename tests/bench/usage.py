"""What processes have used: CPU seconds and memory, from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def read_cpu_seconds(pid: int) -> float:
    """CPU seconds, in user and kernel mode, of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def read_memory_bytes(pid: int) -> int:
    """Bytes that a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Meter:
    """CPU seconds of several processes from now on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """Begin."""
        self._pids = pids
        self._begun = {name: read_cpu_seconds(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, float]:
        """What each has used since."""
        return {name: read_cpu_seconds(pid) - self._begun[name] for name, pid in self._pids.items()}
