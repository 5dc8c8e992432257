"""The settings of a worker, as its operator gives them."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.worker import WorkerDeploymentConfig

from activities.access import Access
from workflows.worker.places import WorkerPlace


class WorkerStartError(Exception):
    """Temporal or STS cannot be reached; the message is one line."""


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of an operator; ``--help`` describes each of them.

    ``places`` are those of a file; where there are none, ``task_queue``, ``region`` and ``account``
    are the only one.
    """

    places: tuple[WorkerPlace, ...]
    task_queue: str
    region: str | None
    account: str | None
    rate: float | None
    aws_rate: float
    cached: int
    workers: int | None
    metrics: str | None
    metrics_by_function: bool
    traces: str | None
    access: Access
    deployment: WorkerDeploymentConfig | None
    grace: timedelta


_PREFIX: Final = "RELEASES_"
_LOCAL_PREFIX: Final = "RELEASES_LOCAL_"
"""The settings of the local stack, which share the environment of its worker."""


def refuse_unknown_settings(known: set[str]) -> None:
    """Raise :class:`WorkerStartError` for a variable that looks like a setting and is none.

    Ignored, a mistyped limit would be no limit.
    """
    for name in sorted(os.environ):
        if not name.startswith(_PREFIX) or name.startswith(_LOCAL_PREFIX) or name in known:
            continue
        similar = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"; did you mean {similar[0]}?" if similar else " (python worker.py --help)"
        raise WorkerStartError(f"{name}: there is no such setting{hint}")


_UNITS: Final = {"s": 1, "m": 60, "h": 3_600}


def parse_grace(value: str) -> timedelta:
    """Parse ``RELEASES_GRACE``: a whole number with its unit, such as ``15m``.

    Raises :class:`WorkerStartError`.
    """
    number, unit = value[:-1], value[-1:]
    if not number.isdecimal() or unit not in _UNITS:
        raise WorkerStartError(
            f"RELEASES_GRACE: {value[:50]!r} is no duration: a number with s, m or h, such as 15m"
        )
    return timedelta(seconds=int(number) * _UNITS[unit])
