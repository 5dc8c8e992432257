"""What people may say to a running release, and what is refused as nonsense.

Controls only note what was said; the release itself looks at them where it waits. They never call AWS.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints
from temporalio.exceptions import ApplicationError

from workflows.domain.inputs import Input, Reason
from workflows.domain.status import Phase, ReleaseStatus

_OVER = {Phase.SUCCEEDED, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.REJECTED}

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ControlRequest(Input):
    """Who says it. A malformed one is refused as any other nonsense is."""

    failure_type = "Refused"

    by: Name


class ApproveRequest(ControlRequest):
    """``{"by": "ana", "note": "looks good"}``."""

    note: Reason = ""


class ReasonedRequest(ControlRequest):
    """``{"by": "ana", "reason": "p99 is up"}``."""

    reason: Reason = ""


class ResumeRequest(ControlRequest):
    """``{"by": "ana"}``."""


def phrase(verb: str, by: str, why: str = "") -> str:
    """``paused by ana: p99 is up``."""
    return f"{verb} by {by}" + (f": {why}" if why else "")


class Controls:
    """What was said so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.paused = False
        self.promoted = False
        self.approved = False
        self.stopped: str | None = None
        """Why the release has to stop, once it has to."""

    def stop(self, why: str) -> None:
        """Have the release stopped. The first reason counts."""
        self.stopped = self.stopped or why


def refuse(condition: object, why: str) -> None:
    """Refuse what was said, if the condition holds; the sender reads why."""
    if condition:
        raise ApplicationError(why, type="Refused", non_retryable=True)


def check_running(status: ReleaseStatus, controls: Controls) -> None:
    """Refuse whatever is said to a release that is over, or on its way back."""
    refuse(status.phase in _OVER, f"too late: the release is {status.phase.replace('_', ' ')}")
    refuse(controls.stopped, f"too late: the release is being stopped ({controls.stopped})")


def check_approve(status: ReleaseStatus, controls: Controls) -> None:
    """Refuse an approval that nobody waits for."""
    check_running(status, controls)
    refuse(
        status.phase is not Phase.AWAITING_APPROVAL or controls.approved,
        f"nothing to approve: the release is {status.phase}",
    )


def check_pause(status: ReleaseStatus, controls: Controls) -> None:
    """Refuse to pause twice, or what is being promoted."""
    check_running(status, controls)
    refuse(controls.paused, "paused already")
    refuse(
        controls.promoted or status.phase is Phase.PROMOTING,
        "too late: all traffic is going to the candidate",
    )


def check_resume(status: ReleaseStatus, controls: Controls) -> None:
    """Refuse to resume what is not paused."""
    check_running(status, controls)
    refuse(not controls.paused, "not paused")


def check_promote(status: ReleaseStatus, controls: Controls) -> None:
    """Refuse to promote twice, or before there is a candidate."""
    check_running(status, controls)
    refuse(controls.promoted or status.phase is Phase.PROMOTING, "being promoted already")
    refuse(status.phase is Phase.PREPARING, "too early: the candidate is not on trial yet")
