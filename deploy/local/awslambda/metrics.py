"""What CloudWatch is told about an invocation: four metrics, each under the three sets of dimensions AWS uses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deploy.local.awslambda import upstream

_NAMESPACE: Final = "AWS/Lambda"
_RETENTION: Final = 3 * 3600.0
"""Seconds a point is kept: as long as CloudWatch keeps high-resolution points."""

_lock: Final = threading.Lock()
"""Invocations end on many threads; a point must not be lost while old ones are dropped."""


@dataclass(frozen=True)
class Invocation:
    """One invocation that ended, or was not let in."""

    function: str
    qualifier: str | None
    """Version or alias it was invoked by; None for the function itself."""
    version: str
    """The version that ran."""
    started: float
    seconds: float
    failed: bool
    throttled: bool

    def dimensions(self) -> Iterator[dict[str, str]]:
        """The function; the resource it was invoked by; and, through an alias, the version that ran."""
        resource = f"{self.function}:{self.qualifier}" if self.qualifier else self.function
        yield {"FunctionName": self.function}
        yield {"FunctionName": self.function, "Resource": resource}
        if self.qualifier and not self.qualifier.isdigit():
            yield {
                "FunctionName": self.function,
                "Resource": resource,
                "ExecutedVersion": self.version,
            }


def count(invocation: Invocation) -> None:
    """Add one invocation. A throttled one did not happen: it counts as a throttle and as nothing else."""
    with _lock:
        for dimensions in invocation.dimensions():
            if invocation.throttled:
                _add(invocation, "Throttles", 1, "Count", dimensions)
                continue
            _add(invocation, "Invocations", 1, "Count", dimensions)
            _add(invocation, "Errors", 1 if invocation.failed else 0, "Count", dimensions)
            _add(invocation, "Throttles", 0, "Count", dimensions)
            _add(
                invocation, "Duration", round(invocation.seconds * 1000), "Milliseconds", dimensions
            )


def _add(
    invocation: Invocation, metric: str, value: float, unit: str, dimensions: dict[str, str]
) -> None:
    points = upstream.metric_points((_NAMESPACE, metric, upstream.dimensions_key(dimensions)))
    # As in CloudWatch the point bears the time the invocation began. Equal values of one second are one point with a count: an hour of
    # traffic stays small.
    second = int(invocation.started)
    for point in reversed(points[-8:]):
        if int(point["Timestamp"]) == second and point["Value"] == value:
            point["Count"] += 1
            return
    points.append(
        {
            "Timestamp": invocation.started,
            "Value": float(value),
            "Count": 1.0,
            "Unit": unit,
            "Dimensions": dimensions,
        }
    )


def drop_old() -> None:
    """In ministack's place: forget what is older than is kept."""
    oldest = time.time() - _RETENTION
    with _lock:
        for points in upstream.metrics.values():
            if points and points[0]["Timestamp"] < oldest:
                points[:] = [point for point in points if point["Timestamp"] >= oldest]


def silence(*_arguments: object, **_named: object) -> None:
    """In ministack's place: its own metrics, which know no aliases and count a throttle as an invocation."""
