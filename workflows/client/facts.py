"""Facts that the history of a release holds, one class for each kind.

:mod:`workflows.client.history` reads them; ``explain``, ``rejudge`` and ``stop_cause`` use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.cloudwatch.metrics import MetricsRequest, MetricsResponse
from workflows.client.runs import RunEnding
from workflows.domain.hook_answer import HookAnswer
from workflows.domain.routing import Routing
from workflows.domain.status import AnalysisStatus
from workflows.request import ReleaseRequest, RollbackRequest


@dataclass(frozen=True)
class Fact:
    """Something that happened, with the time and the text of its timeline entry."""

    at: datetime
    text: str


@dataclass(frozen=True)
class ReleaseRequested(Fact):
    """The input of the release; None where this version cannot read it."""

    request: ReleaseRequest | RollbackRequest | None


@dataclass(frozen=True)
class MetricsRead(Fact):
    """A request to CloudWatch and its response."""

    request: MetricsRequest
    response: MetricsResponse

    @property
    def is_baseline(self) -> bool:
        """Whether it is about stable alone, in the hour before the release."""
        return len(self.request.versions) == 1


@dataclass(frozen=True)
class VerdictReached(Fact):
    """A verdict that the release acted on."""

    analysis: AnalysisStatus


@dataclass(frozen=True)
class StepStarted(Fact):
    """A step begins: its ``number``, from 1; one more than there are after the last."""

    number: int


@dataclass(frozen=True)
class AliasMoved(Fact):
    """The routing of the alias from now on; None where the alias was deleted."""

    routing: Routing | None


@dataclass(frozen=True)
class AlarmsRead(Fact):
    """Which alarms are in ALARM, and the reason to roll back, if there is one."""

    firing: frozenset[str]
    reason: str | None


@dataclass(frozen=True)
class HookAnswered(Fact):
    """The answer of a hook."""

    answer: HookAnswer


@dataclass(frozen=True)
class ProbeAnswered(Fact):
    """What is wrong with the candidate's response to a probe; None where nothing is."""

    failure: str | None


@dataclass(frozen=True)
class InvocationLost(Fact):
    """A hook or a probe that may have run, without an answer: a person decides."""


@dataclass(frozen=True)
class ControlReceived(Fact):
    """A control or a cancellation; ``is_stop`` where it was to stop the release."""

    is_stop: bool


@dataclass(frozen=True)
class TimerEvent(Fact):
    """A timer that was started, or that has fired."""

    has_fired: bool


@dataclass(frozen=True)
class ResourceWritten(Fact):
    """A change in AWS other than of the alias."""


@dataclass(frozen=True)
class ActivityFailed(Fact):
    """An activity that failed, or whose result this version cannot read."""


@dataclass(frozen=True)
class ReleaseEnded(Fact):
    """The end of the workflow."""

    ending: RunEnding
