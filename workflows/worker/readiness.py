"""Which places of a worker process are ready, for the probe and as a metric."""

from __future__ import annotations

import asyncio
from typing import Final

from temporalio.common import MetricGauge, MetricMeter

from workflows.worker.contact import Contact

PLACE_READY: Final = "releases_place_ready"
_INTERVAL_SECONDS: Final = 2.0
_STARTING: Final = "starting"


class PlaceState:
    """The state of one place: why it does not serve, or its contact while it does."""

    def __init__(self, label: str = "", **labels: str) -> None:
        """``label`` names it in a line, ``labels`` in the metric, as far as they are known."""
        self._label = label
        self.labels = labels
        self._problem = _STARTING
        self._contact: Contact | None = None

    def serve(self, contact: Contact, **labels: str) -> None:
        """It serves, as far as ``contact`` says so."""
        self._contact, self.labels, self._problem = contact, labels, ""

    def fail(self, problem: str) -> None:
        """It does not serve, for this reason."""
        self._contact, self._problem = None, problem

    def find_problems(self) -> list[str]:
        """Why it is not ready; empty where it is."""
        found = [self._problem] if self._problem else []
        found += self._contact.find_problems() if self._contact else []
        return [f"{self._label}: {problem}" if self._label else problem for problem in found]


class Readiness:
    """The places of a process, and which of them are ready."""

    def __init__(self) -> None:
        """Begin without a place: nothing is ready."""
        self._places: list[PlaceState] = []

    def add(self, place: PlaceState) -> PlaceState:
        """Add a place, and return it."""
        self._places.append(place)
        return place

    def find_problems(self) -> list[str]:
        """Why places are not ready; empty where all are."""
        return [problem for place in self._places for problem in place.find_problems()] or (
            [] if self._places else [_STARTING]
        )

    def is_partly_ready(self) -> bool:
        """Whether at least one place is ready."""
        return any(not place.find_problems() for place in self._places)

    async def report(self, meter: MetricMeter) -> None:
        """Set the metric of each place every other second, until cancelled."""
        gauge = meter.create_gauge(PLACE_READY, "Whether a place is served: 1, or 0")
        while True:
            self._set(gauge)
            await asyncio.sleep(_INTERVAL_SECONDS)

    def _set(self, gauge: MetricGauge) -> None:
        for place in filter(lambda each: each.labels, self._places):
            gauge.set(0 if place.find_problems() else 1, place.labels)
