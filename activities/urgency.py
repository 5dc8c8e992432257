"""Word from a workflow to the worker that runs it: an activity that restores service comes with the answer to this workflow task.

Temporal hands such an activity over with the next word to the worker, past every queue, if the worker says that it has room (an "eager"
activity). A worker that is busy has none, and cannot see for what it is asked: it would send the rollback to the end of the one queue in four that
Temporal happens to put it in. So the workflow's outbound interceptor announces it, and :mod:`activities.slots` finds room for what was announced.
"""

from __future__ import annotations

import threading
import time
from typing import Final

_KEPT: Final = 1.0
"""Seconds that an announcement stands: the answer to a workflow task leaves within milliseconds, or not at all."""

MOST_URGENT: Final = 1
"""The priority key of what restores service."""


class Urgency:
    """What was announced and has not come yet. Announced from threads that run workflows, taken from threads of Temporal's core."""

    def __init__(self) -> None:
        """Nothing was announced."""
        self._lock = threading.Lock()
        self._announced: list[float] = []

    def announce(self) -> None:
        """One more urgent activity is on its way."""
        with self._lock:
            self._announced.append(time.monotonic())

    def take(self) -> bool:
        """Whether one is on its way; from then on it is not, any more."""
        with self._lock:
            since = time.monotonic() - _KEPT
            self._announced = [at for at in self._announced if at > since]
            return bool(self._announced and self._announced.pop(0))


ANNOUNCED: Final = Urgency()
"""This process's."""
