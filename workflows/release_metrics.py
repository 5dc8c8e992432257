"""The metrics of releases, which a worker serves for Prometheus: how many, how they end, how long.

Workflows count: Temporal drops what is counted in a replay, so each thing is counted once, by the
worker on which it happened. ``docs/operate.md`` lists them. The number of running releases is
counted by the worker process (:mod:`workflows.worker.release_count`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from temporalio import workflow
from temporalio.common import MetricCounter, MetricMeter
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from workflows.domain.status import PAUSED, Phase, ReleaseStatus
from workflows.domain.target import Target

STARTED: Final = "releases_started"
ENDED: Final = "releases_ended"
DURATION: Final = "release"
PHASE_DURATION: Final = "release_phase"
ROLLBACK_DURATION: Final = "rollback"
RUNNING: Final = "releases_running"

_DESCRIPTIONS: Final = {
    STARTED: "Releases and rollbacks that began",
    ENDED: "Releases and rollbacks that ended, by outcome",
    DURATION: "From the start of a release to its end",
    PHASE_DURATION: "How long releases were in a phase, or paused",
    ROLLBACK_DURATION: "From the verdict on a candidate to the alias being back",
}

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_LONG: Final = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY)
BUCKETS: Final = {
    DURATION: (0.1, 1, 5, 15, 30, *_LONG, 30 * _DAY),
    ROLLBACK_DURATION: (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, _MINUTE, 10 * _MINUTE),
}
"""The upper bounds of the histograms, in seconds.

Temporal's SDK gives them to each histogram whose name, without ``_seconds``, contains the key:
``release`` is also for ``release_phase``.
"""


RUNNING_PHASES: Final = (
    *(
        phase.value
        for phase in Phase
        if phase not in {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.REJECTED}
    ),
    PAUSED,
)
"""The phases of a release that has not ended, as lists show them."""


class EndedAs(StrEnum):
    """How a release ended, as the label ``outcome`` of its metrics."""

    SUCCEEDED = "succeeded"
    NOTHING_TO_DO = "nothing_to_do"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    ROLLBACK_FAILED = "rollback_failed"
    CANCELED = "canceled"


_BY_FAILURE: Final = {
    "ReleaseRejected": EndedAs.REJECTED,
    "ReleaseRolledBack": EndedAs.ROLLED_BACK,
    "RollbackFailed": EndedAs.ROLLBACK_FAILED,
}


class MetricLabels:
    """Whether metrics have the labels ``function`` and ``alias``: a time series for each alias."""

    def __init__(self) -> None:
        """Begin without them."""
        self.by_function = False

    def add_to(self, meter: MetricMeter, target: Target) -> MetricMeter:
        """Return the meter, with the labels of a target if they are wanted."""
        if not self.by_function:
            return meter
        labels = {"function": target.name, "alias": target.alias}
        return meter.with_additional_attributes(labels)


LABELS: Final = MetricLabels()
"""Those of this process."""


def register_outcomes(meter: MetricMeter) -> None:
    """Let every counter begin at 0, so that the first failure is an increase."""
    started, ended = _counter(meter, STARTED), _counter(meter, ENDED)
    started.add(0)
    for outcome in EndedAs:
        ended.add(0, {"outcome": outcome})


async def count_release(target: Target, release: Awaitable[ReleaseStatus]) -> ReleaseStatus:
    """Run a release or rollback, and count its start and its end, with how long it took."""
    meter = LABELS.add_to(workflow.metric_meter(), target)
    if workflow.info().continued_run_id is None:
        _counter(meter, STARTED).add(1)
    try:
        status = await release
    except (asyncio.CancelledError, FailureError) as error:
        _count_end(meter, find_failure_outcome(error))
        raise
    _count_end(meter, find_outcome(status))
    return status


def find_failure_outcome(error: BaseException) -> EndedAs:
    """Return as what a release has ended that failed with this error."""
    if is_cancelled_exception(error):
        return EndedAs.CANCELED
    kind = error.type if isinstance(error, ApplicationError) else None
    return _BY_FAILURE.get(kind or "", EndedAs.ROLLBACK_FAILED)


def find_outcome(status: ReleaseStatus) -> EndedAs:
    """Return as what a release has ended that has this result."""
    if status.phase is Phase.REJECTED:
        return EndedAs.REJECTED
    return EndedAs.SUCCEEDED if status.routing.percent else EndedAs.NOTHING_TO_DO


def _count_end(meter: MetricMeter, outcome: EndedAs) -> None:
    labels = {"outcome": outcome.value}
    _counter(meter, ENDED).add(1, labels)
    _record(meter, DURATION, workflow.now() - workflow.info().workflow_start_time, labels)


class PhaseTimer:
    """Records how long a release was in each phase, and paused."""

    def __init__(self) -> None:
        """Begin without a phase."""
        self._phase = ""
        self._since: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """When the phase began."""
        return self._since

    def resume(self, status: ReleaseStatus, since: datetime | None) -> None:
        """Go on in a phase that began in another run of the release."""
        self._phase, self._since = _read_phase(status), since or workflow.now()

    def enter(self, status: ReleaseStatus) -> None:
        """Record the phase that is left, if one is."""
        phase, now = _read_phase(status), workflow.now()
        if phase == self._phase:
            return
        if self._since is not None:
            meter = LABELS.add_to(workflow.metric_meter(), status.target)
            _record(meter, PHASE_DURATION, now - self._since, {"phase": self._phase})
        self._phase, self._since = phase, now


def _read_phase(status: ReleaseStatus) -> str:
    return PAUSED if status.paused else status.phase.value


def record_rollback(target: Target, duration: timedelta) -> None:
    """Record how long an alias took to be back, from the verdict on."""
    meter = LABELS.add_to(workflow.metric_meter(), target)
    _record(meter, ROLLBACK_DURATION, duration, {})


def _counter(meter: MetricMeter, name: str) -> MetricCounter:
    return meter.create_counter(name, _DESCRIPTIONS[name])


def _record(meter: MetricMeter, name: str, duration: timedelta, labels: dict[str, str]) -> None:
    histogram = meter.create_histogram_timedelta(name, _DESCRIPTIONS[name], unit="s")
    histogram.record(max(duration, timedelta()), labels)
