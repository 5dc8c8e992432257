"""The metrics of an invocation: four, each with AWS's three sets of dimensions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deploy.local.awslambda import ministack_api

_NAMESPACE: Final = "AWS/Lambda"
_RETENTION_SECONDS: Final = 3 * 3600.0
"""How long a point is kept: as long as CloudWatch keeps high-resolution points."""

_lock: Final = threading.Lock()
"""Invocations end on many threads, and no point may be lost while old ones are dropped."""


@dataclass(frozen=True)
class Invocation:
    """One invocation that ended, or was throttled."""

    function: str
    qualifier: str | None
    """The invoked version or alias; None for the function itself."""
    version: str
    """The version that ran."""
    started: float
    seconds: float
    failed: bool
    throttled: bool

    def dimensions(self) -> Iterator[dict[str, str]]:
        """Yield the dimensions: function, invoked resource and, for an alias, version."""
        resource = f"{self.function}:{self.qualifier}" if self.qualifier else self.function
        yield {"FunctionName": self.function}
        yield {"FunctionName": self.function, "Resource": resource}
        if self.qualifier and not self.qualifier.isdigit():
            yield {
                "FunctionName": self.function,
                "Resource": resource,
                "ExecutedVersion": self.version,
            }


def record_invocation(invocation: Invocation) -> None:
    """Record one invocation; a throttled one counts as a throttle only."""
    with _lock:
        for dimensions in invocation.dimensions():
            if invocation.throttled:
                _add_point(invocation, "Throttles", 1, "Count", dimensions)
                continue
            _add_point(invocation, "Invocations", 1, "Count", dimensions)
            _add_point(invocation, "Errors", 1 if invocation.failed else 0, "Count", dimensions)
            _add_point(invocation, "Throttles", 0, "Count", dimensions)
            _add_point(
                invocation, "Duration", round(invocation.seconds * 1000), "Milliseconds", dimensions
            )


def _add_point(
    invocation: Invocation, metric: str, value: float, unit: str, dimensions: dict[str, str]
) -> None:
    points = ministack_api.metric_points(
        (_NAMESPACE, metric, ministack_api.dimensions_key(dimensions))
    )
    # As in CloudWatch, a point has the time at which the invocation began. Equal values in one
    # second are one point with a count, so that an hour of traffic stays small.
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


def drop_old_points() -> None:
    """Drop points after their retention, in place of ministack's function."""
    oldest = time.time() - _RETENTION_SECONDS
    with _lock:
        for points in ministack_api.metrics.values():
            if points and points[0]["Timestamp"] < oldest:
                points[:] = [point for point in points if point["Timestamp"] >= oldest]


def ignore_metrics(*_arguments: object, **_named: object) -> None:
    """Record nothing, in place of ministack's function.

    ministack's metrics have no aliases and count a throttle as an invocation.
    """
