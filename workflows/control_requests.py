"""What the controls of a running release take: the inputs of its updates."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from workflows.domain.inputs import Input, Reason

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Choice(StrEnum):
    """What happens with foreign routing: it becomes stable, is overwritten, or is left."""

    ADOPT = "adopt"
    OVERWRITE = "overwrite"
    LEAVE = "leave"


class ControlRequest(Input):
    """The input of an update: who sends it. A malformed one fails as ``Refused``."""

    failure_type = "Refused"

    by: Name


class ApproveRequest(ControlRequest):
    """The input of ``approve``: ``{"by": "ana", "note": "looks good"}``."""

    note: Reason = ""


class ReasonedRequest(ControlRequest):
    """The input of ``pause``, ``promote``, ``abort``: ``{"by": "ana", "reason": "p99 is up"}``."""

    reason: Reason = ""


class EndWatchRequest(ReasonedRequest):
    """The input of ``end_watch``: which release takes over, and the version it is about, if any."""

    version: str | None = None


class ResolveRequest(ReasonedRequest):
    """The input of ``resolve``: ``{"by": "ana", "choice": "overwrite"}``."""

    choice: Choice


class ResumeRequest(ControlRequest):
    """The input of ``resume``: ``{"by": "ana"}``."""


def describe_request(verb: str, by: str, reason: str = "") -> str:
    """``Paused by ana: p99 is up``."""
    return f"{verb} by {by}" + (f": {reason}" if reason else "")
