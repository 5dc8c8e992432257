"""What the controls of a running release take: the inputs of its updates."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints
from temporalio.exceptions import ApplicationError

from workflows.domain.artifact import VersionNumber
from workflows.domain.inputs import Input, Reason

DESCRIPTIONS: Final[Mapping[str, str]] = {
    "approve": 'Approve what waits for it: {"by": "ana", "note": "looks good"}',
    "pause": 'Hold at the current weight; guards go on: {"by": "ana", "reason": "p99"}',
    "resume": 'Go on after a pause; a bake has as long left as it had: {"by": "ana"}',
    "promote": 'Skip what is left, all traffic to the candidate: {"by": "ana", "reason": "hotfix"}',
    "abort": 'Put the alias back: {"by": "ana", "reason": "wrong build"}',
    "give_up": 'End an undo that cannot succeed: {"by": "ana", "reason": "region is gone"}',
    "resolve": "Choose about routing that another writer has set (adopt, overwrite, leave): "
    '{"by": "ana", "choice": "overwrite"}',
    "end_watch": "A newer release ends the watch after promotion: "
    '{"by": "release-7", "reason": "PR 13"}',
}
"""The updates by their names, as the Temporal UI describes them."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Choice(StrEnum):
    """What happens with foreign routing: it becomes stable, is overwritten, or is left."""

    ADOPT = "adopt"
    OVERWRITE = "overwrite"
    LEAVE = "leave"


class ControlRequest(Input):
    """The input of an update: who sends it. A malformed one fails as ``Refused``."""

    failure_type = "Refused"

    by: Name = "unknown"


class ApproveRequest(ControlRequest):
    """The input of ``approve``: ``{"by": "ana", "note": "looks good"}``."""

    note: Reason = ""


class ReasonedRequest(ControlRequest):
    """The input of ``pause``, ``promote``, ``abort``: ``{"by": "ana", "reason": "p99 is up"}``."""

    reason: Reason = ""


class EndWatchRequest(ReasonedRequest):
    """The input of ``end_watch``: which release takes over, and the version it is about, if any."""

    version: VersionNumber | None = None


class ResolveRequest(ReasonedRequest):
    """The input of ``resolve``: ``{"by": "ana", "choice": "overwrite"}``."""

    choice: Choice


class ResumeRequest(ControlRequest):
    """The input of ``resume``: ``{"by": "ana", "reason": "it was the database"}``."""

    reason: Annotated[Reason, Field(exclude_if=lambda value: not value)] = ""
    """Not sent where it is empty: workers of before refuse the key."""


APPROVED_BY_UNKNOWN: Final = ApproveRequest()
"""The input of an ``approve`` that is sent without one."""

REASONED_BY_UNKNOWN: Final = ReasonedRequest()
"""The input of a ``pause``, ``promote``, ``abort`` or ``give_up`` that is sent without one."""

RESUMED_BY_UNKNOWN: Final = ResumeRequest()
"""The input of a ``resume`` that is sent without one."""


def describe_request(verb: str, by: str, reason: str = "") -> str:
    """``Paused by ana: p99 is up``."""
    return f"{verb} by {by}" + (f": {reason}" if reason else "")


def refuse_unknown() -> ApplicationError:
    """Return the refusal of an update that no release takes."""
    known = ", ".join(DESCRIPTIONS)
    text = f"there is no update of this name: there are {known}"
    return ApplicationError(text, type="Refused", non_retryable=True)
