"""What AWS alone tells of an alias, and what a person can choose where its release is lost.

A namespace that is lost takes the journals of releases with it. What is left is the routing of the
alias, and the description of each version that a release has published.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from workflows.domain.preflight_facts import RunningRelease
from workflows.domain.routing import Routing
from workflows.domain.target import Target
from workflows.domain.version_description import VersionOrigin


class RepairChoice(StrEnum):
    """Where all traffic is to go: the version that has most routes, or the one with a share."""

    STABLE = "stable"
    CANDIDATE = "candidate"


class SurveyedVersion(BaseModel):
    """A version of the alias. ``origin`` is None where no release of ours has published it.

    ``provisioned`` is its provisioned concurrency. ``is_latest``: ``$LATEST`` has its code.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    origin: VersionOrigin | None = None
    provisioned: int | None = None
    is_latest: bool = False


class AliasSurvey(BaseModel):
    """An alias as AWS has it. ``versions`` are those that it routes to, the main one first.

    ``problems`` are why it could not be looked at. ``running`` is the release of it that this
    namespace knows of. ``unread`` is what AWS did not tell.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    target: Target
    account: str | None = None
    region: str | None = None
    routing: Routing | None = None
    versions: tuple[SurveyedVersion, ...] = ()
    running: RunningRelease | None = None
    problems: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_left_split(self) -> bool:
        """Whether two versions share the traffic, and no release is there to decide."""
        return self.running is None and bool(self.routing and self.routing.weights)

    def find_version(self, choice: RepairChoice) -> str | None:
        """Return the version that a choice means; None where there is nothing to choose."""
        if not self.is_left_split or self.routing is None:
            return None
        if choice is RepairChoice.STABLE:
            return self.routing.version
        return next(iter(self.routing.weights))
